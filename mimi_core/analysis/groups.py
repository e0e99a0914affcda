"""Runs of one group: which settings differ between them, and what is the same setting under several seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mimi_core.analysis.settings import settings, value_at
from mimi_core.analysis.stats import Interval, mean_interval
from mimi_core.config import RunConfig
from mimi_core.runs.store import RunSummary

REPEATED = ("name", "group", "seed", "data.seed")
"""Runs that differ in these alone are repetitions of one another."""
Member = tuple[RunSummary, RunConfig]


@dataclass(frozen=True)
class Variant:
    """One setting, run under one or more seeds."""

    label: str
    settings: dict[str, str]
    """What differs within the group: `prune.scope` -> `local`."""
    runs: list[RunSummary]
    """All of them, oldest first."""

    @property
    def finished(self) -> list[RunSummary]:
        return [run for run in self.runs if run.phase == "finished"]

    @property
    def accuracy(self) -> Interval:
        """Test accuracy of the finished runs, 0..1."""
        return mean_interval([run.accuracy for run in self.finished if run.accuracy is not None])


def variants(members: Sequence[Member]) -> list[Variant]:
    """The variants of a group, in the order in which they were first made.

    A variant is labelled by the title of its runs where titles tell variants apart, and by its settings otherwise.
    """
    oldest_first = sorted(members, key=lambda member: (member[0].created, member[0].id))
    values = {run.id: _values(config) for run, config in oldest_first}
    differing = [p for p in (*settings(), "branch") if p not in REPEATED and len({v[p] for v in values.values()}) > 1]
    found: dict[tuple[str, ...], list[RunSummary]] = {}
    for run, _ in oldest_first:
        found.setdefault(tuple(values[run.id][path] for path in differing), []).append(run)
    names = [{run.name for run in runs} for runs in found.values()]
    told_apart = len(found) > 1 and all(len(n) == 1 and "" not in n for n in names)
    by_name = told_apart and len(set.union(*names)) == len(found)
    labels = [next(iter(n)) if by_name else _label(differing, key) for key, n in zip(found, names, strict=True)]
    return [
        Variant(label, dict(zip(differing, key, strict=True)), runs)
        for label, (key, runs) in zip(labels, found.items(), strict=True)
    ]


def _label(paths: Sequence[str], values: Sequence[str]) -> str:
    """`scope local, score mimi`; the whole path where two settings end alike."""
    last = [path.rpartition(".")[2] for path in paths]
    short = [path if last.count(end) > 1 else end for path, end in zip(paths, last, strict=True)]
    return ", ".join(f"{name} {value}" for name, value in zip(short, values, strict=True)) or "one setting"


def _values(config: RunConfig) -> dict[str, str]:
    found = {path: value_at(config, path) for path in settings()}
    found["branch"] = f"from cycle {config.branch.cycle}" if config.branch else "none"
    return {path: value if isinstance(value, str) else json.dumps(value, default=str) for path, value in found.items()}
