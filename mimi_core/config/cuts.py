"""Which cuts a run makes, in exact arithmetic, so that 30 % of ten neurons is three and never two."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import log, log1p

MOST_CUTS = 1_000


def exact(value: float) -> Fraction:
    """The decimal that a person wrote: 0.1 is one tenth, not the nearest binary number."""
    return Fraction(str(value))


def last_share(sigma_0: float, sigma_target: float, neurons: int | None = None) -> Fraction:
    """What the last cut keeps: sigma_0 / sigma_target; of so many neurons at the start one at least."""
    return max(exact(sigma_0) / exact(sigma_target), Fraction(1, neurons) if neurons else Fraction(0))


def until_one_is_left(shares: Sequence[Fraction], neurons: int, made: int) -> Sequence[Fraction]:
    """Without the cuts that come behind a single neuron, and so would cut nothing; those that were `made` stay."""
    single = next((k for k, share in enumerate(shares, 1) if share * neurons < 2), len(shares))
    return shares[: max(single, made)]


def keep_fractions(last: Fraction, rho: float, made: Sequence[Fraction] = ()) -> list[Fraction]:
    """keep_k = max((1 - rho)^k, last) for k = 1 .. K, the smallest K that reaches `last`, the `last_share`.

    Empty when that is 1: then nothing is pruned.

    Args:
        made: cuts that were made already, under whatever settings; the others go on from there.

    Raises:
        ValueError: far more than `MOST_CUTS`, which would take forever; a few more are for the caller to refuse.
    """
    return list(_keep_fractions(last, rho, tuple(made)))


@lru_cache(256)  # runs of a sweep share few settings, and pages ask for a thousand runs
def _keep_fractions(last: Fraction, rho: float, made: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    share = 1 - exact(rho)
    fractions = list(made)
    keep = fractions[-1] if fractions else Fraction(1)
    about = _logarithm(max(keep / last, Fraction(1))) / -log1p(-rho)
    if about > 2 * MOST_CUTS:
        raise ValueError(too_many(about, "raise prune.rho"))
    while keep > last:
        keep = max(keep * share, last)
        fractions.append(keep)
    return tuple(fractions)


def one_shot(last: Fraction, made: Sequence[Fraction] = ()) -> list[Fraction]:
    """A single cut to the `last_share`; none where what was `made` has reached it."""
    return [*made, last] if last < (made[-1] if made else 1) else list(made)


def annealing_epochs(epochs: int, warm: float, settle: float, every: int) -> range:
    """After how many epochs each cut of an annealed training comes: at least one is before them, and one behind."""
    settled = min(epochs - 1, max(1, round(settle * epochs)))
    warmed = min(epochs - settled, max(1, round(warm * epochs)))
    return range(warmed, epochs - settled + 1, every)


def annealed(last: Fraction, when: range) -> list[Fraction]:
    """The budget falls within one training: keep_k = r + (1 - r) (1 - k / K)^3, r being the `last_share`.

    The cubic schedule of AdaLoRA (arXiv 2303.10512, appendix A), after Zhu and Gupta (arXiv 1710.01878).

    Raises:
        ValueError: `when` holds more than `MOST_CUTS` epochs.
    """
    if last >= 1:
        return []
    if len(when) > MOST_CUTS:
        raise ValueError(too_many(len(when), "raise prune.every"))
    return [last + (1 - last) * (1 - Fraction(k, len(when))) ** 3 for k in range(1, len(when) + 1)]


def _logarithm(ratio: Fraction) -> float:
    """Of a ratio of 1 or more: sharp where it is hardly more, and without overflow where it is large."""
    return log1p(float(ratio - 1)) if ratio < 2 else log(ratio.numerator) - log(ratio.denominator)


def too_many(cuts: float, remedy: str) -> str:
    return f"these settings make {cuts:,.0f} cuts, more than {MOST_CUTS:,}: {remedy}"
