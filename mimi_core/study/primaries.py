"""The test of the primaries as docs/study-plan.md prescribes it: from counts of right answers to verdicts.

The functions on arrays take any number of axes in front, so that a thousand made-up studies are tested at once
(`mimi_core.study.power`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from mimi_core.analysis.common.statistics import (
    DIFFERENCES,
    MARGIN,
    SIGNIFICANT,
    Interval,
    Range,
    Verdict,
    detectable,
    holm,
    verdict,
)
from mimi_core.analysis.common.words import verdict_on


@dataclass(frozen=True)
class Pooled:
    """The mean over tasks, each weighing the same, of differences that were repeated over seeds.

    Attributes:
        mean, error: (...,) it and its standard error, from the variance within tasks.
        freedom: (...,) degrees of freedom of that variance.
    """

    mean: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """(...,) of Student's t test, two-sided; NaN without any spread from which to tell chance."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            p: np.ndarray = np.asarray(2 * stdtr(self.freedom, -np.abs(self.mean / self.error)))
        return np.where(self.error > 0, p, np.nan)

    def p_within(self, margin: float) -> np.ndarray:
        """(...,) the larger p of two one-sided tests that the mean lies within the margin (Schuirmann 1987)."""
        from scipy.special import stdtr

        with np.errstate(divide="ignore", invalid="ignore"):
            p: np.ndarray = np.asarray(stdtr(self.freedom, (np.abs(self.mean) - margin) / self.error))
        return np.where(self.error > 0, p, np.nan)


_NO_SPREAD = 1e-12
"""A standard error that stems from the last bit: no spread must not look like certainty."""


def pooled(differences: np.ndarray) -> Pooled:
    """Args:
    differences: (..., tasks, seeds), of two seeds or more.

    The variance is the mean of those within the tasks. Its degrees of freedom are Satterthwaite's: tasks x (seeds - 1)
    where all tasks spread alike, and fewer, down to seeds - 1, the more a single task makes up most of the variance.
    """
    *_, tasks, seeds = differences.shape
    within = differences.var(axis=-1, ddof=1)
    total, squares = within.sum(axis=-1), (within**2).sum(axis=-1)
    freedom = (seeds - 1) * np.divide(total**2, squares, out=np.full_like(total, tasks), where=squares > 0)
    error = np.sqrt(total / seeds) / tasks
    return Pooled(differences.mean(axis=(-2, -1)), np.where(error > _NO_SPREAD, error, 0.0), freedom)


def logits(right: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Of shares, from counts plus one half: finite also where all or none are right. Shapes broadcast."""
    return np.asarray(np.log((right + 0.5) / (images - right + 0.5)))


@dataclass(frozen=True)
class Primary:
    """One of the plan's questions, the first arm minus the second, corrected for being one of several."""

    first: str
    second: str
    tasks: int
    points: Interval
    """Difference in accuracy, -1..1, with its simultaneous interval (Bonferroni); n: seeds."""
    logit: Interval
    """The same of the difference that is tested, on the logit scale."""
    p: float
    """That there is no difference, on the logit scale."""
    p_equivalent: float
    """That the difference in accuracy is not within the margin."""
    corrected: float
    """`p` by Holm."""
    corrected_equivalent: float
    detectable: float
    """True difference in accuracy that would have shown in four of five such studies, by the spread seen here."""
    tests: int
    """So many it is corrected for."""

    @property
    def is_clear(self) -> bool:
        return self.corrected < SIGNIFICANT

    @property
    def is_small(self) -> bool:
        return self.corrected_equivalent < SIGNIFICANT

    @property
    def verdict(self) -> Verdict:
        """What is tested, the logits, has the word."""
        return verdict(self.p, self.logit.mean, clear=self.is_clear, small=self.is_small)

    @property
    def scales_disagree(self) -> bool:
        """Whether the mean difference has another sign in points: tasks near 0 or 1 weigh more in logits."""
        return self.points.mean * self.logit.mean < 0

    @property
    def said(self) -> str:
        """The verdict in a few words."""
        shown = "better" if self.logit.mean > 0 else "worse"
        return verdict_on(self.verdict, self.is_small, shown)


def decide(names: Sequence[tuple[str, str]], right: np.ndarray, images: np.ndarray) -> list[Primary]:
    """All primaries, corrected for their number.

    Args:
        names: of both arms of each of k contrasts.
        right: (k, 2, tasks, seeds) test images whose class the first and the second arm told.
        images: (k, 2, tasks, seeds) or what broadcasts to it, test images in all.
    """
    shown, points = (pooled(scale[:, 0] - scale[:, 1]) for scale in (logits(right, images), right / images))
    p, equivalent = shown.p, points.p_within(MARGIN)
    corrected, corrected_equivalent = holm(p.tolist()), holm(equivalent.tolist())
    (_, _, tasks, seeds), level = right.shape, SIGNIFICANT / len(names)
    return [
        Primary(
            first,
            second,
            tasks,
            _interval(points, k, seeds, level, DIFFERENCES),
            _interval(shown, k, seeds, level),
            float(p[k]),
            float(equivalent[k]),
            corrected[k],
            corrected_equivalent[k],
            detectable(float(points.error[k]), float(points.freedom[k]), level),
            len(names),
        )
        for k, (first, second) in enumerate(names)
    ]


def _interval(test: Pooled, k: int, seeds: int, level: float, within: Range = (-inf, inf)) -> Interval:
    from scipy.special import stdtrit

    mean, error = float(test.mean[k]), float(test.error[k])
    half = float(stdtrit(test.freedom[k], 1 - level / 2)) * error
    return Interval(seeds, mean, error * sqrt(seeds), max(within[0], mean - half), min(within[1], mean + half))
