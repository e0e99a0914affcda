"""`ls` and `show`: the runs of a folder, and one of them."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mimi_core.cli.common import RUNS, RunsOption, out, percent_unspaced
from mimi_core.runs.describe import describe_wait
from mimi_core.runs.queue.dispatcher import wake
from mimi_core.runs.status import WITH_PROGRESS
from mimi_core.runs.store import RunSummary, Store

_MOST_WARNINGS = 50


def list_runs(
    runs: RunsOption = RUNS, as_json: Annotated[bool, typer.Option("--json", help="one JSON list")] = False
) -> None:
    """List the runs, newest first."""
    store = Store(runs)
    summaries = store.list()
    wake(store)
    if as_json:
        print(json.dumps([_as_dict(run) for run in summaries], indent=1))
        return
    if not summaries:
        out.print(f"no runs in {escape(str(runs))} yet; try: python -m mimi_core run --preset demo")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "method", "backbone", "data", "cut", "neurons", "gone", "accuracy"):
        table.add_column(column, justify="right" if column in ("neurons", "gone", "accuracy") else "left")
    for run in summaries:
        table.add_row(
            run.id,
            _state(run),
            run.method,
            escape(run.backbone),
            escape(run.data),
            f"{run.cycle}/{run.cycles}",
            f"{run.neurons}/{run.neurons_at_start}",
            f"{run.removed}/{run.sites}",
            percent_unspaced(run.accuracy),
        )
    out.print(table)


def show(run_id: str, runs: RunsOption = RUNS) -> None:
    """One run: where it is, the widths after every cut, and its accuracy."""
    store = Store(runs)
    summary, state = store.summary(run_id), store.state(run_id)
    out.print(f"{summary.id}  {summary.phase}  {percent_unspaced(summary.progress, 0)}  {escape(summary.message)}")
    if state.widths and state.sites:
        table = Table(box=None, pad_edge=False)
        table.add_column("adapter")
        for cut in range(len(state.widths)):
            table.add_column("start" if cut == 0 else f"cut {cut}", justify="right")
        for site in state.sites:
            table.add_row(
                site.name, *("gone" if widths[site.name] == 0 else str(widths[site.name]) for widths in state.widths)
            )
        out.print(table)
    for e in state.evaluations:
        out.print(
            f"cycle {e.cycle}  {'after the cut' if e.stage == 'cut' else 'trained':13}  {e.split:4}  "
            f"{percent_unspaced(e.accuracy)}"
        )
    for warning in state.warnings[:_MOST_WARNINGS]:
        out.print(f"warning: {escape(warning.message)}")
    if rest := len(state.warnings[_MOST_WARNINGS:]) + state.further_warnings:
        out.print(f"{rest:,} more warnings are in the log")
    if state.unreadable_lines:
        out.print(f"{state.unreadable_lines:,} lines of the event file left out {escape(state.fault)}".rstrip())
    if summary.phase in ("failed", "died"):
        out.print(escape(store.log_tail(run_id, 10)))


def _state(run: RunSummary) -> str:
    if run.phase in WITH_PROGRESS:
        return f"{run.phase} {percent_unspaced(run.progress, 0)}"
    if run.phase == "died":
        told = "goes on in a moment" if run.is_orphan else run.message
    else:
        told = describe_wait(run.deaths, run.retry_at)
    return escape(f"{run.phase}{', ' * bool(told)}{told}")


def _as_dict(run: RunSummary) -> dict[str, object]:
    return {**vars(run), "folder": str(run.folder)}
