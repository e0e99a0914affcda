"""`suite`: an experiment over many datasets, run on what is there, as a table beside published results."""

from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.markup import escape

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
from mimi_core.cli.common import RUNS, RunsOption, out, require_app
from mimi_core.config import RunConfig
from mimi_core.errors import DataError
from mimi_core.runs.store import Store
from mimi_core.sweeps import matching
from mimi_core.sweeps.estimate import Kind
from mimi_core.sweeps.suites import SUITES, Prepared, prepare


def suite(
    name: Annotated[str | None, typer.Argument(help=f"one of: {', '.join(SUITES)}; none: tell what is there")] = None,
    root: Annotated[
        Path | None, typer.Option(help="folder of the datasets; none: what MIMI_DATA says, or datasets/")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="section.key=value for all runs; a list varies: method=[mimi,lora]; repeatable"),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="0,1,2; or a number n, for 0 .. n - 1")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="let runs fetch what is missing, where they can")
    ] = False,
    runs: RunsOption = RUNS,
    here: HereOption = False,
    wait: WaitOption = True,
    retry_failed: RetryOption = False,
    dry_run: DryRunOption = False,
    csv: Annotated[Path | None, typer.Option(help="write the accuracy of every run to this file, too")] = None,
) -> None:
    """The paper's experiments: run what is not there yet of a suite, and show its table beside published results."""
    if name is None:
        for known in SUITES:
            _tell(known, prepare(known, root, fetch=download))
        return
    require_app("the table of a suite")
    from mimi_core.cli.suite_tables import show_tables

    wanted = prepare(name, root, set_ or [], yaml.safe_load(listed_seeds(seeds)) if seeds else None, download)
    _tell(name, wanted)
    out.print(escape(wanted.suite.protocol))
    if wanted.changed:
        out.print(escape(f"These runs are set otherwise: {words.listed(wanted.changed)}."))
    if not wanted.present:
        raise DataError(f"none of the datasets of the suite {name} is there: see above how to get them")
    store = Store(runs)
    planned = carry_out(store, wanted.runs, here, wait, retry_failed, dry_run, _kind)
    done = planned if planned is not None else matching.compare(store, wanted.runs)
    show_tables(store, wanted, done, csv)
    if planned is not None:
        exit_unless_finished(planned)


def _tell(name: str, wanted: Prepared) -> None:
    """What is there of a suite's data, and how to get the rest."""
    total = len(wanted.present) + len(wanted.missing)
    out.print(f"{escape(name)}: {escape(wanted.suite.title)}. {len(wanted.present)} of {total} datasets are there.")
    families: dict[str, list[str]] = {}
    for data in wanted.missing:
        families.setdefault(data.partition(":")[0] if ":" in data else data, []).append(data)
    for names in families.values():
        more = f" The same for {words.listed(names[1:])}." if len(names) > 1 else ""
        out.print(escape(f"  missing: {wanted.missing[names[0]]}.{more}"))


def _kind(config: RunConfig) -> Kind:
    """Runs of one method and backbone are checked on one dataset only: nineteen checks would take long."""
    return f"{config.method} {config.backbone.model_dump_json()}"
