"""Do runs of one setting, one of each seed, agree on the layers? All that pages, reports and findings say of it.

- In how many runs a layer keeps its adapter (`survival`): Widths after every cut, Ablations, reports and findings after
  the last.
- Whether any two runs keep adapters at the same layers (`Agreement.layers`, Jaccard's index of sets, beside what chance
  would give), and how far also as wide ones (`Agreement.widths`, the same of amounts): Widths; the first in reports,
  too. "The same layers" always means this.
- Whether two runs, or two scores, put things into the same order (`rank_correlation`, Kendall's tau): Ablations, cut by
  cut, where all layers of the runs still have an adapter and sets tell nothing; findings, within a task and across.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mimi_core.analysis.common.labels import Layer

LAYERS_HELP = (
    "Jaccard index of the layers that keep an adapter: those that two runs both keep, as a share of those that either "
    "keeps; mean of all pairs of seeds. By chance: if every run had drawn as many layers by lot."
)
WIDTHS_HELP = (
    "Neurons that two runs have at the same layers, as a share of those that either has; mean of all pairs of seeds. "
    "Jaccard's index, of widths."
)
ORDER_HELP = (
    "Kendall's τ between two seeds over the shares of their widths that layers kept, mean of all pairs of seeds. "
    "1: they put the layers into the same order, 0: no relation."
)


@dataclass(frozen=True)
class Survival:
    """In how many of some runs, one of each seed, every layer keeps its adapter."""

    runs: int
    kept: dict[str, int]
    """Layer -> so many of the runs, from the input on."""

    @property
    def always_lost(self) -> list[str]:
        """Layers that no run keeps an adapter at."""
        return [layer for layer, number in self.kept.items() if not number]

    @property
    def sometimes(self) -> list[str]:
        """Those where it depends on the seed."""
        return [layer for layer, number in self.kept.items() if 0 < number < self.runs]

    @property
    def never_lost(self) -> list[str]:
        return [layer for layer, number in self.kept.items() if 0 < number == self.runs]


def survival(ends: Sequence[Mapping[str, float]], sites: Sequence[str]) -> Survival:
    """In how many runs the layers keep their adapters.

    Args:
        ends: layer -> what is left of its adapter, in neurons or as a share; one run of each seed.
        sites: the layers, from the input on. One that a run does not name has no adapter there.
    """
    return Survival(len(ends), {site: sum(end.get(site, 0) > 0 for end in ends) for site in sites})


def survival_rows(layers: Sequence[Layer], survivals: Mapping[str, Survival]) -> pd.DataFrame:
    """What `widths.still.kept_chart` draws, one row of each name and layer.

    Columns: row (the name), site, label, group, survived, runs.
    """
    rows = [
        (name, layer.site, layer.label, layer.group, told.kept[layer.site], told.runs)
        for name, told in survivals.items()
        for layer in layers
    ]
    return pd.DataFrame(rows, columns=["row", "site", "label", "group", "survived", "runs"])


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
