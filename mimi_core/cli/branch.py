"""`branch`: a new run from the end of another run's cycle."""

from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.common import RUNS, RunsOption, out
from mimi_core.runs.store import Store


def branch(
    run_id: str,
    cycle: Annotated[int, typer.Option(help="go on from the end of this cycle; 0 is before the first cut")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="what changes: prune.*, train.*, name, group or seed; repeatable")
    ] = None,
    runs: RunsOption = RUNS,
) -> None:
    """Queue a new run that goes on from a cycle of another one, cutting differently from there. Prints its id."""
    from mimi_core.runs.control import branch_off

    out.print(escape(branch_off(Store(runs), run_id, cycle, set_ or [], Store(runs))))
