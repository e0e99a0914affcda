"""Two models on the same test images: how far their accuracies differ, with what the draw of the images leaves open.

Newcombe's intervals, which add up the two Wilson intervals, hold also for few images and for accuracies near 0 and 1:
Newcombe 1998, Statistics in Medicine 17, 873-890 (his method 10, independent) and 2635-2650 (his method 10, paired).
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from mimi_core.analysis.common.statistics import CONFIDENCE, Verdict

Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Standard normal quantile, two-sided."""


@dataclass(frozen=True)
class Difference:
    """Accuracy of the first less that of the second, and the interval around it, of `CONFIDENCE`.

    Attributes:
        images: test images.
        paired: whether it is known image by image who was right; without, the interval is wider.
    """

    first: float
    second: float
    images: int
    low: float
    high: float
    paired: bool

    @property
    def value(self) -> float:
        return self.first - self.second

    @property
    def verdict(self) -> Verdict:
        """Of the first. Nothing is shown where the interval holds zero; that is no proof that they are equal."""
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "undecided"


def wilson(share: float, images: int) -> tuple[float, float]:
    """Interval of a proportion, of `CONFIDENCE` (Wilson 1927)."""
    middle, spread = share + Z**2 / (2 * images), Z * sqrt(share * (1 - share) / images + Z**2 / (4 * images**2))
    whole = 1 + Z**2 / images
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def apart(first: float, second: float, images: int) -> Difference:
    """Of two accuracies on as many images, as if these were different ones: the interval is too wide if anything."""
    return _difference(first, second, images, 0.0, False)


def together(first: np.ndarray, second: np.ndarray) -> Difference:
    """Image by image.

    Args:
        first, second: (n,) bool, whether each model was right; n > 0.
    """
    images = len(first)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    one, other = int((first & ~second).sum()), int((~first & second).sum())
    scale = sqrt(float((both + one) * (other + neither) * (both + other) * (one + neither)))
    cross = float(both * neither - one * other)
    if cross > 0:
        cross = max(cross - images / 2, 0.0)
    return _difference(float(first.mean()), float(second.mean()), images, cross / scale if scale else 0.0, True)


def _difference(first: float, second: float, images: int, correlation: float, paired: bool) -> Difference:
    (low_1, high_1), (low_2, high_2) = wilson(first, images), wilson(second, images)

    def add(one: float, other: float) -> float:
        return sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))

    below, above = add(first - low_1, high_2 - second), add(high_1 - first, second - low_2)
    gap = first - second
    return Difference(first, second, images, max(-1.0, gap - below), min(1.0, gap + above), paired)
