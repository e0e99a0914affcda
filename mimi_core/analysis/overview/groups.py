"""Runs of one group: which settings differ between them, and what is the same setting under several seeds."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mimi_core.analysis.common.stats import Interval, mean_interval
from mimi_core.analysis.compare.design import design
from mimi_core.config import RunConfig
from mimi_core.config.identity import Value, used_values
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

    @property
    def finished(self) -> list[RunSummary]:
        return [run for run in self.runs if run.phase == "finished"]

    @property
    def accuracy(self) -> Interval:
        """Test accuracy of the finished runs, 0..1."""
        return mean_interval([run.accuracy for run in self.finished if run.accuracy is not None])


def variants(members: Sequence[Member]) -> list[Variant]:
    """The variants of a group, named and ordered as on Ablations; the runs of each, oldest first."""
    oldest_first = sorted(members, key=lambda member: (member[0].created, member[0].id))
    values = [used_values(c) for _, c in oldest_first]
    how = design(values)
    runs: dict[str, list[RunSummary]] = {}
    differing: dict[str, dict[str, str]] = {}
    for (run, _), own in zip(oldest_first, values, strict=True):
        label = how.setting(own)
        runs.setdefault(label, []).append(run)
        differing[label] = {path: _text(own[path]) for path in (*how.fields, *how.along)}
    return [Variant(label, differing[label], runs[label]) for label in how.labels.values() if label in runs]


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
