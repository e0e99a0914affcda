"""The statistics of every page and of the study: the mean of a setting, and the difference of two, over seeds.

The seed is what is repeated. A seed that was run twice is no second repetition: its values are averaged first, so n is
the number of different seeds; of what cannot be averaged, the newest run counts (`one_per_seed`).

A difference that is not shown is not "none": it is *equivalent* only where two one-sided tests (Schuirmann 1987) put it
within a margin, and *undecided* otherwise, with the difference that so many seeds would have shown.

An interval is Student's t or the bootstrap's, as asked for. One around a mean of shares is cut off at 0 and 1, one
around a difference of shares at -1 and 1: what lies beyond cannot be the mean, so it covers it as often as before.

`scipy.stats` takes the app 48 MB and a second. So it is imported by what needs it alone, the bootstrap and Wilcoxon's
test; the t distribution is `scipy.special`'s.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan, sqrt
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

SIGNIFICANT = 0.05
"""A corrected p below this is called a difference."""
CONFIDENCE = 1 - SIGNIFICANT
LEVEL = f"{100 * CONFIDENCE:g} %"
INTERVAL = f"{LEVEL} interval"
"""Whatever its kind, in words; as `INTERVALS` says them where the kind is told."""
MARGIN = 0.01
"""Of accuracy, 0..1: a difference that is surely smaller is none that matters."""
POWER = 0.8
"""How often a difference of the size that is called detectable would be shown."""
RESAMPLES = 4000

IntervalKind = Literal["t", "bootstrap"]
INTERVALS: dict[IntervalKind, str] = {"t": f"{LEVEL} t interval", "bootstrap": f"{LEVEL} bootstrap interval"}
"""What an interval is called wherever one is told."""
Verdict = Literal["higher", "lower", "equivalent", "undecided", "untested"]
"""Of a difference, first minus second. "untested": fewer than two pairs, or no spread from which to tell chance."""

Range = tuple[float, float]
"""What a mean may be."""
SHARES: Range = (0.0, 1.0)
DIFFERENCES: Range = (-1.0, 1.0)
"""Of two shares."""
AMOUNTS: Range = (0.0, inf)
ANYTHING: Range = (-inf, inf)

BySeed = Mapping[Any, float]
"""Seed -> what came out under it."""


class Made(Protocol):
    """What tells which of two runs is the newer one."""

    @property
    def id(self) -> str: ...

    @property
    def created(self) -> float: ...


OneRun = TypeVar("OneRun", bound=Made)


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
    def error(self) -> float:
        """Standard error of the mean; NaN for one value."""
        return self.std / sqrt(self.n) if self.n else nan

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
    p_equivalent: float = nan
    """Of two one-sided paired t tests against the margin; NaN without one, and where `p` is."""
    values: tuple[float, ...] = ()
    """The differences, pair by pair."""
    kind: IntervalKind = "t"
    within: Range = ANYTHING
    corrected: float = nan
    """`p` by Holm within the family; NaN before `family` has set it."""
    corrected_equivalent: float = nan
    """The same of `p_equivalent`."""
    tests: int = 1
    """Of its family: so many the corrected p values and the interval are corrected for."""
    detectable: float = nan
    """The least true difference that would be shown in four of five such comparisons, going by the spread seen here and
    by Bonferroni's level, which is never laxer than Holm's. NaN before `family`, and where `p` is."""

    @property
    def is_clear(self) -> bool:
        """Whether a difference is shown, whatever the interval's kind."""
        return self.corrected < SIGNIFICANT

    @property
    def is_small(self) -> bool:
        """Whether it is shown to be smaller than the margin."""
        return self.corrected_equivalent < SIGNIFICANT

    @property
    def verdict(self) -> Verdict:
        """The one verdict on a difference. One that is shown and small is still one: `is_small` says so."""
        return verdict(self.p, self.difference.mean, clear=self.is_clear, small=self.is_small)


def verdict(p: float, difference: float, *, clear: bool, small: bool) -> Verdict:
    """Of a test with this p, of this difference.

    Args:
        clear: whether the difference is shown, after correction.
        small: whether it is shown to be smaller than the margin.
    """
    if isnan(p):
        return "untested"
    if clear:
        return "higher" if difference > 0 else "lower"
    return "equivalent" if small else "undecided"


# --- what pages ask ---------------------------------------------------------------------------------------------------


def by_seed(values: Iterable[tuple[Hashable, float | None]]) -> dict[Hashable, float]:
    """(seed, value of a run) -> mean of each seed. What is None or NaN is left out."""
    collected: dict[Hashable, list[float]] = {}
    for seed, value in values:
        if value is not None and not isnan(value):
            collected.setdefault(seed, []).append(float(value))
    return {seed: sum(own) / len(own) for seed, own in collected.items()}


def one_per_seed(runs: Iterable[OneRun], seed_of: Callable[[OneRun], Hashable]) -> list[OneRun]:
    """The newest of each seed, for what cannot be averaged: the same run again would agree with itself.

    Args:
        runs: finished ones, in any order: which of them counts is told by when they were made.

    Returns: in the order in which the seeds come first in `runs`.
    """
    newest: dict[Hashable, OneRun] = {}
    for run in runs:
        known = newest.setdefault(seed_of(run), run)
        if (run.created, run.id) > (known.created, known.id):
            newest[seed_of(run)] = run
    return list(newest.values())


def of_setting(values: BySeed, within: Range = SHARES, kind: IntervalKind = "t") -> Interval:
    """Mean of a setting over its seeds, and the interval around it.

    Args:
        values: one for each seed, from `by_seed`.
        within: what the mean may be; the interval is cut off there.
        kind: of the interval.
    """
    return mean_interval(list(values.values()), kind=kind, within=within)


def difference(
    first: BySeed,
    second: BySeed,
    within: Range = DIFFERENCES,
    kind: IntervalKind = "t",
    margin: float | None = MARGIN,
) -> Paired:
    """Compare two settings over the seeds that both have.

    Args:
        margin: below which a difference does not matter; None where nobody can say.
    """
    shared = [seed for seed in first if seed in second]
    return paired([first[seed] for seed in shared], [second[seed] for seed in shared], kind, within, margin)


def family(tests: Sequence[Paired]) -> list[Paired]:
    """All that was compared to answer one question, corrected for their number.

    p values by Holm, once for differences and once for equivalence; intervals by Bonferroni, so that all of them at
    once hold what they say with `CONFIDENCE`. Holm's steps can show a difference whose interval just reaches zero.
    """
    number = max(1, sum(not isnan(one.p) for one in tests))
    level = SIGNIFICANT / number
    differ, equivalent = holm([one.p for one in tests]), holm([one.p_equivalent for one in tests])
    return [
        replace(
            one,
            difference=mean_interval(one.values, 1 - (1 - CONFIDENCE) / number, one.kind, one.within),
            corrected=p,
            corrected_equivalent=same,
            tests=number,
            detectable=detectable(one.difference.error, one.difference.n - 1, level),
        )
        for one, p, same in zip(tests, differ, equivalent, strict=True)
    ]


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
    first: Sequence[float],
    second: Sequence[float],
    kind: IntervalKind = "t",
    within: Range = ANYTHING,
    margin: float | None = None,
) -> Paired:
    """Compare two settings seed by seed; `first[i]` and `second[i]` share a seed. Pairs with a gap are left out."""
    differences = np.asarray(first, float) - np.asarray(second, float)
    known = differences[~np.isnan(differences)]
    values = tuple(map(float, known))
    seen = mean_interval(values, kind=kind, within=within)
    if seen.n < 2 or _all_the_same(known):
        p = 1.0 if seen.n > 1 and not known.any() else nan
        return Paired(seen, nan, p, nan, values=values, kind=kind, within=within)
    from scipy.special import stdtr

    freedom, error = seen.n - 1, seen.error
    beyond = nan if margin is None else float(stdtr(freedom, (abs(seen.mean) - margin) / error))
    return Paired(
        seen,
        effect=seen.mean / seen.std,
        p=float(2 * stdtr(freedom, -abs(seen.mean) / error)),
        p_wilcoxon=_wilcoxon(known) if kind == "bootstrap" else nan,
        p_equivalent=beyond,
        values=values,
        kind=kind,
        within=within,
    )


@dataclass(frozen=True)
class Differ:
    """Whether settings differ at all, seeds being blocks."""

    n: int
    """Seeds that all settings have."""
    f: float
    """Of a repeated-measures analysis of variance: settings over settings by seeds."""
    p: float
    """Share of the ways to deal the settings out anew within every seed that give an F as large; it assumes no shape,
    and no equal variances (sphericity), as F's own distribution would. NaN for fewer than two seeds or settings."""


def repeated_measures(settings: Sequence[BySeed], deals: int = 9999) -> Differ:
    """Do these settings differ, over the seeds that all of them have?"""
    shared = [seed for seed in settings[0] if all(seed in other for other in settings)] if settings else []
    if len(shared) < 2 or len(settings) < 2:
        return Differ(len(shared), nan, nan)
    values = np.array([[setting[seed] for setting in settings] for seed in shared])
    values = values - values.mean(axis=1, keepdims=True)  # what seeds have in common
    seen, rng = float(_f(values[None])[0]), np.random.default_rng(0)
    dealt = rng.permuted(np.broadcast_to(values, (deals, *values.shape)), axis=2)
    return Differ(len(shared), seen, (1 + int((_f(dealt) >= seen * (1 - 1e-12)).sum())) / (deals + 1))


def _f(values: np.ndarray) -> np.ndarray:
    """(k, seeds, settings) without the means of seeds -> (k,)."""
    seeds, settings = values.shape[1:]
    means = values.mean(axis=1, keepdims=True)
    between = seeds * (means**2).sum(axis=(1, 2)) / (settings - 1)
    rest = ((values - means) ** 2).sum(axis=(1, 2)) / ((seeds - 1) * (settings - 1))
    return np.divide(between, rest, out=np.full(len(values), inf), where=rest > 0)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm's step-down): at most `SIGNIFICANT` of such families claim
    anything false, where a p below that is a claim.

    NaN stays NaN and does not count.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]  # NaN sorts to the end
    corrected = np.full(len(p), nan)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return [float(value) for value in corrected]


def detectable(error: float, freedom: float, level: float) -> float:
    """The least true difference that a t test at `level` would show in `POWER` of such studies (noncentral t).

    Args:
        error: standard error of the difference; without any, nothing is known of chance, and so of this: NaN.
        freedom: degrees of freedom.
    """
    if not error > 0:
        return nan
    from scipy.special import nctdtrinc, stdtrit

    return float(nctdtrinc(freedom, 1 - POWER, stdtrit(freedom, 1 - level / 2))) * error


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
