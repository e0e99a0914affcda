"""The tables of a suite: its tasks, the means of its settings, and beside them what was published."""

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path

import pandas as pd
from rich.markup import escape
from rich.table import Table

from mimi_core.analysis.common import words
from mimi_core.analysis.common.statistics import Interval
from mimi_core.analysis.compare.tables import Facts, facts, for_spreadsheets
from mimi_core.analysis.trade_off import suite_results as tables
from mimi_core.analysis.trade_off.references import published_table, read_references
from mimi_core.cli.common import err, out, percent_unspaced, spread
from mimi_core.errors import ResourceError
from mimi_core.resources import REFERENCES
from mimi_core.runs.store import Store
from mimi_core.sweeps.matching import Planned
from mimi_core.sweeps.suites import Prepared, Suite


def show_tables(store: Store, wanted: Prepared, planned: Sequence[Planned], csv: Path | None) -> None:
    """Print them, where there is a finished run; `csv` gets the accuracy of every run. Raises ResourceError."""
    scores = tables.suite_scores_table(_facts(store, planned), wanted.varying)
    if len(scores):
        _show(wanted, scores)
        if csv is not None:
            _write(csv, scores)


def _facts(store: Store, planned: Sequence[Planned]) -> list[Facts]:
    known = []
    for p in planned:
        if p.run is not None and p.phase == "finished":
            one = facts(p.run, store.config(p.run.id), store.state(p.run.id), store.status(p.run.id))
            known += [one] if one else []
    return known


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
            table.add_row(escape(row["task"]), *(percent_unspaced(row[setting]) for setting in means["setting"]))
        if len(suite.groups) > 1:
            told = f"mean of {len(own)} of {len(suite.groups[str(group)])} {group} tasks"
            table.add_row(f"[bold]{told}[/]", *(percent_unspaced(value) for value in means[group]))
    one = len(suite.groups) == 1
    for name in [tables.OVER_TASKS] if one else [tables.OVER_GROUPS, tables.OVER_TASKS]:
        cells = zip(means["seeds"], means[name], means[f"low {name}"], means[f"high {name}"], strict=True)
        spans = [Interval(int(n), mean, nan, low, high) for n, mean, low, high in cells]
        table.add_row(f"[bold]{name}[/]", *(percent_unspaced(span.mean) + _spread(span) for span in spans))
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
        cells = [
            escape(row["setting"]),
            percent_unspaced(row["accuracy"]),
            f"{row['parameters'] / 1e6:.2f}M",
            escape(source),
        ]
        table.add_row(*(cells if row["published"] else [f"[bold]{cell}[/]" for cell in cells]))
    return table


def _spread(interval: Interval) -> str:
    if isnan(interval.low):
        return ""
    return f" ±{words.points(interval.half_width)}" if interval.is_symmetric else f" ({spread(interval)})"


def _write(file: Path, scores: pd.DataFrame) -> None:
    try:
        file.write_bytes(for_spreadsheets(scores))
    except OSError as error:
        raise ResourceError(f"{file}: cannot be written ({error.strerror}); choose another --csv") from error
    err.print(escape(f"written to {file}"))
