"""The report of a group of runs, such as a sweep: settings compared over seeds, and whether seeds agree on layers."""

from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mimi_core import __version__
from mimi_core.analysis.common import svg, words
from mimi_core.analysis.common.agreement import LAYERS_HELP, Agreement, Survival, agreement, survival
from mimi_core.analysis.common.labels import Layer, layers
from mimi_core.analysis.common.statistics import INTERVALS, one_per_seed
from mimi_core.analysis.compare import words as comparison_words
from mimi_core.analysis.compare.contrasts import MEASURES, levels_table, pairs_table, usual_reference
from mimi_core.analysis.overview.groups import Variant, accuracies, variants
from mimi_core.analysis.report import pictures
from mimi_core.analysis.report.page import drawn, render
from mimi_core.analysis.report.run import Table, as_yaml, moment
from mimi_core.config import RunConfig
from mimi_core.config.settings import nested, settings, value_at
from mimi_core.errors import ConfigError, RunError
from mimi_core.runs.status import ENDED, FAILED, WITH_A_MESSAGE
from mimi_core.runs.store import RunSummary, Store

MOST_RUNS, MOST_PICTURES, MOST_SETTINGS = 200, 40, 40
"""A report stays small and readable; it says what it leaves out."""


@dataclass(frozen=True)
class SurvivalCounts:
    """Of the finished runs of a setting, one for each seed: which layers had an adapter at the end."""

    label: str
    named: list[Layer]
    survival: Survival
    alike: Agreement | None
    """None for a single seed."""


def group_report(store: Store, group: str) -> str:
    """An HTML file about all runs of a group. The same files give the same report, to the byte.

    Raises:
        RunError: no run is in that group.
    """
    runs = sorted((run for run in store.list() if run.group and run.group == group), key=lambda r: (r.created, r.id))
    if not runs:
        raise RunError(f"no run is of a group {group[:100]!r} in {store.directory}")
    configs: dict[str, RunConfig] = {}
    for run in runs:
        try:
            configs[run.id] = store.config(run.id)
        except ConfigError:
            continue  # listed among the runs as broken
    compared = variants([(run, configs[run.id]) for run in runs if run.id in configs])
    shown = compared[:MOST_SETTINGS]
    kept = [told for variant in shown if (told := _kept(store, variant)) is not None]
    headline, story = _finding(compared)
    return render(
        "group.html.j2",
        {
            "version": __version__,
            "kind": "MiMi Studio · report of a group of runs",
            "title": f"{group}: {headline}" if headline else group,
            "name": group,
            "facts": [words.count(len(runs), "run"), *_tasks(runs), f"{moment(runs[0].created)} and later"],
            "notes": _notes(runs, compared),
            "headline": headline,
            "story": story,
            "source": words.count(len(runs), "run"),
            "numbers": _numbers(runs, compared),
            "strips": drawn(pictures.strips(reached)) if (reached := accuracies(shown)).order else None,
            "settings": _settings(shown) if any(v.finished for v in shown) else None,
            "differences": _differences(shown) if len(compared) > 1 else None,
            "survival": drawn(pictures.survival(kept[0].named, {k.label: k.survival for k in kept}))
            if _comparable(kept)
            else None,
            "agreement": _agreement(kept),
            "layers_help": LAYERS_HELP,
            "interval": INTERVALS["t"],
            **_runs(store, runs, compared),
            "config": _common(list(configs.values())),
            "versions": _versions(store, runs),
        },
    )


# --- in words ---------------------------------------------------------------------------------------------------------


def _finding(compared: list[Variant]) -> tuple[str, str]:
    """What Ablations says of the same runs."""
    levels, measure = accuracies(compared), MEASURES["accuracy"]
    if not levels.order:
        return "No run has finished yet", "Accuracies are compared once some have."
    if len(levels.order) == 1:
        (only,) = (variant.accuracy for variant in compared if variant.label in levels.order)
        headline = f"Test accuracy {words.percent_interval(only)} over {words.count(only.n, 'seed')}"
        return headline, "All runs have the same setting; they differ in their seeds."
    means = levels_table(levels, measure, "t")
    pairs = pairs_table(levels, measure, usual_reference(levels.order), "t")
    highest = [comparison_words.highest(means, measure)] if len(pairs) == 1 else []  # told with more pairs anyhow
    headline = comparison_words.headline(means, pairs, measure)
    return headline, " ".join([*highest, comparison_words.finding(means, pairs, measure)])


def _agreement(kept: list[SurvivalCounts]) -> str:
    parts = []
    for told in [k for k in kept if k.alike is not None][:6]:
        always, sometimes = len(told.survival.always_lost), len(told.survival.sometimes)
        if always + sometimes == 0:
            parts.append(f"{told.label}: no run lost an adapter.")
            continue
        assert told.alike is not None
        parts.append(
            f"{told.label}: {always} of {words.count(len(told.named), 'layer')} lost their adapter in all "
            f"{told.survival.runs} runs, {sometimes} in some of them; the layers that any two keep are the same to "
            f"{words.percent(told.alike.layers, 0)}, by chance to {words.percent(told.alike.by_chance, 0)}."
        )
    return " ".join(parts)


def _notes(runs: list[RunSummary], compared: list[Variant]) -> list[dict[str, str]]:
    notes = []
    bad = sum(run.phase in FAILED for run in runs)
    live = sum(run.phase not in ENDED for run in runs)
    if bad:
        notes.append(("Not all finished:", f"{words.count(bad, 'run')} failed or broke off; see the table of runs."))
    if live:
        notes.append(("Still going on:", f"{words.count(live, 'run')} of this group; what follows is without them."))
    if len(compared) > MOST_SETTINGS:
        notes.append(
            ("Shortened:", f"{len(compared) - MOST_SETTINGS} of {len(compared)} settings are left out of the figures.")
        )
    return [{"title": title, "text": text} for title, text in notes]


def _tasks(runs: list[RunSummary]) -> list[str]:
    return sorted({f"{run.data} · {run.backbone}" for run in runs})[:4]


# --- in numbers -------------------------------------------------------------------------------------------------------


def _numbers(runs: list[RunSummary], compared: list[Variant]) -> list[dict[str, str]]:
    finished = [run for run in runs if run.phase == "finished"]
    facts = [
        ("Runs finished", f"{len(finished)} of {len(runs)}", ""),
        ("Settings", str(len(compared)), ""),
        ("Seeds", str(len({seed for variant in compared for seed in variant.seeds.values()})), ""),
    ]
    if seconds := [run.seconds for run in finished if run.seconds]:
        facts.append(("Time", words.duration(fmean(seconds)), "mean of a run"))
    return [{"what": what, "value": value, "more": more} for what, value, more in facts]


def _settings(compared: list[Variant]) -> Table:
    rows = []
    for variant in compared:
        reached, runs = variant.accuracy, variant.finished
        rows.append(
            [
                variant.label,
                f"{len(runs)} of {len(variant.runs)}",
                words.percent_interval(reached),
                words.points(reached.std),
                words.amount_interval(variant.over_seeds(lambda run: run.trained_parameters)),
                words.amount_interval(variant.over_seeds(lambda run: run.neurons if run.sites else None)),
                words.amount_interval(variant.over_seeds(lambda run: run.removed if run.sites else None), 1),
                words.duration(fmean(seconds)) if (seconds := [run.seconds for run in runs if run.seconds]) else "–",
            ]
        )
    columns = ["Setting", "Runs", "Test accuracy", "Std", "Trained parameters", "Neurons left", "Adapters gone", "Time"]
    return {"columns": columns, "text": ["Setting"], "rows": rows}


def _differences(compared: list[Variant]) -> Table | None:
    paths = list(compared[0].settings)
    rows = [[variant.label, *(variant.settings[path] for path in paths)] for variant in compared]
    return {"columns": ["Setting", *paths], "text": ["Setting", *paths], "rows": rows}


def _kept(store: Store, variant: Variant) -> SurvivalCounts | None:
    """None for a setting without cuts, or whose runs have different layers."""
    cut = [run for run in variant.finished if run.sites and run.cycle]
    finished = one_per_seed(cut, lambda run: variant.seeds[run.id])
    states = [store.state(run.id) for run in finished]
    if not states or any(state.sites != states[0].sites for state in states):
        return None
    named = layers(states[0].sites)
    last = [state.widths[-1] for state in states]
    survived = survival(last, [layer.site for layer in named])
    return SurvivalCounts(variant.label, named, survived, agreement(last) if len(states) > 1 else None)


def _comparable(kept: list[SurvivalCounts]) -> bool:
    return any(k.survival.runs > 1 for k in kept) and all(k.named == kept[0].named for k in kept)


def _runs(store: Store, runs: list[RunSummary], compared: list[Variant]) -> dict[str, Any]:
    labels = {run.id: variant.label for variant in compared for run in variant.runs}
    pictured = [run.id for run in runs if run.sites and run.cycle][:MOST_PICTURES]
    rows: list[dict[str, Any]] = []
    for run in runs[:MOST_RUNS]:
        picture: Any = ""
        if run.id in pictured:
            state, said = store.state(run.id), f"{run.removed} of {words.count(run.sites, 'adapter')} gone"
            rain = svg.rain(layers(state.sites), state.widths, run.cycles, said, f"rain-{len(rows)}", size=(150, 40))
            picture = drawn(rain)
        rows.append(
            {
                "name": run.title,
                "id": run.id,
                "setting": labels.get(run.id, "–"),
                "seed": run.seed,
                "state": run.phase,
                "message": run.message if run.phase in WITH_A_MESSAGE else "",
                "accuracy": words.percent(run.accuracy),
                "parameters": "–" if run.trained_parameters is None else f"{run.trained_parameters:,}",
                "gone": f"{run.removed} of {run.sites}" if run.cycle else "–",
                "picture": picture,
            }
        )
    left_out = f"{len(runs) - MOST_RUNS:,} more runs are left out." if len(runs) > MOST_RUNS else ""
    return {"runs": rows, "pictures": bool(pictured), "left_out": left_out}


def _common(configs: list[RunConfig]) -> str:
    """The settings that all runs share, as YAML."""
    if not configs:
        return ""
    first = configs[0].model_dump(mode="json", exclude={"versions"})
    shared = [
        path
        for path in settings()
        if path not in ("name", "group") and all(value_at(c, path) == value_at(configs[0], path) for c in configs)
    ]

    def stored(path: str) -> Any:
        section, _, field = path.rpartition(".")
        return (first[section] if section else first)[field]

    return as_yaml(nested({path: stored(path) for path in shared}))


def _versions(store: Store, runs: list[RunSummary]) -> Table:
    """Every version and device that was used, with the number of runs."""
    seen: Counter[tuple[str, str]] = Counter()
    for run in runs[:MOST_RUNS]:
        started = store.state(run.id).started
        if started:
            seen.update((started.versions | {"device": started.device}).items())
    rows = [[what, version, f"{number:,}"] for (what, version), number in seen.items()]
    return {"columns": ["What", "Version", "Runs"], "text": ["What", "Version"], "rows": rows}
