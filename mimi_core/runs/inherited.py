"""Widths, and initial weights, that a run takes from one that has finished: read once, when the new run is made."""

from pathlib import Path

import numpy as np

from mimi_core.budget import Widths, scaled
from mimi_core.config import RunConfig, read_run_config
from mimi_core.config.identity import setting_digest
from mimi_core.config.indices import as_text
from mimi_core.config.methods import METHODS
from mimi_core.config.site_widths import Inherited, TakenWidths
from mimi_core.errors import ConfigError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import RunState, read_events
from mimi_core.runs.formats import scores


def with_widths(config: RunConfig, directory: Path) -> RunConfig:
    """The same config with the numbers that `adapter.widths` takes from another run, where it does.

    A config that holds them already is left as it is, so that a run does not depend on the other one staying there.

    Args:
        directory: the folder of all runs, in which an id is looked for.

    Raises:
        RunError: that run is not there, has not finished, has no adapters, or did not keep what is needed.
        ConfigError: its neurons cannot be rewound under these settings.
    """
    taken = config.adapter.widths
    if not isinstance(taken, TakenWidths) or taken.current or not METHODS[config.method].may_use("adapter.widths"):
        return config
    inherited = _inherited(config, taken, _folder(taken.run, directory))
    adapter = config.adapter.model_copy(update={"widths": taken.model_copy(update={"inherited": inherited})})
    return config.model_copy(update={"adapter": adapter})


def _folder(run: str, directory: Path) -> Path:
    """Of an id beside the new run, or of a path."""
    places = [directory / run] if "/" not in run else []
    places.append(Path(run).expanduser())
    for place in places:
        if (place / files.CONFIG).is_file():
            return place
    raise RunError(f"adapter.widths names the run {run[:200]!r}, and there is none in {directory}; `ls` shows them")


def _inherited(config: RunConfig, taken: TakenWidths, folder: Path) -> Inherited:
    source, state = read_run_config(folder / files.CONFIG), read_events(folder / files.EVENTS)
    if state.ended is None or state.ended.status != "finished":
        raise RunError(f"adapter.widths: the run {taken.run} has not finished; its final widths are not known yet")
    if state.decides_ranks or not state.widths or not any(state.widths[-1].values()):
        raise RunError(f"adapter.widths: the run {taken.run} ended without any adapter whose width could be taken")
    widths = _wanted(taken, state)
    rewound = taken.weights == "rewound"
    if rewound:
        _check_rewinding(config, source, taken.run)
    return Inherited(
        asked=str(taken),
        setting=setting_digest(source),
        seed=source.seed,
        data_seed=source.data.seed,
        widths=widths,
        start=state.widths[0] if rewound else {},
        survivors={site: as_text(kept) for site, kept in surviving(folder, state).items()} if rewound else {},
    )


def _wanted(taken: TakenWidths, state: RunState) -> dict[str, int]:
    """The final widths, shuffled and scaled as asked.

    Raises:
        ConfigError: shuffled, a site would have more neurons than its tokens have features.
    """
    tokens = {site.name: site.width for site in state.sites}
    final, two_per_feature = state.widths[-1], {site: 2 * width for site, width in tokens.items()}
    widths = shuffled(final, taken.shuffle) if taken.shuffle is not None else dict(final)
    if taken.parameters is not None:
        ended_with = sum(two_per_feature[site] * neurons for site, neurons in final.items())
        budget = ended_with if taken.parameters == "same" else taken.parameters
        widths = scaled(widths, budget, two_per_feature, tokens)
    elif taken.budget is not None:
        widths = scaled(widths, taken.budget, dict.fromkeys(tokens, 1), tokens)
    if wide := [site for site, neurons in widths.items() if neurons > tokens[site]]:
        raise ConfigError(
            f"adapter.widths: shuffled, {wide[0]} would have {widths[wide[0]]} neurons of at most {tokens[wide[0]]}; "
            "take another seed of shuffle, or scale to a budget"
        )
    if not any(widths.values()):
        raise ConfigError(f"adapter.widths: {taken} leaves no neuron anywhere; raise the budget")
    return widths


def shuffled(widths: Widths, seed: int) -> dict[str, int]:
    """The same widths at other sites, by a permutation that the seed decides."""
    order = np.random.default_rng(seed).permutation(len(widths))
    values = list(widths.values())
    return {site: values[place] for site, place in zip(widths, order, strict=True)}


def surviving(folder: Path, state: RunState) -> dict[str, np.ndarray]:
    """Site -> sorted indices, among the neurons of the start, of those that were left at the end.

    Raises:
        RunError: what survived a cut was not kept, or cannot be read.
    """
    left = {site: np.arange(neurons) for site, neurons in state.widths[0].items()}
    for cycle, (before, after) in enumerate(zip(state.widths, state.widths[1:], strict=False), 1):
        alive = {site: neurons for site, neurons in before.items() if neurons}
        kept = scores.read_scores_of_cut(folder, cycle, alive, after)[1]
        for site, indices in kept.items():
            if indices.dtype.kind not in "iu" or not np.isin(indices, np.arange(alive[site])).all():
                raise RunError(f"{folder.name} names survivors of cut {cycle} at {site} that were not there before it")
        left = {site: left[site][kept[site]] if site in kept else left[site] for site in left}
    return left


def _check_rewinding(config: RunConfig, source: RunConfig, run: str) -> None:
    """Raises ConfigError where the initial weights of the other run would not be drawn again."""
    if source.branch is not None:
        raise ConfigError(
            f"adapter.widths: {run} is a branch, whose weights began in {source.branch.run}; rewind a run"
        )
    widths = source.adapter.widths
    if isinstance(widths, TakenWidths) and widths.rewound:
        raise ConfigError(f"adapter.widths: {run} was itself rewound; rewind {widths.run} instead")
    for name in ("init", "positions"):
        own, other = getattr(config.adapter, name), getattr(source.adapter, name)
        if own != other:
            raise ConfigError(
                f"adapter.{name}={own}, but {run} has {other}: rewound weights are those of that run's own start"
            )
