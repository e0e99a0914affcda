"""Why layers lost their adapters, in plain words. Plain text, but where it says Markdown: who draws it escapes it."""

from collections.abc import Iterable, Sequence

import pandas as pd

from mimi_core.analysis.common.words import count, listed
from mimi_core.analysis.why.cut_scores import Settings
from mimi_core.analysis.why.tables import Outcome
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS

_BY_LOT = "The scores were drawn by lot, so which layers lost theirs is chance."
NAMED = 4
"""So many layers are named one by one; of more, the number is told."""


def scores_explained(names: Iterable[str]) -> str:
    """What each score is, a sentence each, its name in bold. Markdown."""
    told = (f"**{SCORES[name].label}**: {SCORES[name].words}." for name in names)
    return " ".join(told).replace("_", "\\_")


def unit(settings: Settings) -> str:
    """What scores are that were divided so."""
    score = SCORES[settings.score]
    divided = score.divided and settings.how != "none"
    return f"{score.label} score{f', {NORMALISERS[settings.how].label}' if divided else ''}"


def title(layers: pd.DataFrame, cycle: int, *, chosen: bool = False) -> str:
    """Who lost an adapter, of the layers in question.

    Args:
        layers: the `layers_table` of the real cut, of all layers or of those that somebody chose.
        chosen: whether somebody did. The title is then about those.
    """
    if chosen and len(layers) == 1 and (row := layers.iloc[0])["kept"]:
        before, kept = int(row["before"]), int(row["kept"])
        of = f"{kept:,} of {count(before, 'neuron')}" if kept < before else f"all its {before:,} neurons"
        return f"{row['label']} kept {of if before > 1 else 'its only neuron'} at cut {cycle}"
    lost = list(layers.loc[layers["kept"] == 0, "label"])
    if not lost:
        return f"{f'None of the {len(layers)} chosen layers' if chosen else 'No layer'} lost its adapter at cut {cycle}"
    who = listed(lost) if len(lost) <= NAMED else f"{len(lost)} layers"
    return f"{who} lost {'its adapter' if len(lost) == 1 else 'their adapters'} at cut {cycle}"


def because_of(layers: pd.DataFrame, sites: Sequence[str], real: Outcome) -> str:
    """Why these layers lost or kept theirs, in the real cut.

    Args:
        layers: the `layers_table` of the real cut, of all layers.
        sites: some of them.
    """
    about = of_layer(layers, sites[0], real) if len(sites) == 1 else ""
    if real.settings.scope == "local":
        return f"{about} {because(layers[layers['site'].isin(sites)], real)}".strip()
    said = f"{about} {_decided(layers, real)}".strip()
    return f"{said} {_BY_LOT}" if SCORES[real.settings.score].by_lot else said


def because(layers: pd.DataFrame, real: Outcome) -> str:
    """Why, from the `layers_table` of the real cut and the cut itself."""
    if layers.empty:
        return "There was nothing left to cut."
    said = _local(layers, real) if real.settings.scope == "local" else _global(layers, real)
    if SCORES[real.settings.score].by_lot:
        said += f" {_BY_LOT}"
    return said


def layers_moved(layers: pd.DataFrame) -> str:
    """Whose adapters other settings would take or spare. `layers` is the `layers_table` of their outcome."""
    moved = [
        f"{_names(those, 8)} would {verb} {'their adapters' if len(those) > 1 else 'its adapter'}"
        for change, verb in (("lost", "lose"), ("kept", "keep"))
        if len(those := layers[layers["change"] == change])
    ]
    return f"Unlike in the run, {listed(moved)}." if moved else "The same layers would keep and lose their adapters."


def of_layer(layers: pd.DataFrame, site: str, outcome: Outcome) -> str:
    """What the cut does to one layer, from the `layers_table` of `outcome`."""
    row = layers.set_index("site").loc[site]
    before, kept, was, limit = int(row["before"]), int(row["kept"]), int(row["real"]), outcome.threshold
    said = f"{row['label']} had {count(before, 'neuron')} before the cut and "
    if kept:
        said += f"keeps {f'{kept:,}' if kept < before else 'all' if kept > 1 else 'it'}"
    elif outcome.settings.scope == "local":
        said += "keeps none: its share comes to less than one"
    elif limit is None:
        said += "keeps none, like every layer"
    elif row["best"] >= limit:
        said += "keeps none: its best tied with the last one in, and ties go to the layer nearer to the input"
    else:
        said += f"keeps none: its best scored {row['best']:.3g}, {_short(row['best'], limit)}"
    return f"{said}." if kept == was else f"{said}; in the run it kept {was or 'none'}."


def _decided(layers: pd.DataFrame, real: Outcome) -> str:
    """What a global cut kept, and from which score on."""
    before, limit = int(layers["before"].sum()), real.threshold
    if limit is None:
        return f"The cut kept none of the {count(before, 'neuron')} that were left."
    return (
        f"The cut kept the best {real.kept:,} of the {count(before, 'neuron')} that were left, all layers together. "
        f"The last one in scored {limit:.3g}."
    )


def _global(layers: pd.DataFrame, real: Outcome) -> str:
    said, limit = _decided(layers, real), real.threshold
    if limit is None:
        return said
    lost = layers[layers["kept"] == 0]
    if lost.empty:
        weakest = layers.loc[layers["best"].idxmin()]
        return f"{said} Every layer has a neuron that reached it; the weakest best is {weakest['best']:.3g}, in " + (
            f"{weakest['label']}."
        )
    best = lost.loc[lost["best"].idxmax()]
    if best["best"] >= limit:
        return f"{said} The best neuron of {best['label']} tied with it; ties go to the layer nearer to the input."
    short = _short(best["best"], limit)
    if len(lost) == 1:
        return f"{said} The best neuron of {best['label']} scored {best['best']:.3g}, {short}."
    return (
        f"{said} None of their neurons reached it: the best of them, in {best['label']}, scored {best['best']:.3g}, "
        f"{short}."
    )


def _local(layers: pd.DataFrame, real: Outcome) -> str:
    said = (
        f"Layers did not compete: each kept its own share, {100 * float(real.settings.keep):.3g} % of its neurons at "
        "the start."
    )
    lost = layers[layers["kept"] == 0]
    return f"{said} For {_names(lost)} that came to less than one neuron." if len(lost) else said


def _short(score: float, limit: float) -> str:
    return f"{100 * (1 - score / limit):.2g} % short of the threshold" if limit > 0 else "short of the threshold"


def _names(layers: pd.DataFrame, most: int = NAMED) -> str:
    return listed(list(layers["label"])) if len(layers) <= most else f"{len(layers)} layers"
