"""`sweep`: all runs of a question, each once."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mimi_core.analysis.common import words
from mimi_core.cli.carry_out import (
    DryRunOption,
    HereOption,
    RetryOption,
    WaitOption,
    carry_out,
    exit_unless_finished,
    listed_seeds,
)
from mimi_core.cli.common import RUNS, RunsOption, out, percent_unspaced, require_app, spread
from mimi_core.config.text import read_config_file
from mimi_core.errors import ConfigError
from mimi_core.runs.store import Store
from mimi_core.sweeps.matching import Planned
from mimi_core.sweeps.questions import QUESTIONS
from mimi_core.sweeps.sweep import expand, make_sweep


def sweep(
    file: Annotated[Path | None, typer.Argument(help="YAML file with name, grid or cases, and seeds")] = None,
    preset: Annotated[str | None, typer.Option(help=f"a question: {', '.join(QUESTIONS)}")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="base.section.key=value, or any key of the file; repeatable")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="0,1,2; or a number n, for 0 .. n - 1")] = None,
    runs: RunsOption = RUNS,
    here: HereOption = False,
    wait: WaitOption = True,
    retry_failed: RetryOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Many runs for one question. Given again, it starts only what is missing and resumes what was stopped."""
    if file is None and preset is None and not set_:
        raise ConfigError(f"name a sweep file, or --preset with one of: {', '.join(QUESTIONS)}")
    require_app("the table of a sweep")
    assignments = [*(set_ or []), *([f"seeds={listed_seeds(seeds)}"] if seeds else [])]
    wanted = make_sweep(read_config_file(file) if file else None, preset, assignments)
    if wanted.question:
        out.print(escape(wanted.question))
    store = Store(runs)
    planned = carry_out(store, expand(wanted), here, wait, retry_failed, dry_run)
    if planned is not None:
        out.print(_results(store, planned))
        exit_unless_finished(planned)


def _results(store: Store, planned: Sequence[Planned]) -> Table:
    """Every case over its seeds: test accuracy with half of its interval, and means of what it took."""
    from mimi_core.analysis.common.statistics import by_seed, of_setting
    from mimi_core.analysis.compare.tables import facts

    table = Table(box=None, pad_edge=False)
    for column in ("case", "n", "accuracy", "±", "parameters", "without head", "epochs", "time", "memory"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name in dict.fromkeys(p.config.name for p in planned):
        runs = [p for p in planned if p.config.name == name]
        told = [facts(p.run, p.config, store.state(p.run.id), store.status(p.run.id)) for p in runs if p.run]
        done = [fact for fact in told if fact]
        accuracy = of_setting(by_seed((fact.seeds, fact.accuracy) for fact in done))
        cells = [str(accuracy.n)]
        if done:
            known = [fact.memory for fact in done if not isnan(fact.memory)]
            cells += [
                percent_unspaced(accuracy.mean),
                spread(accuracy),
                words.decimal(fmean(fact.points[-1].parameters for fact in done), 0),
                words.decimal(fmean(fact.points[-1].parameters - fact.head for fact in done), 0),
                words.decimal(fmean(fact.epochs for fact in done), 0),
                words.duration(fmean(fact.seconds for fact in done)),
                words.size(fmean(known)) if known else "",
            ]
        table.add_row(escape(name), *cells)
    return table
