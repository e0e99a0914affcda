"""`suite`: an experiment over many datasets, run on what is there, as a table beside published results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
import yaml
from rich.markup import escape
from rich.table import Table

from mimi_core.analysis.common import words
from mimi_core.analysis.compare.tables import Facts, facts, for_spreadsheets
from mimi_core.analysis.trade_off import suites as tables
from mimi_core.analysis.trade_off.references import published_table, read_references
from mimi_core.cli.common import RUNS, RunsOption, err, out
from mimi_core.cli.sweep import (
    DryRunOption,
    HereOption,
    RetryOption,
    WaitOption,
    carry_out,
    exit_unless_finished,
    listed_seeds,
)
from mimi_core.config import RunConfig
from mimi_core.errors import DataError, ResourceError
from mimi_core.resources import REFERENCES
from mimi_core.runs.store import Store
from mimi_core.sweeps import matching
from mimi_core.sweeps.estimate import Kind
from mimi_core.sweeps.matching import Planned
from mimi_core.sweeps.suites import SUITES, Prepared, Suite, prepare


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
    scores = tables.scores_table(_facts(store, done), wanted.varying)
    if len(scores):
        _show(wanted, scores)
        if csv is not None:
            _write(csv, scores)
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


def _facts(store: Store, planned: Sequence[Planned]) -> list[Facts]:
    found = []
    for p in planned:
        if p.run is not None and p.phase == "finished":
            one = facts(p.run, store.config(p.run.id), store.state(p.run.id), store.status(p.run.id))
            found += [one] if one else []
    return found


def _show(wanted: Prepared, scores: pd.DataFrame) -> None:
    suite = wanted.suite
    means = tables.means_table(suite, scores)
    out.print(_results(suite, tables.tasks_table(suite, scores), means))
    references = tables.references_of(suite, read_references(REFERENCES)) if suite.references else None
    if references is None:
        return
    out.print()
    out.print(escape(f"{references.title}: {references.accuracy}. {references.note}"))
    both = tables.beside_published(means, published_table(references))
    out.print(_published(both, len(suite.data), wanted.changed))


def _results(suite: Suite, tasks: pd.DataFrame, means: pd.DataFrame) -> Table:
    """A row for every task, below them the means."""
    table = Table(box=None, pad_edge=False)
    table.add_column("test accuracy")
    for setting in means["setting"]:
        table.add_column(escape(setting), justify="right")
    for group, own in tasks.groupby("group", sort=False):
        for _, row in own.iterrows():
            table.add_row(escape(row["task"]), *(_percent(row[setting]) for setting in means["setting"]))
        if len(suite.groups) > 1:
            told = f"mean of {len(own)} of {len(suite.groups[str(group)])} {group} tasks"
            table.add_row(f"[bold]{told}[/]", *(_percent(value) for value in means[group]))
    one = len(suite.groups) == 1
    for name in [tables.OVER_TASKS] if one else [tables.OVER_GROUPS, tables.OVER_TASKS]:
        cells = zip(means[name], means[f"± {name}"], strict=True)
        table.add_row(f"[bold]{name}[/]", *(_percent(mean) + _half(half) for mean, half in cells))
    table.add_row("tasks", *(f"{row.tasks} of {row.of}" for row in means.itertuples()))
    table.add_row("seeds that have all of these", *map(str, means["seeds"]))
    table.add_row("epochs in all", *(f"{epochs:g}" for epochs in means["epochs"]))
    table.add_row("trained parameters, head left out", *(f"{number:,.0f}" for number in means["parameters"]))
    return table


def _published(both: pd.DataFrame, tasks: int, changed: Sequence[str]) -> Table:
    """Own rows say what keeps them from being compared."""
    table = Table(box=None, pad_edge=False)
    for column in ("", "accuracy", "parameters", "from"):
        table.add_column(column, justify="right" if column in ("accuracy", "parameters") else "left")
    for row in both.to_dict("records"):
        source = f"published: {row['source']}"
        if not row["published"]:
            source = f"these runs: {row['tasks']:.0f} of {tasks} tasks, {words.count(int(row['seeds']), 'seed')}"
            source += "" if row["tasks"] == tasks else "; no match for results on all tasks"
            source += f"; set otherwise: {', '.join(changed)}" if changed else ""
        cells = [escape(row["setting"]), _percent(row["accuracy"]), f"{row['parameters'] / 1e6:.2f}M", escape(source)]
        table.add_row(*(cells if row["published"] else [f"[bold]{cell}[/]" for cell in cells]))
    return table


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{share:.1%}"


def _half(width: float) -> str:
    return "" if pd.isna(width) else f" ±{100 * width:.1f}"


def _write(file: Path, scores: pd.DataFrame) -> None:
    try:
        file.write_bytes(for_spreadsheets(scores))
    except OSError as error:
        raise ResourceError(f"{file}: cannot be written ({error.strerror}); choose another --csv") from error
    err.print(escape(f"written to {file}"))
