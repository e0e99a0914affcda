"""Did a cut take what mattered least? Scores of neurons, summed by layer, against what each layer was worth.

The worth is measured: by how much the loss rises when a layer's adapter, or a neuron, is switched off, its *damage*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.statistics import SIGNIFICANT, holm
from mimi_core.analysis.why.cut_scores import Cut
from mimi_core.errors import RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats import damage as damage_file
from mimi_core.runs.formats.damage import Damage
from mimi_core.runs.jobs.neuron_damage import NeuronDamage
from mimi_core.scores.catalogue import label_of
from mimi_core.select import normalise, normaliser_of

FEWEST = 3
"""Layers; two are in order half of the time by chance."""
BEYOND = 2.0
"""Standard errors from zero, from which on a damage is told from none."""
Order = Literal["agrees", "opposed", "undecided", "level", "few"]
"""Of two orders: they agree, or one is the other's reverse, as far as shown; neither is shown; all are equal in one of
them; too few."""


@dataclass(frozen=True)
class RankAgreement:
    """How well one order agrees with another. NaN where all are equal in one of them.

    Attributes:
        kendall, spearman: tau-b and rho, in [-1, 1].
        kendall_p, spearman_p: two-sided, of there being no association; layers of one model, not of many runs.
        count: how many were compared.
    """

    kendall: float
    kendall_p: float
    spearman: float
    spearman_p: float
    count: int


def rank_agreement(worth: Mapping[Any, float], damage: Mapping[Any, float]) -> RankAgreement | None:
    """Of two numbers of each layer or neuron, over those that have both; None for fewer than `FEWEST`.

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


def order_of(agreement: RankAgreement | None) -> Order:
    """The one verdict on an agreement, by Kendall's tau."""
    if agreement is None:
        return "few"
    if isnan(agreement.kendall_p):
        return "level"
    if agreement.kendall_p >= SIGNIFICANT:
        return "undecided"
    return "agrees" if agreement.kendall > 0 else "opposed"


# --- layers -----------------------------------------------------------------------------------------------------------


def damage_of(run: Path, cycle: int, widths: Mapping[str, int]) -> Damage | None:
    """What each adapter was worth before cut `cycle`; None where it was not measured.

    Args:
        widths: site -> neurons before the cut.

    Raises:
        RunError: it cannot be read, or is of other layers.
    """
    path = damage_file.path_of(run, cycle)
    if not path.exists():
        return None
    found = damage_file.read(run, cycle)
    if {*found.loss_without} != {site for site, neurons in widths.items() if neurons}:
        raise RunError(f"{path} is of other layers than cut {cycle} of this run")
    return found


def damage_when_lost(run: Path, state: RunState) -> tuple[dict[int, Damage | None], list[str]]:
    """Cut -> what each adapter was worth before it, for all cuts that took one; and in words what could not be read."""
    found: dict[int, Damage | None] = {}
    problems = []
    for cut in sorted({*state.removed_at.values()} & {*range(1, len(state.widths))}):
        try:
            found[cut] = damage_of(run, cut, state.widths[cut - 1])
        except RunError as error:
            found[cut] = None
            problems.append(str(error))
    return found, problems


def last_that_took_one(state: RunState) -> int | None:
    """The last cut that took an adapter; None where none did."""
    return max((cut for cut in state.removed_at.values() if 1 <= cut <= len(state.cuts)), default=None)


def worth_of_layers(cut: Cut, score: str) -> dict[str, float]:
    """Site -> the sum of its neurons' scores before the cut, divided as the run divided them."""
    divided = normalise(cut.raw[score], cut.token_widths, normaliser_of(score, cut.real.how))
    return {site: float(values.sum()) for site, values in divided.items()}


def agreement_by_score(cut: Cut, damage: Mapping[str, float]) -> dict[str, RankAgreement]:
    """Score -> how well its order of the layers agrees with the order of their damage, for all that were kept."""
    compared = {score: rank_agreement(worth_of_layers(cut, score), damage) for score in cut.raw}
    return {score: agreement for score, agreement in compared.items() if agreement is not None}


def agreements_table(cut: Cut, damage: Damage) -> pd.DataFrame:
    """One row per score that was kept, the best agreement first.

    Columns: score, label, kendall, p (by Holm, over the scores), decided (whether the run cut by it).
    """
    known = agreement_by_score(cut, damage.of_loss)
    corrected = holm([agreement.kendall_p for agreement in known.values()])
    rows = [
        (score, label_of(score), agreement.kendall, p, score == cut.real.score)
        for (score, agreement), p in zip(known.items(), corrected, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["score", "label", "kendall", "p", "decided"])
    return table.sort_values("kendall", ascending=False, kind="stable").reset_index(drop=True)


def damage_table(layers: Sequence[Layer], cut: Cut, damage: Damage) -> pd.DataFrame:
    """One row per layer that had an adapter before the cut.

    Columns: site, label, order, score (of its neurons, summed and divided as the run did), damage, error (its standard
    error; NaN where not known), lost (whether the cut took the whole adapter), told (whether the damage is told from
    zero).
    """
    worth, lifted = worth_of_layers(cut, cut.real.score), damage.of_loss
    rows = [
        (layer.site, layer.label, layer.order, worth[layer.site], lifted[layer.site], damage.error[layer.site])
        for layer in layers
        if layer.site in worth and layer.site in lifted
    ]
    table = pd.DataFrame(rows, columns=["site", "label", "order", "score", "damage", "error"])
    lost = [not len(cut.survivors[site]) for site in table["site"]]
    return _told(table.assign(lost=np.array(lost, dtype=bool)))


def least_among_lost(table: pd.DataFrame) -> int:
    """How many of the layers that lost their adapters are among as many of least damage. Of a `damage_table`."""
    least = table.sort_values("damage", kind="stable").head(int(table["lost"].sum()))
    return int(least["lost"].sum())


def gone_table(widths: pd.DataFrame, measured: Mapping[int, Damage | None]) -> pd.DataFrame:
    """What each adapter that went was worth at the end, before the cut that took it.

    Args:
        widths: a `widths_table`.
        measured: cut -> what was measured before it, for cuts that took an adapter.

    Columns: site, label, cut, damage, error, told (as in a `damage_table`), images, split; NaN, False, 0 and "" where
    it was not measured.
    """
    rows: list[tuple[Any, ...]] = []
    for site, label, cut in widths.loc[widths["vanished"], ["site", "label", "cycle"]].itertuples(index=False):
        found = measured.get(cut)
        if found is None or site not in found.loss_without:
            rows.append((site, label, cut, np.nan, np.nan, 0, ""))
        else:
            rows.append((site, label, cut, found.of_loss[site], found.error[site], found.images, found.split))
    return _told(pd.DataFrame(rows, columns=["site", "label", "cut", "damage", "error", "images", "split"]))


# --- neurons ----------------------------------------------------------------------------------------------------------


def neuron_damage_table(cut: Cut | None, found: NeuronDamage) -> pd.DataFrame:
    """One row per neuron of a layer, in their order before the cut.

    Columns: neuron, damage, error, accuracy (0..1, without it), told; and of a cut: score (divided as the run did),
    lost.

    Args:
        cut: the one after the cycle that was measured; None where none followed.

    Raises:
        RunError: it is of other neurons.
    """
    neurons = np.arange(len(found.error))
    columns = {"damage": found.of_loss, "error": found.error, "accuracy": found.accuracy_without}
    table = _told(pd.DataFrame({"neuron": neurons, **columns}))
    if cut is None:
        return table
    raw = cut.raw[cut.real.score].get(found.site)
    if cut.cycle != found.cycle + 1 or raw is None or len(raw) != len(neurons):
        raise RunError(f"what was measured is of other neurons than cut {cut.cycle} of this run")
    how = normaliser_of(cut.real.score, cut.real.how)
    scores = normalise({found.site: raw}, cut.token_widths, how)[found.site]
    return table.assign(score=scores, lost=~np.isin(neurons, cut.survivors[found.site]))


def agreement_of(table: pd.DataFrame) -> RankAgreement | None:
    """Of the scores in a `damage_table` or `neuron_damage_table` with the damage."""
    return rank_agreement(dict(enumerate(table["score"])), dict(enumerate(table["damage"])))


def _told(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(told=table["damage"].abs() > BEYOND * table["error"])
