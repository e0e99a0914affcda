"""Accuracy over parameters: the area under a curve, and the points that no other one beats."""

from collections.abc import Sequence
from math import isnan, nan

import numpy as np
from numpy.typing import ArrayLike


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
    on_front = np.empty(x.shape, bool)
    np.put_along_axis(on_front, order, (y == np.take_along_axis(y, first, -1)) & (y > with_fewer), -1)
    return on_front & known
