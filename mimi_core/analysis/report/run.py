"""The report of one run: what its files say, as texts, tables and pictures for the template."""

import shlex
import time
from math import isinf
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mimi_core import __version__
from mimi_core.analysis.common import gain, tables, words
from mimi_core.analysis.common.svg import Element
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.compare.design import worded
from mimi_core.analysis.monitor.curves import curves_table, total_steps
from mimi_core.analysis.overview import cards
from mimi_core.analysis.report import pictures
from mimi_core.analysis.report.page import drawn, render
from mimi_core.analysis.report.worth import worth
from mimi_core.config import PRESETS, RunConfig, differences, make_config
from mimi_core.errors import ConfigError, MimiError, RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import RunSummary, Store

MOST_LOST = 12
"""So many layers that one cut emptied are named; the table of widths has them all."""
MOST_LAYERS = 1000
"""A picture of more could not be read; the table of widths has them all."""
MOST_WARNINGS, LONGEST_WARNING = 50, 2000
"""So many are told, and so many characters of each."""
Table = dict[str, Any]


def run_report(store: Store, run_id: str) -> str:
    """An HTML file about a run, finished or not. The same files give the same report, to the byte.

    Raises:
        RunError: there is no such run, or neither its settings nor its events can be read.
    """
    run, state = store.summary(run_id), store.state(run_id)
    try:
        config = store.config(run_id)
    except ConfigError:
        config = None
    if config is None and state.started is None:
        raise RunError(f"nothing can be read of {run_id}: its config and its events are missing or broken")
    headline, story = cards.finding_so_far(run, state)
    cycles = tables.cycles_table(state)
    widths = tables.widths_table(state)
    valued, unread = _worth(store.folder(run_id), state)
    return render(
        "run.html.j2",
        {
            "version": __version__,
            "kind": "MiMi Studio · report of a run",
            "title": f"{run.title}: {headline}" if headline else run.title,
            "name": run.title,
            "facts": _facts(run, state),
            "notes": [*_notes(run, state), *unread],
            "headline": headline,
            "story": " ".join(filter(None, [story, gain.of_run(run.folder, state)])),
            "source": f"run {run.id}",
            "numbers": _numbers(run, state, cycles),
            "heatmap": drawn(pictures.heatmap(widths, cycles, state.total_cuts))
            if 0 < len(state.sites) <= MOST_LAYERS
            else None,
            "course": drawn(pictures.course(cycles)) if state.cuts and cycles["after"].notna().any() else None,
            "cuts": _cuts(cycles, tables.removed_table(widths)) if state.cuts else None,
            "worth": valued,
            "learning": drawn(_learning(state, config)) if state.epochs else None,
            "widths": _widths(widths) if state.sites else None,
            **_settings(config, state),
            "versions": _versions(config, state),
        },
    )


def _worth(run: Path, state: RunState) -> tuple[Table | None, list[dict[str, str]]]:
    try:
        return worth(run, state), []
    except MimiError as error:
        return None, [{"title": "Left out, what the adapters were worth:", "text": f"{error}."}]


def moment(seconds: float) -> str:
    """A time in words, the same on every machine."""
    try:
        return time.strftime("%d %b %Y %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "unknown time"


def _facts(run: RunSummary, state: RunState) -> list[str]:
    begun = state.started.time if state.started else run.created
    seed = f"seed {run.seed}"
    return [run.data, run.backbone, worded("method", run.method), seed, moment(begun), run.phase]


def _notes(run: RunSummary, state: RunState) -> list[dict[str, str]]:
    """What a reader must know before believing the numbers."""
    said = {
        "failed": ("The run failed.", run.message),
        "died": ("The run broke off.", "Its worker was gone without having ended it; what follows is until then."),
        "stopped": ("The run was stopped.", "What follows is until then; it can be resumed."),
        "broken": ("Some of the run's files cannot be read.", run.message),
        "queued": ("The run has not begun.", "It waits for a free slot."),
    }
    notes = [said[run.phase]] if run.phase in said else []
    if run.phase not in ENDED and run.phase != "queued":
        notes = [("The run is still going on.", f"What follows is its state at {percent(run.progress, 0)}.")]
    if state.unreadable_lines:
        lines = words.count(state.unreadable_lines, "line")
        why = f"; the first: {state.fault}" if state.fault else ""
        notes.append(("Left out, because unreadable:", f"{lines} of the event file{why}."))
    if len(state.sites) > MOST_LAYERS:
        notes.append(("No picture of the widths:", f"{len(state.sites):,} layers; their table has them all."))
    notes += [("Warning:", warning.message[:LONGEST_WARNING]) for warning in state.warnings[:MOST_WARNINGS]]
    if rest := len(state.warnings[MOST_WARNINGS:]) + state.further_warnings:
        notes.append(("Warnings:", f"{rest:,} more in the run's log."))
    return [{"title": title, "text": text} for title, text in notes]


def _numbers(run: RunSummary, state: RunState, cycles: pd.DataFrame) -> list[dict[str, str]]:
    numbers: list[tuple[str, str, str]] = []
    if run.accuracy is not None:
        start = cycles["after"].iloc[0] if len(cycles) else None
        before = f"{percent(start)} before the first cut" if state.cuts and not pd.isna(start) else ""
        numbers.append(("Test accuracy", percent(run.accuracy), before))
    if state.started and run.trained_parameters is not None:
        of = state.started.trained_parameters
        kept = f"{percent(run.trained_parameters / of)} of {of:,}" if state.cuts and of else ""
        numbers.append(("Trained parameters", f"{run.trained_parameters:,}", kept or "head included"))
    if run.sites:
        gone = f"{run.removed} of {run.sites}" if state.cuts else str(run.sites)
        numbers.append(("Adapters gone" if state.cuts else "Adapters", gone, ""))
        numbers.append(("Neurons left", f"{run.neurons:,}", f"of {run.neurons_at_start:,}"))
    if state.ended:
        numbers.append(
            ("Time", words.duration(state.ended.seconds), f"on {state.started.device}" if state.started else "")
        )
    if state.started:
        sizes = dict(state.started.split_sizes)
        train = sizes.pop("train", 0)
        numbers.append(("Training images", f"{train:,}", ", ".join(f"{n:,} {split}" for split, n in sizes.items())))
    return [{"what": what, "value": value, "more": more} for what, value, more in numbers]


def _cuts(cycles: pd.DataFrame, removed: pd.DataFrame) -> Table:
    rows = []
    for row in cycles.itertuples(index=False):
        lost = list(removed.loc[removed["cut"] == row.cycle, "label"])
        named = [*lost[:MOST_LOST], *([f"{len(lost) - MOST_LOST} more"] if len(lost) > MOST_LOST else [])]
        rows.append(
            [
                f"cut {row.cycle}" if row.cycle else "start",
                f"{row.neurons:,}",
                "∞" if isinf(row.sigma) else f"{row.sigma:.3g}",
                "–" if pd.isna(row.trained_parameters) else f"{int(row.trained_parameters):,}",
                percent(row.before),
                percent(row.cut),
                percent(row.after),
                ", ".join(named) or "–",
            ]
        )
    columns = [
        "",
        "Neurons",
        "σ",
        "Trained parameters",
        "Before",
        "Right after",
        "After training",
        "Adapters that went",
    ]
    return {"columns": columns, "text": [columns[-1]], "rows": rows}


def _learning(state: RunState, config: RunConfig | None) -> Element:
    steps = total_steps(state, config) if config else len(state.epochs)
    return pictures.learning(curves_table(state), steps, state.total_cuts)


def _widths(widths: pd.DataFrame) -> Table:
    labels = widths.drop_duplicates("site").set_index("site")["label"]
    neurons = widths.pivot(index="site", columns="cycle", values="neurons").reindex(labels.index)
    rows = [[labels[site], *("gone" if n == 0 else str(n) for n in row)] for site, row in neurons.iterrows()]
    return {
        "columns": ["Layer", *(f"cut {k}" if k else "start" for k in neurons.columns)],
        "text": ["Layer"],
        "rows": rows,
    }


def _settings(config: RunConfig | None, state: RunState) -> dict[str, str]:
    if config is None:
        known = (
            {key: value for key, value in state.started.config.items() if key != "versions"} if state.started else {}
        )
        return {"command": "", "nearest": "", "config": as_yaml(known)}
    preset, changes = nearest_preset(config)
    what = ", ".join(changes) if changes else "nothing"
    told = f"Different from the preset “{preset}”: {what}."
    if config.branch:
        told = f"A branch: it goes on from the end of cycle {config.branch.cycle} of run {config.branch.run}. {told}"
    sets = [part for change in changes for part in ("--set", change)]
    command = ["python", "-m", "mimi_core", "run", "--preset", preset, *sets]
    return {
        "command": "" if config.branch else shlex.join(command),
        "nearest": told,
        "config": as_yaml(config.model_dump(mode="json", exclude={"versions"})),
    }


def nearest_preset(config: RunConfig) -> tuple[str, list[str]]:
    """The preset with the fewest differences, and these as `a.b=value`."""
    changes = {preset: differences(config, make_config(preset=preset)) for preset in PRESETS}
    nearest = min(changes, key=lambda preset: len(changes[preset]))
    return nearest, changes[nearest]


def as_yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _versions(config: RunConfig | None, state: RunState) -> Table:
    known = state.started.versions if state.started else config.versions if config else {}
    device = [["device", state.started.device]] if state.started else []
    return {"columns": ["What", "Version"], "text": ["What", "Version"], "rows": [*map(list, known.items()), *device]}
