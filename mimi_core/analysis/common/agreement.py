"""How alike runs are: the layers that they keep, how wide these are, and the order of anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

LAYERS_HELP = (
    "Jaccard index of the layers that keep an adapter: those that two runs both keep, as a share of those that either "
    "keeps; mean of all pairs of seeds. By chance: if every run had drawn as many layers by lot."
)
WIDTHS_HELP = (
    "Neurons that two runs have at the same layers, as a share of those that either has; mean of all pairs of seeds. "
    "Jaccard's index, of widths."
)


@dataclass(frozen=True)
class Agreement:
    """Between any two of the runs after their last cut, on average. All are 0..1."""

    layers: float
    """Jaccard index of the layers that keep an adapter; 1 for two runs that both keep none."""
    by_chance: float
    """What that would be if each run had drawn as many layers by lot."""
    widths: float
    """Shared neurons over all neurons, layer by layer: the Jaccard index of the widths (Ruzicka's)."""


def agreement(ends: Sequence[Mapping[str, int]]) -> Agreement:
    """How far runs agree on where adapters are needed.

    Args:
        ends: layer -> neurons that are left, of two runs or more; one run of each seed.
    """
    sites = list(ends[0])
    widths = np.array([[end.get(site, 0) for site in sites] for end in ends], float)  # (runs, layers)
    alive = (widths > 0).astype(float)
    pairs = list(combinations(range(len(ends)), 2))
    kept = alive.sum(1)
    lot = [(kept[i] * kept[j] / len(sites), kept[i] + kept[j]) for i, j in pairs]
    return Agreement(
        layers=float(np.mean([jaccard(alive[i], alive[j]) for i, j in pairs])),
        by_chance=float(np.mean([shared / (both - shared) if both else 1.0 for shared, both in lot])),
        widths=float(np.mean([jaccard(widths[i], widths[j]) for i, j in pairs])),
    )


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """What both have over what either has, 0..1; 1 where neither has any.

    Args:
        one, other: (n,) amounts, or 0 and 1 for sets.
    """
    either = np.maximum(one, other).sum()
    return float(np.minimum(one, other).sum() / either) if either else 1.0


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Kendall's tau-b, -1..1: 1 for the same order. NaN where one of them orders nothing, or for fewer than two."""
    one, two = np.asarray(first, float), np.asarray(second, float)
    if len(one) < 2 or not np.ptp(one) or not np.ptp(two):
        return nan
    return float(pd.DataFrame({"one": one, "two": two}).corr(method="kendall").loc["one", "two"])
