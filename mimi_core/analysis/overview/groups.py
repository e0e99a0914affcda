"""Runs of one group: which settings differ between them, and what is the same setting under several seeds."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from mimi_core.analysis.common.statistics import AMOUNTS, SHARES, Interval, Range, by_seed, of_setting, one_per_seed
from mimi_core.analysis.compare.design import Levels, design
from mimi_core.config import RunConfig
from mimi_core.config.identity import Seeds, Value, seed_key, setting_key, used_values
from mimi_core.runs.store import RunSummary

Member = tuple[RunSummary, RunConfig]


@dataclass(frozen=True)
class Variant:
    """One setting, run under one or more seeds."""

    label: str
    settings: dict[str, str]
    """What differs within the group: `prune.scope` -> `local`."""
    runs: list[RunSummary]
    """All of them, oldest first."""
    seeds: dict[str, Seeds]
    """Of each run, by its id."""

    @property
    def finished(self) -> list[RunSummary]:
        return [run for run in self.runs if run.phase == "finished"]

    @property
    def accuracy(self) -> Interval:
        """Test accuracy of the finished runs, 0..1."""
        return self.over_seeds(lambda run: run.accuracy, SHARES)

    def over_seeds(self, number: Callable[[RunSummary], float | None], within: Range = AMOUNTS) -> Interval:
        """Mean and interval of any number of the finished runs; None counts as unknown."""
        return of_setting(by_seed((self.seeds[run.id], number(run)) for run in self.finished), within)


def variants(members: Sequence[Member]) -> list[Variant]:
    """The variants of a group, named and ordered as on Ablations; the runs of each, oldest first."""
    oldest_first = sorted(members, key=lambda member: (member[0].created, member[0].id))
    values = [used_values(c) for _, c in oldest_first]
    how = design(values)
    seeds = {run.id: seed_key(config) for run, config in members}
    runs: dict[str, list[RunSummary]] = {}
    differing: dict[str, dict[str, str]] = {}
    for (run, _), own in zip(oldest_first, values, strict=True):
        label = how.setting(own)
        runs.setdefault(label, []).append(run)
        differing[label] = {path: _text(own[path]) for path in (*how.fields, *how.along)}
    return [
        Variant(label, differing[label], runs[label], {run.id: seeds[run.id] for run in runs[label]})
        for label in how.labels.values()
        if label in runs
    ]


def repetitions(this: Member, others: Sequence[Member]) -> list[RunSummary]:
    """`this`, and of every other seed the newest finished run that differs from it by its seeds alone."""
    ours, own = setting_key(this[1]), seed_key(this[1])
    seeds = {
        run.folder: seed_key(config)
        for run, config in others
        if run.phase == "finished" and seed_key(config) != own and setting_key(config) == ours
    }
    alike = [run for run, _ in others if run.folder in seeds]
    return [this[0], *one_per_seed(alike, lambda run: seeds[run.folder])]


def accuracies(settings: Sequence[Variant]) -> Levels:
    """The accuracies of the finished runs, ready for the comparisons of Ablations."""
    rows = [
        {"block": "", "level": setting.label, "pair": "{}/{}".format(*setting.seeds[run.id]), "accuracy": run.accuracy}
        for setting in settings
        for run in setting.finished
    ]
    table = pd.DataFrame(rows, columns=["block", "level", "pair", "accuracy"]).astype({"accuracy": float})
    there = set(table["level"])
    return Levels(table, [setting.label for setting in settings if setting.label in there], [""])


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
