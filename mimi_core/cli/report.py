"""`report`: one HTML file about a run or a group of runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.common import RUNS, RunsOption, out, require_app
from mimi_core.errors import RunError
from mimi_core.runs import files
from mimi_core.runs.store import Store


def report(
    run_or_group: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write; one that is there is replaced")],
    runs: RunsOption = RUNS,
) -> None:
    """One HTML file about a run, or about all runs of a group: offline, printable, without scripts."""
    require_app("a report")
    from mimi_core.analysis.report import group_report, run_report

    store = Store(runs)
    try:
        store.folder(run_or_group)
    except RunError as error:
        groups = {run.group for run in store.list() if run.group}
        if run_or_group not in groups:
            known = f"; groups: {', '.join(sorted(groups)[:8])}" if groups else ""
            raise RunError(f"{error}{known}") from error
        page = group_report(store, run_or_group)
    else:
        page = run_report(store, run_or_group)
    files.write_text(output, page)
    out.print(f"{escape(str(output))}: {len(page.encode()) / 1000:,.0f} kB")
