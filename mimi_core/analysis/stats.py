"""Statistics over seeds, with SciPy. Every number that is compared comes with its interval and its raw points."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over independent runs and Student's t interval around it. NaN where there are too few values."""

    n: int
    mean: float
    std: float
    """Of the sample (n - 1); NaN for one value."""
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean, standard deviation and t interval of the values that are numbers."""
    from scipy.special import stdtrit  # light; all of scipy.stats would cost the app 40 MB

    known = np.asarray([v for v in values if v is not None and not isnan(v)], float)
    if not len(known):
        return Interval(0, nan, nan, nan, nan)
    mean = float(known.mean())
    if len(known) == 1:
        return Interval(1, mean, nan, nan, nan)
    std = float(known.std(ddof=1))
    half = float(stdtrit(len(known) - 1, (1 + confidence) / 2)) * std / sqrt(len(known))
    return Interval(len(known), mean, std, mean - half, mean + half)
