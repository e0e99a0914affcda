"""`study`: the planned study, docs/study-plan.md, stage by stage, in as many sittings as it takes."""

from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.carry_out import carry_out
from mimi_core.cli.common import RUNS, RunsOption, out, require_app
from mimi_core.runs.store import Store


def study(
    runs: RunsOption = RUNS,
    most: Annotated[int, typer.Option("--stages", min=1, help="at most so many that have anything to do")] = 10_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what there is to do of the next stage")] = False,
) -> None:
    """Make the runs of docs/study-plan.md. Given again, it goes on where it was."""
    require_app("the study")
    from mimi_core.study.plan import stages
    from mimi_core.sweeps.matching import compare

    store = Store(runs)
    for stage in stages():
        configs = stage.runs(store)
        if all(planned.phase == "finished" for planned in compare(store, configs)):
            continue
        out.print(f"[bold]{escape(stage.name)}[/bold]")
        carry_out(store, configs, here=False, wait=True, retry_failed=True, dry_run=dry_run)
        most -= 1
        if dry_run or not most:
            break
