"""What a run says in plain words. Plain text: whoever draws it escapes it."""

import pandas as pd

from mimi_core.analysis.common.words import count, listed, percent

LISTED = 6
"""So many layers are named one by one; more are counted by stage."""

_IN_GROUP: dict[str, str] = {}
_AT_POSITION = {"attn": "at the attentions", "mlp": "at the MLPs"}


def headline(widths: pd.DataFrame, cycle: int) -> str:
    """The finding, short enough for a title. `widths` is a `widths_table`."""
    now = _given_one(widths)
    now = now[now["cycle"] == cycle]
    gone, total = int(now["gone"].sum()), len(now)
    if cycle == 0:
        return f"{count(total, 'adapter')}, before the first cut"
    if gone == 0:
        return f"All {total} adapters are still there after {count(cycle, 'cut')}"
    if gone == total:
        return f"All {total} adapters are gone after {count(cycle, 'cut')}"
    return f"{gone} of {total} adapters {'is' if gone == 1 else 'are'} gone after {count(cycle, 'cut')}"


def story(widths: pd.DataFrame, cycles: pd.DataFrame, cycle: int) -> str:
    """Which layers lost their adapters, where the rest sits, and what it did to the accuracy."""
    given = _given_one(widths)
    parts = [
        _without_from_the_start(widths, given),
        _left(cycles, cycle),
        _gone(given, cycle),
        _where(given, cycle),
        _accuracy(cycles, cycle),
    ]
    return " ".join(part for part in parts if part)


def losses_compared(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    """Which adapters two runs lost after their last cuts. Both are `widths_table`s."""
    last = [table[table["cycle"] == table["cycle"].max()] for table in (ours, theirs)]
    if set(last[0]["site"]) != set(last[1]["site"]):
        return "The two runs have different layers, so only their shapes can be compared."
    labels = dict(zip(last[0]["site"], last[0]["label"], strict=True))
    lost = [set(table.loc[table["gone"], "site"]) for table in last]
    groups = {
        "Both lost": lost[0] & lost[1],
        "Only the first lost": lost[0] - lost[1],
        "Only the second lost": lost[1] - lost[0],
    }
    said = [f"{what} {listed([labels[s] for s in labels if s in sites])}." for what, sites in groups.items() if sites]
    return " ".join(said) if said else "Neither run lost an adapter."


def _given_one(widths: pd.DataFrame) -> pd.DataFrame:
    """Only the layers that had an adapter at the start: what was never there is not gone."""
    start = widths[(widths["cycle"] == 0) & (widths["neurons"] > 0)]
    return widths[widths["site"].isin(start["site"])]


def _without_from_the_start(widths: pd.DataFrame, given: pd.DataFrame) -> str:
    there, had = widths["site"].nunique(), given["site"].nunique()
    return "" if had == there else f"{there - had} of {there} layers were given no adapter."


def _left(cycles: pd.DataFrame, cycle: int) -> str:
    start, now = int(cycles["neurons"].iloc[0]), int(cycles["neurons"].iloc[cycle])
    if cycle == 0:
        return f"{count(start, 'neuron')} in all."
    if now == 0:
        return f"None of the {count(start, 'neuron')} is left."
    return f"{now:,} of {count(start, 'neuron')} are left, {start / now:.3g}× fewer."


def _gone(widths: pd.DataFrame, cycle: int) -> str:
    now = widths[widths["cycle"] == cycle]
    if not now["gone"].any() or now["gone"].all():
        return ""
    by, where = ("group", _IN_GROUP) if now["group"].nunique() > 1 else ("position", _AT_POSITION)
    whole, rest, counted = [], [], []
    for part_name, part in now.groupby(by, sort=False):
        lost, name = part[part["gone"]], str(part_name)
        if len(lost) == len(part):
            whole.append(f"all {where.get(name, f'of {name}')}")
        elif len(lost):
            rest += list(lost["label"])
            counted.append(f"{len(lost)} of {len(part)} {where.get(name, f'in {name}')}")
    gone = listed([*whole, *(rest if len(rest) <= LISTED else counted)])
    return f"Gone: {gone}, where the frozen backbone goes on alone."


def _where(widths: pd.DataFrame, cycle: int) -> str:
    now = widths[widths["cycle"] == cycle]
    total = now["neurons"].sum()
    if total == 0:
        return ""
    by, where = ("group", _IN_GROUP) if now["group"].nunique() > 1 else ("position", _AT_POSITION)
    shares = now.groupby(by, sort=False)["neurons"].sum() / total
    if len(shares) < 2:
        return ""
    most = str(shares.idxmax())
    return (
        f"{percent(shares.max(), 0)} of the {'remaining ' if cycle else ''}neurons sit {where.get(most, f'in {most}')}."
    )


def _accuracy(cycles: pd.DataFrame, cycle: int) -> str:
    after = cycles["after"].iloc[: cycle + 1]
    if pd.isna(after.iloc[0]):
        return ""
    if cycle == 0:
        return f"Test accuracy is {percent(after.iloc[0])}."
    if pd.isna(after.iloc[-1]):
        cut = cycles["cut"].iloc[cycle]
        return "" if pd.isna(cut) else f"Right after the cut, test accuracy is {percent(cut)}."
    best = int(after.idxmax())
    peak = f", with its best, {percent(after.max())}, {'after cut ' + str(best)}" if 0 < best < cycle else ""
    return f"Test accuracy went from {percent(after.iloc[0])} to {percent(after.iloc[-1])}{peak}."
