"""What adapters and neurons were worth, and whether their scores said so, in careful words. Plain text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mimi_core.analysis.common.words import count, decimal, listed, p_said
from mimi_core.analysis.why.damage import BEYOND, RankAgreement, least_among_lost, order_of
from mimi_core.runs.formats.damage import Damage, Measured
from mimi_core.runs.jobs.neuron_damage import NeuronDamage

SPLITS: Mapping[Measured, str] = {"val": "validation", "train": "training"}
NAMED = 3
"""So many layers are named one by one; of more, the number is told."""
_BEYOND = {2.0: "two"}[BEYOND]


def answer(table: pd.DataFrame, agreement: RankAgreement | None) -> str:
    """Did the cut take what mattered least? As far as one order of layers can tell.

    Args:
        table: the `damage_table` of a cut.
        agreement: of the run's score with the damage, over these layers.
    """
    said = [in_order(agreement, "layer"), _taken(table), _uncertain(table, "layer"), _below(table, "its adapter")]
    return " ".join(part for part in said if part)


def of_neurons(table: pd.DataFrame, agreement: RankAgreement | None) -> str:
    """The same of the neurons of one layer, from its `neuron_damage_table`."""
    said = [in_order(agreement, "neuron"), _cut(table), _uncertain(table, "neuron"), _below(table, "the neuron")]
    return " ".join(part for part in said if part)


def in_order(agreement: RankAgreement | None, what: str) -> str:
    """Whether those with a higher score were worth more."""
    order = order_of(agreement)
    if agreement is None:
        return f"Too few {what}s are left to compare their order."
    told = f"Kendall's τ {tau(agreement.kendall)}, {p_said(agreement.kendall_p)}, {count(agreement.count, what)}"
    return {
        "agrees": f"On the whole, {what}s with a higher score were worth more ({told}).",
        "opposed": f"On the whole, {what}s with a higher score were worth less ({told}).",
        "undecided": f"Whether {what}s with a higher score were worth more is not shown ({told}).",
        "level": f"All {agreement.count} {what}s scored the same, or lost the same: there is no order to compare.",
    }[order]


def what_it_is(measured: Damage | NeuronDamage, whose: str) -> str:
    """What a damage is, and what it speaks for. `whose`: "adapter" or "neuron"."""
    said = (
        f"Damage: by how much the cross entropy on {images(measured.images, measured.split)} rises when the {whose} is "
        f"switched off and all else stays; {decimal(measured.loss, 3)} with all on."
    )
    if measured.split == "train":
        said += " The model was trained on these images, so it counts what was learned by heart, too."
    return (
        f"{said} It speaks for this model, on these images, before training goes on, and for one at a time. p takes "
        f"{whose}s for independent of one another, which those of one model are not quite."
    )


def images(number: int, split: Measured) -> str:
    return count(number, f"{SPLITS[split]} image")


def tau(value: float) -> str:
    return decimal(value, 2, signed=True)


def worth(damage: float, error: float) -> str:
    """`+0.031 ± 0.010`: a damage, and the standard error where it is known."""
    said = decimal(damage, 3, signed=True)
    return said if np.isnan(error) else f"{said} ± {decimal(error, 3)}"


def not_measured(config: Mapping[str, Any], *, example: bool) -> str:
    """Why a cut has none, and how to have it.

    Args:
        config: of the run, as it began.
        example: it comes with the program.
    """
    said = "What each adapter was worth before this cut was not measured"
    prune = config.get("prune")
    asked = prune if isinstance(prune, Mapping) else {}
    if asked.get("schedule") == "anneal":
        return f"{said}: with prune.schedule=anneal it is not, with any other schedule it is."
    if asked.get("measure_damage") is False:
        return f"{said}: the run was made with prune.measure_damage=false. One with true, as is usual, has it."
    whose = "this example" if example else "the run"
    return f"{said}, or not kept: {whose} is older than prune.measure_damage. Runs made now have it."


def of_gone(gone: pd.DataFrame, after: int) -> str:
    """What the adapters that are gone were worth when they went, beside the sentence that tells which they are.

    Args:
        gone: a `gone_table`.
        after: which cut; later ones are left out.
    """
    gone = gone[gone["cut"] <= after]
    known = gone.dropna(subset=["damage"])
    if gone.empty:
        return ""
    low = "Gone means ranked low by this score, which does not show that a layer needs no adapter"
    if known.empty:
        return f"{low}; what these were worth when they went was not measured."
    missing = len(gone) - len(known)
    rest = f" Of {missing} more it was not measured." if missing else ""
    before = "Switched off one by one, just before the cuts that took them: " if len(known) > 1 else ""
    said = _worth_of(known)
    return f"{low}. {before}{said[0].lower() if before else said[0]}{said[1:]}{rest}"


def when_it_went(row: Mapping[Any, Any]) -> str:
    """One row of a `gone_table`, for a tooltip."""
    if np.isnan(row["damage"]):
        return f"what it was worth before cut {row['cut']} was not measured"
    return (
        f"before cut {row['cut']}, switching it off changed the loss by {worth(row['damage'], row['error'])}; "
        f"({images(row['images'], row['split'])})"
    )


# --- parts ------------------------------------------------------------------------------------------------------------


def _taken(table: pd.DataFrame) -> str:
    lost = table[table["lost"]]
    if lost.empty:
        return "The cut took no whole adapter."
    if len(lost) == len(table):
        return "The cut took all adapters that were left."
    least, by_chance = least_among_lost(table), len(lost) ** 2 / len(table)
    if len(lost) == 1:
        rank = 1 + int((table["damage"] < lost["damage"].iloc[0]).sum())
        who = f"The adapter that went, {lost['label'].iloc[0]}, was of the {len(table)} the "
        among = f"{who}{'one of least damage' if rank == 1 else f'{_ordinal(rank)} from the least damage up'}."
    else:
        among = (
            f"Of the {len(lost)} adapters that went, {least or 'none'} {'is' if least == 1 else 'are'} among the "
            f"{len(lost)} of least damage; drawn by lot it would be {decimal(by_chance, 1)}."
        )
    return f"{among} {_worth_of(lost)}"


def _worth_of(lost: pd.DataFrame) -> str:
    """What adapters that went were worth: whose damage is shown to be above zero, and how large it was."""
    if len(lost) == 1:
        row = lost.iloc[0]
        shown = np.isnan(row["error"]) or (row["told"] and row["damage"] > 0)
        return f"Its damage was {worth(row['damage'], row['error'])}{'' if shown else ', not shown to be above zero'}."
    if lost["error"].isna().any():
        most = lost.loc[lost["damage"].idxmax()]
        return f"The largest damage of one of them is {worth(most['damage'], most['error'])} ({most['label']})."
    mattered = lost[lost["told"] & (lost["damage"] > 0)].sort_values("damage", ascending=False)
    if mattered.empty:
        return f"None of them is shown to have mattered: no damage is {_BEYOND} standard errors above zero."
    named = mattered[["label", "damage", "error"]].head(NAMED).itertuples(index=False, name=None)
    each = [f"{label} ({worth(damage, error)})" for label, damage, error in named]
    more = [f"{len(mattered) - NAMED} more"] if len(mattered) > NAMED else []
    return f"{len(mattered)} of the {len(lost)} mattered: {listed([*each, *more])}."


def _cut(table: pd.DataFrame) -> str:
    lost = table[table["lost"]]
    if lost.empty or len(lost) == len(table):
        return f"The cut took {'none' if lost.empty else 'all'} of them."
    least = least_among_lost(table)
    return (
        f"Of the {len(lost)} that the cut took, {least or 'none'} {'is' if least == 1 else 'are'} among the "
        f"{len(lost)} of least damage; drawn by lot it would be {decimal(len(lost) ** 2 / len(table), 1)}."
    )


def _uncertain(table: pd.DataFrame, what: str) -> str:
    if table["error"].isna().any():
        return "How exactly the damage was measured was not kept, so what is near zero cannot be ordered."
    near = int((~table["told"]).sum())
    if not near:
        return ""
    who = f"The {what}s" if near == len(table) else f"{near} of the {count(len(table), what)}"
    verb = "is" if near == 1 else "are"
    rest = "" if near == 1 else ", and cannot be ordered among themselves"
    return f"{who} {verb} within {_BEYOND} standard errors of no damage at all{rest}."


def _below(table: pd.DataFrame, what: str) -> str:
    below = table[table["damage"] < 0]
    if below.empty:
        return ""
    clear = int(below["told"].sum())
    which = f"of these {len(below)}, {clear or 'none'} by more than {_BEYOND} standard errors"
    shown = f"; {which}" if len(below) > 1 else ""
    return f"Below zero the model did better on these images without {what}{shown}."


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
