"""`findings`: docs/findings.md from the study's runs, and the study itself, in as many sittings as it takes."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.carry_out import carry_out
from mimi_core.cli.common import out, require_app
from mimi_core.runs.store import Store
from mimi_core.sweeps.sweep import expand

STUDY, PLAN, DOCS = Path("assets/study"), Path("assets/planned"), Path("docs")


def findings(
    run: Annotated[
        bool, typer.Option("--run", help="first do what is missing of the study, through the queue")
    ] = False,
    runs: Annotated[Path, typer.Option("--study", help="folder of the study's runs")] = STUDY,
    plan: Annotated[Path, typer.Option("--plan", help="folder of the planned study's runs")] = PLAN,
    folder: Annotated[Path, typer.Option("--output", "-o", help="folder for findings.md and its pictures")] = DOCS,
) -> None:
    """What the study says of the claims about MiMi. Given again, it starts only what is missing of the study."""
    require_app("the page of findings")
    from mimi_core.study import write_findings
    from mimi_core.study.design import study

    store = Store(runs)
    for sweep in study() if run else []:
        out.print(escape(sweep.question))
        carry_out(store, expand(sweep), here=False, wait=True, retry_failed=True, dry_run=False)
    page, evidence = write_findings(store, Store(plan), folder)
    out.print(f"{escape(str(page))}: from {evidence.finished} of {evidence.planned} runs")
