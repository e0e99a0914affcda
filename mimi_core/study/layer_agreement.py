"""Does the task decide which adapters go? Runs of one task beside runs of different tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

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


def likeness(evidence: Evidence, arms: Sequence[tuple[str, str]], only_gone: bool = False) -> Likeness | None:
    """None where there are fewer than two tasks with two runs each.

    Args:
        arms: sweep and case of every task.
        only_gone: look at which adapters are gone, and not at how much is left of the others.
    """
    runs = [(task, seed, run) for task, arm in enumerate(arms) for seed, run in evidence.of(*arm).items()]
    tasks = np.array([task for task, _, _ in runs])
    enough = [task for task in set(tasks.tolist()) if (tasks == task).sum() > 1]
    if len(enough) < 2:
        return None
    left = [[run.shares[-1].get(layer.site, 0.0) for layer in evidence.named] for _, _, run in runs]
    ends = [[float(share > 0) for share in shares] for shares in left] if only_gone else left
    taus = np.full((len(runs), len(runs)), np.nan)
    for i, j in combinations(range(len(runs)), 2):
        if runs[i][1] != runs[j][1]:  # one seed starts different tasks alike
            taus[i, j] = rank_correlation(ends[i], ends[j])
    one, two = np.nonzero(~np.isnan(taus))
    values = taus[one, two]

    def gap(dealt: Any) -> float:
        same = dealt[one] == dealt[two]
        return float(values[same].mean() - values[~same].mean())

    same = tasks[one] == tasks[two]
    return Likeness(float(values[same].mean()), float(values[~same].mean()), _p(gap, tasks), len(runs), len(set(tasks)))


def _p(gap: Any, tasks: np.ndarray) -> float:
    from scipy import stats

    test = stats.permutation_test(
        (tasks,), gap, permutation_type="pairings", n_resamples=SHUFFLES, alternative="greater",
        vectorized=False, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(test.pvalue)
