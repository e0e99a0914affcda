"""Statistics over seeds, with SciPy. Every number that is compared comes with its interval and its raw points.

`scipy.stats` takes the app 48 MB and a second. So it is imported by what needs it alone, the bootstrap and Wilcoxon's
test; the t distribution is `scipy.special`'s, Kendall's tau pandas'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
"""A corrected p below this is called a difference."""
RESAMPLES = 4000

IntervalKind = Literal["t", "bootstrap"]


@dataclass(frozen=True)
class Interval:
    """A mean over independent runs and an interval around it. NaN where there are too few values."""

    n: int
    mean: float
    std: float
    """Of the sample (n - 1); NaN for one value."""
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Paired:
    """The difference of two settings over the seeds that both have."""

    difference: Interval
    """Of the pairs, first minus second; its n is their number."""
    effect: float
    """Cohen's d_z: mean of the differences over their standard deviation."""
    p: float
    """Of the paired t test, two-sided. NaN for fewer than two pairs, and where all differences are the same."""
    p_wilcoxon: float
    """Of Wilcoxon's signed-rank test, two-sided, exact for few pairs; with n pairs it cannot be below 2 / 2^n.

    NaN where intervals are Student's: like the bootstrap it is for those who would not assume a shape.
    """


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE, kind: IntervalKind = "t") -> Interval:
    """Mean, standard deviation and interval of the values that are numbers.

    Args:
        values: one for each seed. None and NaN are left out.
        confidence: that the interval covers the mean.
        kind: "t" is Student's; "bootstrap" resamples the values (bias-corrected and accelerated), which assumes no
            shape but is too narrow for a handful of them.
    """
    known = _known(values)
    if not len(known):
        return Interval(0, nan, nan, nan, nan)
    mean = float(known.mean())
    if len(known) == 1:
        return Interval(1, mean, nan, nan, nan)
    std = float(known.std(ddof=1))
    if _all_the_same(known):
        return Interval(len(known), mean, 0.0, mean, mean)
    low, high = _bootstrap(known, confidence) if kind == "bootstrap" else _students(known, confidence)
    return Interval(len(known), mean, std, low, high)


def paired(first: Sequence[float], second: Sequence[float], kind: IntervalKind = "t") -> Paired:
    """Compare two settings seed by seed; `first[i]` and `second[i]` share a seed. Pairs with a gap are left out."""
    differences = np.asarray(first, float) - np.asarray(second, float)
    known = differences[~np.isnan(differences)]
    found = mean_interval(list(known), kind=kind)
    if found.n < 2 or _all_the_same(known):
        return Paired(found, nan, 1.0 if found.n > 1 and not known.any() else nan, nan)
    from scipy.special import stdtr

    t = found.mean / found.std * sqrt(found.n)
    return Paired(
        found,
        effect=found.mean / found.std,
        p=float(2 * stdtr(found.n - 1, -abs(t))),
        p_wilcoxon=_wilcoxon(known) if kind == "bootstrap" else nan,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm's step-down): at most 5 % of such families claim anything false.

    NaN stays NaN and does not count.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]  # NaN sorts to the end
    corrected = np.full(len(p), nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return [float(value) for value in corrected]


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Kendall's tau-b, -1..1: 1 for the same order. NaN where one of them orders nothing, or for fewer than two."""
    one, two = np.asarray(first, float), np.asarray(second, float)
    if len(one) < 2 or not np.ptp(one) or not np.ptp(two):
        return nan
    return float(pd.DataFrame({"one": one, "two": two}).corr(method="kendall").loc["one", "two"])


def area_under(parameters: Sequence[float], accuracy: Sequence[float], low: float, high: float) -> float:
    """Mean accuracy between two numbers of parameters, on a log scale: the area under the curve over its width.

    Args:
        parameters: of the points of the curve, above 0, in any order. Between points the curve is straight.
        accuracy: of the same points, 0..1.
        low, high: where the area begins and ends; NaN is returned where the curve does not reach that far.
    """
    points = sorted((p, a) for p, a in zip(parameters, accuracy, strict=True) if p > 0 and not isnan(a))
    if len(points) < 2 or not points[0][0] <= low < high <= points[-1][0]:
        return nan
    x, y = np.log([p for p, _ in points]), np.array([a for _, a in points])
    ends = np.log([low, high])
    at = np.unique(np.concatenate([ends, x[(x > ends[0]) & (x < ends[1])]]))
    return float(np.trapezoid(np.interp(at, x, y), at) / (ends[1] - ends[0]))


def pareto_front(parameters: ArrayLike, accuracy: ArrayLike) -> np.ndarray:
    """Which points no other point beats: fewer parameters at no lower accuracy, or a higher one at no more of them.

    Args:
        parameters, accuracy: (..., n) each; every row is a set of points of its own.

    Returns:
        (..., n) booleans. Of points that are the same, all are on the front; a point with a NaN is not.
    """
    x, y = np.asarray(parameters, float), np.asarray(accuracy, float)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = np.where(known, x, np.inf), np.where(known, y, -np.inf)
    order = np.lexsort((-y, x))  # of the points with as many parameters the most accurate one comes first
    x, y = np.take_along_axis(x, order, -1), np.take_along_axis(y, order, -1)
    begins = np.ones(x.shape, bool)
    begins[..., 1:] = x[..., 1:] != x[..., :-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(x.shape[-1]), 0), axis=-1)
    best_so_far = np.maximum.accumulate(y, axis=-1)
    with_fewer = np.where(first > 0, np.take_along_axis(best_so_far, first - 1, -1), -np.inf)
    found = np.empty(x.shape, bool)
    np.put_along_axis(found, order, (y == np.take_along_axis(y, first, -1)) & (y > with_fewer), -1)
    return found & known


def _students(values: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    n = len(values)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(values.std(ddof=1)) / sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def _bootstrap(values: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy import stats

    found = stats.bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    )  # a fixed draw, so that a page shows the same interval every time
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy import stats

    # Rounded, so that differences that are the same but for the last bit are ties.
    return float(stats.wilcoxon(differences.round(12)).pvalue)


def _known(values: Sequence[float]) -> np.ndarray:
    return np.asarray([v for v in values if v is not None and not isnan(v)], float)


def _all_the_same(values: np.ndarray) -> bool:
    """But for the last bit: 0.845 - 0.840 is not 0.850 - 0.845, and no spread must not look like certainty."""
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))
