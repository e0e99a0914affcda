"""All runs as one table, its filters, and the same runs by setting. Pure functions; plain text in every cell."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mimi_core.analysis.overview.groups import Member, Variant, variants
from mimi_core.config.methods import makes_cuts
from mimi_core.runs.status import WITHOUT_WORKER
from mimi_core.runs.store import RunSummary

EXAMPLE = "example"
NO_GROUP = "no group"
_SEARCHED = ("title", "id", "group", "method", "data", "backbone", "score", "scope")


@dataclass(frozen=True)
class Filters:
    """Which runs are wanted. What is empty wants all."""

    text: str = ""
    """Words that must all be there, in any of a run's texts."""
    states: Collection[str] = ()
    methods: Collection[str] = ()
    group: str | None = None


def runs_table(runs: Iterable[tuple[RunSummary, bool]]) -> pd.DataFrame:
    """One row per run, in the order given; each comes with whether it is an example.

    Columns: id, title, state (phase, or "example"), share (done, 0..1, of a run that is going on; else NaN), group,
    method, data, backbone, score, scope (empty where nothing is pruned), seed, sigma (compression now, NaN without
    adapters), neurons, sites, gone (adapters), trained_parameters, accuracy (0..1), created (local time), seconds.
    """
    rows = []
    for run, example in runs:
        prunes = makes_cuts(run.method)
        going = run.phase not in WITHOUT_WORKER
        rows.append(
            (
                run.id,
                run.title,
                EXAMPLE if example else run.phase,
                run.progress if going else None,
                run.group,
                run.method,
                run.data,
                run.backbone,
                run.score if prunes else "",
                run.scope if prunes else "",
                run.seed,
                run.sigma,
                run.neurons if run.sites else None,
                run.sites if run.sites else None,
                run.removed if run.sites and prunes else None,
                run.trained_parameters,
                run.accuracy,
                datetime.fromtimestamp(int(run.created)),
                run.seconds,
            )
        )
    columns = (
        "id title state share group method data backbone score scope seed sigma neurons sites gone "
        "trained_parameters accuracy created seconds"
    ).split()
    numbers = ("share", "sigma", "neurons", "sites", "gone", "trained_parameters", "accuracy", "seconds")
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, "float"))


def filtered(table: pd.DataFrame, wanted: Filters) -> pd.DataFrame:
    """The rows of a `runs_table` that pass all filters, in their order, numbered anew."""
    keep = pd.Series(True, index=table.index)
    if wanted.states:
        keep &= table["state"].isin(list(wanted.states))
    if wanted.methods:
        keep &= table["method"].isin(list(wanted.methods))
    if wanted.group is not None:
        keep &= table["group"] == wanted.group
    words = wanted.text.lower().split()
    if words and len(table):
        text = table[_SEARCHED[0]].str.cat([table[column] for column in _SEARCHED[1:]], sep=" ").str.lower()
        for word in words:
            keep &= text.str.contains(word, regex=False)
    return table[keep].reset_index(drop=True)


def by_group(members: Sequence[Member]) -> list[tuple[str, Variant]]:
    """(group, one setting of it), groups with the newest run first; runs without a group last, as one."""
    groups: dict[str, list[Member]] = {}
    for member in sorted(members, key=lambda member: member[0].created, reverse=True):
        groups.setdefault(member[0].group, []).append(member)
    order = sorted(groups, key=lambda group: not group)  # stable: only the runs without one move
    return [(group, variant) for group in order for variant in variants(groups[group])]


def groups_table(rows: Sequence[tuple[str, Variant]]) -> pd.DataFrame:
    """One row per group and setting; means are over the seeds of its finished runs.

    Columns: group, setting, runs, finished, seeds (different ones of the finished), accuracy (mean, 0..1), low, high
    (its t interval; NaN for fewer than two seeds), sigma, neurons, gone, trained_parameters (means), states
    (those that are not finished, in words).
    """
    table = []
    for group, variant in rows:
        accuracy = variant.accuracy
        others = [run.phase for run in variant.runs if run.phase != "finished"]
        table.append(
            (
                group or NO_GROUP,
                variant.label,
                len(variant.runs),
                len(variant.finished),
                accuracy.n,
                accuracy.mean,
                accuracy.low,
                accuracy.high,
                variant.over_seeds(lambda run: run.sigma).mean,
                variant.over_seeds(lambda run: run.neurons if run.sites else None).mean,
                variant.over_seeds(lambda run: run.removed if run.sites else None).mean,
                variant.over_seeds(lambda run: run.trained_parameters).mean,
                ", ".join(f"{others.count(phase)} {phase}" for phase in dict.fromkeys(others)),
            )
        )
    columns = "group setting runs finished seeds accuracy low high sigma neurons gone trained_parameters states"
    return pd.DataFrame(table, columns=columns.split())
