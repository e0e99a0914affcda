"""The statistics of every page and of the study: the mean of a setting, and the difference of two, over seeds.

The seed is what is repeated. A seed that was run twice is no second repetition: its values are averaged first, so n is
the number of different seeds.

An interval is Student's t or the bootstrap's, as asked for. One around a mean of shares is cut off at 0 and 1, one
around a difference of shares at -1 and 1: what lies beyond cannot be the mean, so it covers it as often as before.

`scipy.stats` takes the app 48 MB and a second. So it is imported by what needs it alone, the bootstrap and Wilcoxon's
test; the t distribution is `scipy.special`'s.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan, sqrt
from typing import Any, Literal, TypeVar

import numpy as np

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
"""A corrected p below this is called a difference."""
RESAMPLES = 4000

IntervalKind = Literal["t", "bootstrap"]
INTERVALS: dict[IntervalKind, str] = {"t": "95 % t interval", "bootstrap": "95 % bootstrap interval"}
"""What an interval is called wherever one is told."""

Range = tuple[float, float]
"""What a mean may be."""
SHARES: Range = (0.0, 1.0)
DIFFERENCES: Range = (-1.0, 1.0)
"""Of two shares."""
AMOUNTS: Range = (0.0, inf)
ANYTHING: Range = (-inf, inf)

BySeed = Mapping[Any, float]
"""Seed -> what came out under it."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and an interval around it. NaN where there are too few values."""

    n: int
    """Different seeds."""
    mean: float
    std: float
    """Of the sample (n - 1); NaN for one value."""
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def is_symmetric(self) -> bool:
        """Whether mean ± half width says it all: not where it is cut off, and seldom with the bootstrap."""
        return abs(self.high + self.low - 2 * self.mean) <= 1e-9 * max(1.0, abs(self.mean))


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
    corrected: float = nan
    """`p` by Holm within the family; NaN before `family` has set it."""

    @property
    def is_clear(self) -> bool:
        """The one verdict on a difference, whatever the interval's kind."""
        return self.corrected < SIGNIFICANT


# --- what pages ask ---------------------------------------------------------------------------------------------------


def by_seed(values: Iterable[tuple[Hashable, float | None]]) -> dict[Hashable, float]:
    """(seed, value of a run) -> mean of each seed. What is None or NaN is left out."""
    collected: dict[Hashable, list[float]] = {}
    for seed, value in values:
        if value is not None and not isnan(value):
            collected.setdefault(seed, []).append(float(value))
    return {seed: sum(own) / len(own) for seed, own in collected.items()}


def one_per_seed(items: Iterable[Item], seed_of: Callable[[Item], Hashable]) -> list[Item]:
    """The first of each seed, for what cannot be averaged: the same run again would agree with itself."""
    first: dict[Hashable, Item] = {}
    for item in items:
        first.setdefault(seed_of(item), item)
    return list(first.values())


def of_setting(values: BySeed, within: Range = SHARES, kind: IntervalKind = "t") -> Interval:
    """Mean of a setting over its seeds, and the interval around it.

    Args:
        values: one for each seed, from `by_seed`.
        within: what the mean may be; the interval is cut off there.
        kind: of the interval.
    """
    return mean_interval(list(values.values()), kind=kind, within=within)


def difference(first: BySeed, second: BySeed, within: Range = DIFFERENCES, kind: IntervalKind = "t") -> Paired:
    """Compare two settings over the seeds that both have."""
    shared = [seed for seed in first if seed in second]
    return paired([first[seed] for seed in shared], [second[seed] for seed in shared], kind, within)


def family(tests: Sequence[Paired]) -> list[Paired]:
    """All that was compared to answer one question, with p values corrected for their number."""
    return [replace(one, corrected=p) for one, p in zip(tests, holm([one.p for one in tests]), strict=True)]


# --- how it is worked out ---------------------------------------------------------------------------------------------


def mean_interval(
    values: Sequence[float], confidence: float = CONFIDENCE, kind: IntervalKind = "t", within: Range = ANYTHING
) -> Interval:
    """Mean, standard deviation and interval of the values that are numbers.

    Args:
        values: one for each seed. None and NaN are left out.
        confidence: that the interval covers the mean.
        kind: "t" is Student's; "bootstrap" resamples the values (bias-corrected and accelerated), which assumes no
            shape but is too narrow for a handful of them.
        within: the interval is cut off there.
    """
    known = np.asarray([v for v in values if v is not None and not isnan(v)], float)
    if not len(known):
        return Interval(0, nan, nan, nan, nan)
    mean = float(known.mean())
    if len(known) == 1:
        return Interval(1, mean, nan, nan, nan)
    std = float(known.std(ddof=1))
    if _all_the_same(known):
        return Interval(len(known), mean, 0.0, mean, mean)
    low, high = _bootstrap(known, confidence) if kind == "bootstrap" else _students(known, confidence)
    low, high = max(low, within[0]), min(high, within[1])
    return Interval(len(known), mean, std, min(low, mean), max(high, mean))


def paired(
    first: Sequence[float], second: Sequence[float], kind: IntervalKind = "t", within: Range = ANYTHING
) -> Paired:
    """Compare two settings seed by seed; `first[i]` and `second[i]` share a seed. Pairs with a gap are left out."""
    differences = np.asarray(first, float) - np.asarray(second, float)
    known = differences[~np.isnan(differences)]
    mean_difference = mean_interval(list(known), kind=kind, within=within)
    if mean_difference.n < 2 or _all_the_same(known):
        return Paired(mean_difference, nan, 1.0 if mean_difference.n > 1 and not known.any() else nan, nan)
    from scipy.special import stdtr

    t = mean_difference.mean / mean_difference.std * sqrt(mean_difference.n)
    return Paired(
        mean_difference,
        effect=mean_difference.mean / mean_difference.std,
        p=float(2 * stdtr(mean_difference.n - 1, -abs(t))),
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


def _students(values: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy.special import stdtrit

    n = len(values)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(values.std(ddof=1)) / sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def _bootstrap(values: np.ndarray, confidence: float) -> tuple[float, float]:
    from scipy import stats

    resampled = stats.bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    )  # a fixed draw, so that a page shows the same interval every time
    return float(resampled.confidence_interval.low), float(resampled.confidence_interval.high)


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy import stats

    # Rounded, so that differences that are the same but for the last bit are ties.
    return float(stats.wilcoxon(differences.round(12)).pvalue)


def _all_the_same(values: np.ndarray) -> bool:
    """But for the last bit: 0.845 - 0.840 is not 0.850 - 0.845, and no spread must not look like certainty."""
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))
