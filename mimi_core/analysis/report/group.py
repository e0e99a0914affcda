"""The report of a group of runs, such as a sweep: settings compared over seeds, and whether seeds agree on layers."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from math import nan
from statistics import fmean
from typing import Any

from mimi_core import __version__
from mimi_core.analysis.common import svg, words
from mimi_core.analysis.common.labels import Layer, layers
from mimi_core.analysis.common.stats import Interval, mean_interval
from mimi_core.analysis.overview.groups import Variant, variants
from mimi_core.analysis.report import pictures
from mimi_core.analysis.report.page import drawn, render
from mimi_core.analysis.report.run import Table, as_yaml, moment, percent
from mimi_core.config import RunConfig
from mimi_core.config.settings import nested, settings, value_at
from mimi_core.errors import ConfigError, RunError
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import RunSummary, Store

MOST_RUNS, MOST_PICTURES, MOST_SETTINGS = 200, 40, 40
"""A report stays small and readable; it says what it leaves out."""


@dataclass(frozen=True)
class Kept:
    """Of the finished runs of a setting, in how many each layer still had its adapter at the end."""

    label: str
    named: list[Layer]
    number: list[int]
    runs: int
    overlap: float
    """Mean over pairs of runs: layers that both lost, over layers that either lost (Jaccard). NaN without losses."""


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
    found = variants([(run, configs[run.id]) for run in runs if run.id in configs])
    shown = found[:MOST_SETTINGS]
    kept = [told for variant in shown if (told := _kept(store, variant)) is not None]
    headline, story = _finding(found)
    return render(
        "group.html.j2",
        {
            "version": __version__,
            "kind": "MiMi Studio · report of a group of runs",
            "title": f"{group}: {headline}" if headline else group,
            "name": group,
            "facts": [words.count(len(runs), "run"), *_tasks(runs), f"{moment(runs[0].created)} and later"],
            "notes": _notes(runs, found),
            "headline": headline,
            "story": story,
            "source": words.count(len(runs), "run"),
            "numbers": _numbers(runs, found),
            "strips": drawn(pictures.strips([_strip(v) for v in shown])) if any(v.finished for v in shown) else None,
            "settings": _settings(shown) if any(v.finished for v in shown) else None,
            "differences": _differences(shown) if len(found) > 1 else None,
            "survival": drawn(pictures.survival(kept[0].named, [(k.label, k.number, k.runs) for k in kept]))
            if _comparable(kept)
            else None,
            "agreement": _agreement(kept),
            **_runs(store, runs, found),
            "config": _common(list(configs.values())),
            "versions": _versions(store, runs),
        },
    )


# --- in words ---------------------------------------------------------------------------------------------------------


def _finding(found: list[Variant]) -> tuple[str, str]:
    """Which setting has the highest mean, and whose interval overlaps its own."""
    reached = {variant.label: variant.accuracy for variant in found if variant.finished}
    if not reached:
        return "No run has finished yet", "Accuracies are compared once some have."
    best = max(reached, key=lambda label: reached[label].mean)
    top = reached[best]
    said = f"{_said(top)} over {words.count(top.n, 'run')}"
    if len(reached) == 1:
        return f"Test accuracy {said}", "All runs have the same setting; they differ in their seeds."
    headline = f"{best} has the highest mean test accuracy, {said}"
    others = {label: other for label, other in reached.items() if label != best}
    single = [label for label, other in reached.items() if other.n < 2]
    overlapping = [label for label, other in others.items() if top.n > 1 and other.n > 1 and other.high >= top.low]
    parts = []
    if overlapping:
        which = "its interval overlaps" if len(overlapping) == 1 else "their intervals overlap"
        parts.append(f"Close: {words.listed(overlapping[:6])}; {which} that of {best}, so the order may be chance.")
    if single:
        parts.append("A setting with one run has no interval: more seeds would tell.")
    if not parts:
        parts.append("No other setting's interval overlaps that of the best.")
    return headline, " ".join(parts)


def _agreement(kept: list[Kept]) -> str:
    several = [k for k in kept if k.runs > 1]
    parts = []
    for told in several[:6]:
        always = sum(number == 0 for number in told.number)
        sometimes = sum(0 < number < told.runs for number in told.number)
        if always + sometimes == 0:
            parts.append(f"{told.label}: no run lost an adapter.")
            continue
        parts.append(
            f"{told.label}: {always} of {words.count(len(told.number), 'layer')} lost their adapter in all "
            f"{told.runs} runs, {sometimes} in some of them (overlap of any two runs {100 * told.overlap:.0f} %)."
        )
    return " ".join(parts)


def _said(found: Interval) -> str:
    return f"{100 * found.mean:.1f} ± {100 * found.half_width:.1f} %" if found.n > 1 else percent(found.mean)


def _notes(runs: list[RunSummary], found: list[Variant]) -> list[dict[str, str]]:
    notes = []
    bad = sum(run.phase in ("failed", "died", "broken") for run in runs)
    live = sum(run.phase not in ENDED for run in runs)
    if bad:
        notes.append(("Not all finished:", f"{words.count(bad, 'run')} failed or broke off; see the table of runs."))
    if live:
        notes.append(("Still going on:", f"{words.count(live, 'run')} of this group; what follows is without them."))
    if len(found) > MOST_SETTINGS:
        notes.append(
            ("Shortened:", f"{len(found) - MOST_SETTINGS} of {len(found)} settings are left out of the figures.")
        )
    return [{"title": title, "text": text} for title, text in notes]


def _tasks(runs: list[RunSummary]) -> list[str]:
    return sorted({f"{run.data} · {run.backbone}" for run in runs})[:4]


# --- in numbers -------------------------------------------------------------------------------------------------------


def _numbers(runs: list[RunSummary], found: list[Variant]) -> list[dict[str, str]]:
    finished = [run for run in runs if run.phase == "finished"]
    facts = [
        ("Runs finished", f"{len(finished)} of {len(runs)}", ""),
        ("Settings", str(len(found)), ""),
        ("Seeds", str(len({run.seed for run in runs})), ""),
    ]
    if seconds := [run.seconds for run in finished if run.seconds]:
        facts.append(("Time", words.duration(fmean(seconds)), "mean of a run"))
    return [{"what": what, "value": value, "more": more} for what, value, more in facts]


def _strip(variant: Variant) -> pictures.Strip:
    values = [run.accuracy for run in variant.finished if run.accuracy is not None]
    return pictures.Strip(variant.label, values, variant.accuracy)


def _settings(found: list[Variant]) -> Table:
    rows = []
    for variant in found:
        reached, runs = variant.accuracy, variant.finished
        spread = f" ({100 * reached.std:.1f})" if reached.n > 1 else ""
        rows.append(
            [
                variant.label,
                f"{len(runs)} of {len(variant.runs)}",
                f"{_said(reached)}{spread}" if reached.n else "–",
                _mean([run.trained_parameters for run in runs]),
                _mean([run.neurons for run in runs if run.sites]),
                _mean([run.removed for run in runs if run.sites], 1),
                words.duration(fmean(seconds)) if (seconds := [run.seconds for run in runs if run.seconds]) else "–",
            ]
        )
    columns = ["Setting", "Runs", "Test accuracy", "Trained parameters", "Neurons left", "Adapters gone", "Time"]
    return {"columns": columns, "text": ["Setting"], "rows": rows}


def _mean(values: list[int | None] | list[int], digits: int = 0) -> str:
    found = mean_interval([value for value in values if value is not None])
    if not found.n:
        return "–"
    spread = f" ± {found.half_width:,.{digits}f}" if found.n > 1 and found.std else ""
    return f"{found.mean:,.{digits}f}{spread}"


def _differences(found: list[Variant]) -> Table | None:
    paths = list(found[0].settings)
    rows = [[variant.label, *(variant.settings[path] for path in paths)] for variant in found]
    return {"columns": ["Setting", *paths], "text": ["Setting", *paths], "rows": rows}


def _kept(store: Store, variant: Variant) -> Kept | None:
    """None for a setting without cuts, or whose runs have different layers."""
    finished = [run for run in variant.finished if run.sites and run.cycle]
    states = [store.state(run.id) for run in finished]
    if not states or any(state.sites != states[0].sites for state in states):
        return None
    named = layers(states[0].sites)
    last = [state.widths[-1] for state in states]
    lost = [{layer.site for layer in named if not widths.get(layer.site, 0)} for widths in last]
    pairs = [len(a & b) / len(a | b) for a, b in combinations(lost, 2) if a | b]
    number = [sum(layer.site not in gone for gone in lost) for layer in named]
    return Kept(variant.label, named, number, len(states), fmean(pairs) if pairs else nan)


def _comparable(kept: list[Kept]) -> bool:
    return any(k.runs > 1 for k in kept) and all(k.named == kept[0].named for k in kept)


def _runs(store: Store, runs: list[RunSummary], found: list[Variant]) -> dict[str, Any]:
    labels = {run.id: variant.label for variant in found for run in variant.runs}
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
                "message": run.message if run.phase in ("failed", "broken") else "",
                "accuracy": percent(run.accuracy),
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
