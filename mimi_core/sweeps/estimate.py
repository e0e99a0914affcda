"""How long a sweep will take: from finished runs of the same kind, or from a check; it always says from which."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from mimi_core.budget import plan
from mimi_core.config import RunConfig
from mimi_core.data.absolute import with_absolute_paths
from mimi_core.errors import ConfigError
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.store import Store
from mimi_core.sweeps.matching import Planned

START_SECONDS = 4.0
"""Before a worker says its first word: a process, and torch."""
Kind = str


@dataclass(frozen=True)
class Pace:
    """What an epoch of one kind of run takes."""

    seconds: float
    runs: int
    """Finished runs that this was measured on; 0: a check timed a few batches."""


def kind(config: RunConfig) -> Kind:
    """Equal for runs whose epochs take about the same time: all but what is cut, seeds, and the numbers of epochs."""
    config = with_absolute_paths(config)
    same = {
        "data": config.data.model_dump(mode="json", exclude={"seed"}),
        "backbone": config.backbone.model_dump(mode="json"),
        "adapter": config.adapter.model_dump(mode="json", include={"placement", "positions"}),
        "train": config.train.model_dump(mode="json", include={"batch_size", "optimizer", "precision", "device"}),
    }
    return f"{config.method} {same}"


def measured(store: Store, kinds: Iterable[Kind]) -> dict[Kind, Pace]:
    """The pace of those kinds of which the store has finished runs: the median of seconds per epoch."""
    epoch_seconds: dict[Kind, list[float]] = {wanted: [] for wanted in kinds}
    for run in store.list():
        if run.phase != "finished" or run.seconds is None:
            continue
        try:
            config = store.config(run.id)
        except ConfigError:
            continue
        if (of := kind(config)) in epoch_seconds and config.branch is None:  # a branch did only the end of its cycles
            epoch_seconds[of].append(run.seconds / plan(config).total_epochs)
    return {of: Pace(median(seconds), len(seconds)) for of, seconds in epoch_seconds.items() if seconds}


def checked(config: RunConfig, report: CheckReport) -> Pace:
    """The pace that a check found for a whole run of that config."""
    return Pace(((report.seconds or 0) - report.start_seconds) / plan(config).total_epochs, 0)


def unknown_kinds(planned: Sequence[Planned], paces: Mapping[Kind, Pace], retry_failed: bool) -> list[RunConfig]:
    """One config of each kind that is to be started and of which no pace is known: what must be checked first."""
    of = {kind(p.config): p.config for p in reversed(planned) if p.is_to_start(retry_failed)}
    return [config for name, config in of.items() if name not in paces]


def seconds_of(config: RunConfig, paces: Mapping[Kind, Pace]) -> float | None:
    pace = paces.get(kind(config))
    return None if pace is None else START_SECONDS + pace.seconds * plan(config).total_epochs


def seconds_left(planned: Iterable[Planned], paces: Mapping[Kind, Pace], slots: int) -> float | None:
    """Until all of these have ended, `slots` at a time. None where the pace of one is not known."""
    left = 0.0
    for p in planned:
        seconds = seconds_of(p.config, paces)
        if seconds is None:
            return None
        left += seconds * (1 - (p.run.progress if p.run else 0))
    return left / slots


def source_in_words(configs: Iterable[RunConfig], paces: Mapping[Kind, Pace]) -> str:
    """Where the estimate for these comes from, in words."""
    used = [paces[of] for of in {kind(config) for config in configs} if of in paces]
    runs = sum(pace.runs for pace in used)
    parts = (
        [f"{runs} finished run{'s' * (runs != 1)} of the same method, backbone, data and batch size"] if runs else []
    )
    if any(pace.runs == 0 for pace in used):
        parts.append("a check that timed a few batches")
    return " and ".join(parts)
