"""Why a cut took what it took, and what other settings would have taken. Pure functions on a `Cut`; no training."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.why.cut_scores import Cut, Settings
from mimi_core.config import Scope
from mimi_core.select import normalise, normaliser_of, select


@dataclass(frozen=True)
class Outcome:
    """What some settings make of a cut."""

    settings: Settings
    scores: dict[str, np.ndarray]
    """Site -> (N,) comparable scores of the neurons before the cut."""
    survivors: dict[str, np.ndarray]
    """Site -> sorted indices into them."""

    @property
    def kept(self) -> int:
        return sum(len(indices) for indices in self.survivors.values())

    @property
    def threshold(self) -> float | None:
        """Lowest score that was kept, when all layers compete; None when nothing was kept, or for local scope."""
        thresholds = self.thresholds.values()
        return min(thresholds, default=None) if self.settings.scope == "global" else None

    @property
    def thresholds(self) -> dict[str, float]:
        """Site -> its lowest score that was kept; sites that keep nothing have none."""
        return {s: float(self.scores[s][kept].min()) for s, kept in self.survivors.items() if len(kept)}


def what_if(cut: Cut, settings: Settings) -> Outcome:
    """The cut under other settings, from the stored scores, by the code that cuts in a run.

    The neurons before the cut are those of the run: only this one cut is decided anew.
    """
    how = normaliser_of(settings.score, settings.how)
    scores = normalise(cut.raw[settings.score], cut.token_widths, how)
    return Outcome(settings, scores, select(scores, cut.initial_widths, settings.keep, settings.scope))


def as_it_was(cut: Cut) -> Outcome:
    """The real cut, from the file and not worked out again."""
    scores = normalise(cut.raw[cut.real.score], cut.token_widths, cut.real.how)
    return Outcome(cut.real, scores, cut.survivors)


def same_survivors(one: Outcome, other: Outcome) -> bool:
    return all(np.array_equal(kept, other.survivors[site]) for site, kept in one.survivors.items())


def overlap(one: Outcome, other: Outcome) -> float:
    """Jaccard index of the survivors: shared over all that either keeps, 0..1; 1 when neither keeps any."""
    shared = sum(len(np.intersect1d(kept, other.survivors[s])) for s, kept in one.survivors.items())
    either = one.kept + other.kept - shared
    return shared / either if either else 1.0


def rho_of(cut: Cut, keep: Fraction) -> Fraction:
    """Share of the neurons before the cut that it removes."""
    return 1 - keep / cut.keep_before


def rhos(cut: Cut, steps: int = 20) -> dict[str, Fraction]:
    """Shares to choose from: twentieths, and the one of the run, exact, by the text that stands for it."""
    shares = {Fraction(i, steps) for i in range(1, steps)} | {rho_of(cut, cut.real.keep)}
    return {_share(rho): rho for rho in sorted(shares)}


def _share(rho: Fraction) -> str:
    return f"{float(rho):.2f}" if (100 * rho).denominator == 1 else f"{float(rho):.4f}"


def neurons_table(layers: Sequence[Layer], outcome: Outcome, real: Outcome) -> pd.DataFrame:
    """One row per neuron before the cut, best first within a layer.

    Columns: site, label, order, group, neuron (index in the layer before the cut), score, kept (under the settings of
    `outcome`), was_kept (in the run), margin (score minus the layer's threshold, as a share of it; NaN without one).
    """
    present = [layer for layer in layers if layer.site in outcome.scores]
    sizes = [len(outcome.scores[layer.site]) for layer in present]
    scores = [outcome.scores[layer.site] for layer in present]
    own, common = outcome.thresholds, outcome.threshold
    limits = [own.get(layer.site, np.nan) if common is None else common for layer in present]
    table = pd.DataFrame(
        {
            "site": np.repeat([layer.site for layer in present], sizes),
            "label": np.repeat([layer.label for layer in present], sizes),
            "order": np.repeat([layer.order for layer in present], sizes),
            "group": np.repeat([layer.group for layer in present], sizes),
            "neuron": _joined([np.arange(size) for size in sizes]).astype(int),
            "score": _joined(scores),
            "kept": _joined(
                [_flags(outcome.survivors[layer.site], len(s)) for layer, s in zip(present, scores, strict=True)]
            ),
            "was_kept": _joined(
                [_flags(real.survivors[layer.site], len(s)) for layer, s in zip(present, scores, strict=True)]
            ),
        }
    )
    limit = np.repeat(np.asarray(limits, float), sizes)
    return table.assign(margin=(table["score"] - limit) / np.where(limit == 0, 1.0, np.abs(limit)))


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0)


def _flags(indices: np.ndarray, size: int) -> np.ndarray:
    flags = np.zeros(size, dtype=bool)
    flags[indices] = True
    return flags


def ranked_table(neurons: pd.DataFrame) -> pd.DataFrame:
    """Layer by layer all neurons, best first. A part of a `neurons_table`."""
    return neurons.sort_values(["order", "score"], ascending=[True, False], kind="stable").reset_index(drop=True)


def nearest_table(neurons: pd.DataFrame, scope: Scope, each: int = 8) -> pd.DataFrame:
    """The neurons that just made it and those that just did not, best first. A part of a `neurons_table`.

    Where every layer has a threshold of its own, the neurons that are one are left out: each would be nearest.
    """
    margins, kept = neurons["margin"].to_numpy(), neurons["kept"].to_numpy()
    inside = np.flatnonzero(kept & ((margins > 0) | ((margins == 0) & (scope == "global"))))
    outside = np.flatnonzero(~kept & ~np.isnan(margins))
    inside = inside[np.argsort(margins[inside], kind="stable")[:each]]
    outside = outside[np.argsort(-margins[outside], kind="stable")[:each]]
    return neurons.iloc[[*inside[::-1], *outside]].reset_index(drop=True)


def thinned_neurons(neurons: pd.DataFrame, at_most: int = 4500, bins: int = 400) -> pd.DataFrame:
    """A `neurons_table` that a chart can draw: where there are too many, neighbours in a layer stand for each other.

    Neighbours have equal fate and are close in rank: 1/`bins` of all, or twice that as often as it takes.
    """
    ranks = neurons["score"].rank(method="dense", pct=True)
    shown = neurons
    while len(shown) > at_most and bins:
        steps = neurons[["order", "kept", "was_kept"]].assign(step=(ranks * bins).round())
        shown = neurons[~steps.duplicated()]
        bins //= 2
    return shown


def matching(layers: Sequence[Layer], words: Sequence[str]) -> list[Layer]:
    """The layers that the words name: sites, groups ("stage 2") or positions ("attn"). Without words, all."""
    asked = set(words)
    return [layer for layer in layers if not asked or asked & {layer.site, layer.group, layer.position}]


def layers_table(layers: Sequence[Layer], outcome: Outcome, real: Outcome) -> pd.DataFrame:
    """One row per layer that had an adapter before the cut.

    Columns: site, label, order, group, colour, before, real, kept (neurons before the cut, after it in the run,
    and after it under the settings of `outcome`), best (highest score), threshold (lowest score kept, NaN without
    one), change ("" or what becomes of the adapter, unlike in the run: "lost" or "kept").
    """
    own = outcome.thresholds
    rows = []
    for layer in layers:
        if layer.site not in outcome.scores:
            continue
        kept, was = len(outcome.survivors[layer.site]), len(real.survivors[layer.site])
        rows.append(
            {
                "site": layer.site,
                "label": layer.label,
                "order": layer.order,
                "group": layer.group,
                "colour": layer.colour,
                "before": len(outcome.scores[layer.site]),
                "real": was,
                "kept": kept,
                "best": float(outcome.scores[layer.site].max()),
                "threshold": own.get(layer.site, float("nan")),
                "change": "" if bool(kept) == bool(was) else "kept" if kept else "lost",
            }
        )
    columns = "site label order group colour before real kept best threshold change".split()
    return pd.DataFrame(rows, columns=columns)
