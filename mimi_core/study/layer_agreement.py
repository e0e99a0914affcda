"""Does the task decide which adapters go? Runs of one task beside runs of different tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mimi_core.analysis.common.agreement import rank_correlation
from mimi_core.study.evidence import Evidence

SHUFFLES = 9999


@dataclass(frozen=True)
class Likeness:
    """Kendall's tau of what is left of the layers, on average over pairs of runs; pairs of one seed are left out."""

    within: float
    """Two runs of one task."""
    across: float
    """Two runs of different tasks."""
    p: float
    """By how many of the ways to deal the tasks out anew `within` would lie as far above `across`."""
    runs: int
    tasks: int


def likeness(
    evidence: Evidence, groups: Sequence[Sequence[tuple[str, str]]], only_gone: bool = False
) -> Likeness | None:
    """None where no group has two tasks with two runs each; other groups are left out.

    Args:
        groups: sweep and case of every task, those that may be compared with one another together.
        only_gone: look at which adapters are gone, and not at how much is left of the others.
    """
    groups = [group for group in groups if sum(len(evidence.of(*arm)) > 1 for arm in group) > 1]
    if not groups:
        return None
    runs = [
        (where, arm, seed, run)
        for where, group in enumerate(groups)
        for arm in group
        for seed, run in evidence.of(*arm).items()
    ]
    named = sorted({arm for _, arm, _, _ in runs})
    tasks = np.array([named.index(arm) for _, arm, _, _ in runs])
    within_group = np.array([where for where, _, _, _ in runs])
    left = [[run.shares[-1].get(layer.site, 0.0) for layer in evidence.named] for _, _, _, run in runs]
    ends = [[float(share > 0) for share in shares] for shares in left] if only_gone else left
    taus = np.full((len(runs), len(runs)), np.nan)
    for i, j in combinations(range(len(runs)), 2):
        if within_group[i] == within_group[j] and runs[i][2] != runs[j][2]:  # one seed starts different tasks alike
            taus[i, j] = rank_correlation(ends[i], ends[j])
    one, two = np.nonzero(~np.isnan(taus))
    values = taus[one, two]

    def gap(dealt: np.ndarray) -> float:
        same = dealt[one] == dealt[two]
        return float(values[same].mean() - values[~same].mean())

    same = tasks[one] == tasks[two]
    return Likeness(
        float(values[same].mean()),
        float(values[~same].mean()),
        _p(gap, tasks, within_group),
        len(runs),
        len(set(tasks)),
    )


def _p(gap: Callable[[np.ndarray], float], tasks: np.ndarray, groups: np.ndarray) -> float:
    """Tasks are dealt out anew within their groups."""
    rng, seen, dealt = np.random.default_rng(0), gap(tasks), tasks.copy()
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    as_far = 0
    for _ in range(SHUFFLES):
        for own in members:
            dealt[own] = rng.permutation(tasks[own])
        as_far += gap(dealt) >= seen - 1e-12
    return (as_far + 1) / (SHUFFLES + 1)
