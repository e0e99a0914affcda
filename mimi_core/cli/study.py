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
    power: Annotated[
        bool, typer.Option("--power", help="how much would show at the spread seen in tuning; make no runs")
    ] = False,
) -> None:
    """Make the runs of docs/study-plan.md. Given again, it goes on where it was."""
    require_app("the study")
    from mimi_core.study.plan import SEEDS
    from mimi_core.study.power import said
    from mimi_core.study.stages import PlanRuns, stages
    from mimi_core.study.tuning_spread import spread_in_tuning

    store = Store(runs)
    if power:
        for line in said(spread_in_tuning(PlanRuns(store)), len(SEEDS)):
            out.print(escape(line))
        return
    for stage in stages():
        for attempt in range(2):  # what fails is made once more
            made = PlanRuns(store)
            configs = stage.runs(made)
            if all(map(made.has_settled, made.planned(configs))):
                break
            if not attempt:
                most -= 1
                out.print(f"[bold]{escape(stage.name)}[/bold]")
            carry_out(store, configs, here=False, wait=True, retry_failed=True, dry_run=dry_run)
            if dry_run:
                return
        if not most:
            return
