"""Which neurons survive a cut. Pure numpy, so that the worker and the what-if page share one answer.

Section 3 of the paper, with the authors' code as reference: but ranks are compared, never threshold values, so the
counts are exact whatever the ties.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from mimi_core.budget import Widths
from mimi_core.config import NormaliserName, Scope, ScoreName, known_one
from mimi_core.errors import BudgetError, ScoreError
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS

Scores = Mapping[str, np.ndarray]
"""Site name -> (N,) importance of the neurons that are there; higher is better."""

Survivors = dict[str, np.ndarray]
"""Site name -> sorted int64 indices into that site's scores."""


def normaliser_of(score: ScoreName, how: NormaliserName) -> NormaliserName:
    """`how`, but for scores of one distribution at all sites, such as random ones: to divide them would favour narrow
    sites."""
    return how if SCORES[score].divided else "none"


def normalise(raw: Scores, token_widths: Mapping[str, int], how: NormaliserName) -> dict[str, np.ndarray]:
    """Make raw scores (sums over a neuron's own parameters) comparable between sites of different width.

    Args:
        raw: site name -> (N,) sums.
        token_widths: site name -> token width M.
        how: one of `mimi_core.scores.normalisers`.

    Returns:
        site name -> (N,) float64.

    Raises:
        ConfigError: there is no such normaliser.
    """
    divisor = NORMALISERS[known_one(how, NORMALISERS, "normaliser")].divisor
    return {site: np.asarray(values, np.float64) / divisor(token_widths[site], values) for site, values in raw.items()}


def select(
    scores: Scores, initial_widths: Widths, keep_fraction: float | Fraction, scope: Scope = "global"
) -> Survivors:
    """Keep the best `floor(keep_fraction * sum(initial_widths))` neurons.

    Args:
        scores: site name -> (N,) importance of the neurons that are still there. A site that has lost its adapter may
            be absent or empty. The order of the sites settles ties: the earlier site wins, then the lower index.
        initial_widths: site name -> width before the first cut. Budgets refer to these, so that cuts compose.
        keep_fraction: share of the initial neurons to keep, in [0, 1].
        scope: "global" ranks all sites together and may empty one; "local" gives every site its share, fractional
            shares settled by largest remainder.

    Returns:
        site name -> sorted indices into `scores[site]`; the same sites as `scores`, in the same order.

    Raises:
        BudgetError: the keep fraction is outside [0, 1], or the budget exceeds the neurons that are left.
        ScoreError: a score is NaN, an array is not one-dimensional, or a site is unknown or wider than at the start.
    """
    arrays = _checked(scores, initial_widths)
    if not 0 <= keep_fraction <= 1:
        raise BudgetError(f"keep fraction {float(keep_fraction):g} is outside [0, 1]")
    budget = int(keep_fraction * sum(initial_widths.values()))
    left = sum(len(values) for values in arrays.values())
    if budget > left:
        raise BudgetError(f"cannot keep {budget} neurons: only {left} are left, and a cut never brings one back")
    if scope == "global":
        return _best_overall(arrays, budget)
    if scope == "local":
        keep = keep_fraction if isinstance(keep_fraction, Fraction) else Fraction(float(keep_fraction))
        quotas = _quotas(arrays, initial_widths, keep, budget)
        return {site: np.sort(_ranked(values)[: quotas[site]]) for site, values in arrays.items()}
    raise BudgetError(f"unknown scope {scope!r}: choose global or local")


def _checked(scores: Scores, initial_widths: Widths) -> dict[str, np.ndarray]:
    arrays = {site: np.asarray(values) for site, values in scores.items()}
    for site, values in arrays.items():
        if values.ndim != 1:
            raise ScoreError(f"scores of {site} have shape {values.shape}; expected one number per neuron")
        if site not in initial_widths:
            raise ScoreError(f"scores for {site}, which has no initial width")
        if len(values) > initial_widths[site]:
            raise ScoreError(f"{site} has {len(values)} scores but started with {initial_widths[site]} neurons")
        if np.isnan(values).any():
            raise ScoreError(f"scores of {site} are not numbers: training diverged; lower train.lr")
    return arrays


def _ranked(values: np.ndarray) -> np.ndarray:
    """Indices from best to worst; equal scores in order of index."""
    return np.argsort(-values.astype(np.float64), kind="stable")


def _best_overall(arrays: dict[str, np.ndarray], budget: int) -> Survivors:
    if not arrays:
        return {}
    kept = np.zeros(sum(len(values) for values in arrays.values()), dtype=bool)
    kept[_ranked(np.concatenate(list(arrays.values())))[:budget]] = True
    ends = np.cumsum([len(values) for values in arrays.values()])[:-1]
    return {site: np.flatnonzero(part) for site, part in zip(arrays, np.split(kept, ends), strict=True)}


def _quotas(arrays: dict[str, np.ndarray], initial_widths: Widths, keep: Fraction, budget: int) -> dict[str, int]:
    """Largest remainder: floors first, then one more for the largest remainders, never more than a site has left."""
    shares = {site: keep * initial_widths[site] for site in arrays}
    quotas = {site: min(int(share), len(arrays[site])) for site, share in shares.items()}
    missing = budget - sum(quotas.values())
    while missing > 0:
        open_sites = [site for site in arrays if quotas[site] < len(arrays[site])]
        by_remainder = sorted(open_sites, key=lambda site: quotas[site] - shares[site])  # stable: earlier site first
        for site in by_remainder[:missing]:
            quotas[site] += 1
        missing -= len(by_remainder[:missing])
    return quotas
