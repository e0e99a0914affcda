"""Did a cut take what mattered least? Scores of neurons, summed by layer, against what each layer was worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mimi_core.analysis.why.cut_scores import Cut
from mimi_core.select import normalise, normaliser_of

FEWEST = 3
"""Layers; two are in order half of the time by chance."""


@dataclass(frozen=True)
class RankAgreement:
    """How well one order of layers agrees with another. NaN where all layers are equal in one of them.

    Attributes:
        kendall, spearman: tau-b and rho, in [-1, 1].
        kendall_p, spearman_p: two-sided, of there being no association; layers of one model, not of many runs.
        layers: how many were compared.
    """

    kendall: float
    kendall_p: float
    spearman: float
    spearman_p: float
    layers: int


def rank_agreement(worth: Mapping[str, float], damage: Mapping[str, float]) -> RankAgreement | None:
    """Of two numbers of each layer, over the layers that have both; None for fewer than `FEWEST`.

    Args:
        worth: site -> its score.
        damage: site -> by how much the loss rises without its adapter (`formats.damage.Damage.of_loss`).
    """
    from scipy import stats

    both = [site for site in worth if site in damage]
    if len(both) < FEWEST:
        return None
    one, other = (np.array([values[site] for site in both]) for values in (worth, damage))
    if len(np.unique(one)) == 1 or len(np.unique(other)) == 1:
        nothing = float("nan")
        return RankAgreement(nothing, nothing, nothing, nothing, len(both))
    kendall, spearman = stats.kendalltau(one, other), stats.spearmanr(one, other)
    return RankAgreement(
        float(kendall.statistic), float(kendall.pvalue), float(spearman.statistic), float(spearman.pvalue), len(both)
    )


def worth_of_layers(cut: Cut, score: str) -> dict[str, float]:
    """Site -> the sum of its neurons' scores before the cut, divided as the run divided them."""
    divided = normalise(cut.raw[score], cut.token_widths, normaliser_of(score, cut.real.how))
    return {site: float(values.sum()) for site, values in divided.items()}


def agreement_by_score(cut: Cut, damage: Mapping[str, float]) -> dict[str, RankAgreement]:
    """Score -> how well its order of the layers agrees with the order of their damage, for all that were kept."""
    compared = {score: rank_agreement(worth_of_layers(cut, score), damage) for score in cut.raw}
    return {score: agreement for score, agreement in compared.items() if agreement is not None}
