"""The study's finished runs by what they were asked for, and settings of it compared seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

from mimi_core.analysis.common.agreement import Survival, survival
from mimi_core.analysis.common.labels import Layer, layers
from mimi_core.analysis.common.statistics import (
    DIFFERENCES,
    Interval,
    Paired,
    Range,
    difference,
    of_setting,
)
from mimi_core.analysis.common.statistics import family as corrected
from mimi_core.analysis.common.words import verdict_on
from mimi_core.analysis.compare.tables import Facts, facts
from mimi_core.runs.store import Store
from mimi_core.study.design import study
from mimi_core.sweeps.matching import compare
from mimi_core.sweeps.sweep import expand

AS_GOOD = 0.005
"""Of accuracy, 0..1: a schedule that is at most so much worse is as good. Not the margin of equivalence."""
AS_GOOD_SAID = f"{100 * AS_GOOD:g} points"
BySeed = Mapping[int, float]
"""Seed -> accuracy 0..1, or another number of a run."""


@dataclass(frozen=True)
class Evidence:
    """Of every sweep of the study and every case of it, the finished runs by their seeds."""

    runs: dict[tuple[str, str], dict[int, Facts]]
    planned: int
    versions: tuple[str, ...]
    """Of this program, torch and so on, as the runs wrote them down; sorted."""
    devices: tuple[str, ...]
    named: list[Layer]
    """Of the backbone that all share."""

    @property
    def finished(self) -> int:
        return sum(len(by_seed) for by_seed in self.runs.values())

    def of(self, sweep: str, case: str) -> dict[int, Facts]:
        return self.runs.get((sweep, case), {})

    def accuracies(self, sweep: str, case: str, cycle: int | None = None) -> dict[int, float]:
        """At the end of a cycle's training, or of the run. Seeds whose run did not train then are left out."""
        reached = {
            seed: run.accuracy if cycle is None else run.points[cycle].accuracy
            for seed, run in self.of(sweep, case).items()
            if cycle is None or cycle < len(run.points)
        }
        return {seed: accuracy for seed, accuracy in reached.items() if not isnan(accuracy)}

    def after_the_cut(self, sweep: str, case: str, cycle: int) -> dict[int, float]:
        """Right after a cut, before training again."""
        return {seed: run.points[cycle].cut for seed, run in self.of(sweep, case).items() if cycle < len(run.points)}


def gather(store: Store) -> Evidence:
    """What is finished of the study; the rest is left out and counted."""
    runs: dict[tuple[str, str], dict[int, Facts]] = {}
    versions: set[str] = set()
    devices: set[str] = set()
    named: list[Layer] = []
    planned = 0
    for sweep in study():
        configs = expand(sweep)
        planned += len(configs)
        for match in compare(store, configs):
            if match.run is None or match.phase != "finished":
                continue
            state = store.state(match.run.id)
            known = facts(match.run, match.config, state, store.status(match.run.id))
            if known is None or state.started is None:
                continue
            runs.setdefault((sweep.name, match.config.name), {})[match.config.seed] = known
            versions |= {f"{name} {number}" for name, number in state.started.versions.items()}
            devices.add(state.started.device)
            named = named or layers(state.sites)
    return Evidence(runs, planned, tuple(sorted(versions)), tuple(sorted(devices)), named)


@dataclass(frozen=True)
class Contrast:
    """Two settings over the seeds that both have, first minus second."""

    where: str
    first: str
    second: str
    differences: dict[int, float]
    test: Paired

    @property
    def interval(self) -> Interval:
        return self.test.difference

    @property
    def corrected(self) -> float:
        """p by Holm among the contrasts of its family."""
        return self.test.corrected

    @property
    def claimed(self) -> bool:
        return self.test.is_clear

    @property
    def verdict(self) -> str:
        """Plain words."""
        better = self.first if self.interval.mean > 0 else self.second
        return verdict_on(self.test.verdict, self.test.is_small, f"{better} is better")


def contrast(
    where: str, first: tuple[str, BySeed], second: tuple[str, BySeed], within: Range = DIFFERENCES
) -> Contrast:
    """Args:
    within: what the difference may be; that of two accuracies unless something else is compared.
    """
    (one, ours), (other, theirs) = first, second
    differences = {seed: ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))}
    ordered = {seed: ours[seed] for seed in differences}
    return Contrast(where, one, other, differences, difference(ordered, theirs, within))


def holm_corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The same with p values corrected for their number."""
    tests = corrected([c.test for c in contrasts])
    return [replace(c, test=test) for c, test in zip(contrasts, tests, strict=True)]


def averaged(by_cycle: Sequence[BySeed]) -> dict[int, float]:
    """Mean over cycles, for the seeds that have them all."""
    shared = set.intersection(*(set(values) for values in by_cycle)) if by_cycle else set()
    return {seed: sum(values[seed] for values in by_cycle) / len(by_cycle) for seed in sorted(shared)}


def growth(low: BySeed, high: BySeed) -> dict[int, float]:
    """By how much a number is larger in `high`, seed by seed."""
    return {seed: high[seed] - low[seed] for seed in sorted(set(low) & set(high))}


def interval(values: BySeed) -> Interval:
    """Of accuracies."""
    return of_setting(values)


def at_most_worse(gap: Interval, margin: float = AS_GOOD) -> str:
    """Whether something is at most `margin` worse: only where the whole interval says so.

    Differences that are all the same give no interval: no spread is no certainty.
    """
    if gap.n < 2:
        return "too few runs"
    if not gap.std:
        return "cannot be told"
    if gap.low >= -margin:
        return "yes"
    return "no" if gap.high < -margin else "cannot be told"


def survivals(evidence: Evidence, arms: Mapping[str, tuple[str, str]]) -> dict[str, Survival]:
    """Which layers keep an adapter to the end, by the name of the task.

    Args:
        arms: name of a task -> sweep and case of its runs.
    """
    sites = [layer.site for layer in evidence.named]
    return {task: survival([run.shares[-1] for run in evidence.of(*arm).values()], sites) for task, arm in arms.items()}
