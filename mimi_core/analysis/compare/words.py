"""A comparison over seeds in plain sentences: what was found and how sure that is. Plain text with untrusted names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan

import pandas as pd

from mimi_core.analysis.common.statistics import INTERVALS, IntervalKind
from mimi_core.analysis.common.words import WITHIN_MARGIN, count, listed, p_said, verdict_on
from mimi_core.analysis.compare.contrasts import Measure
from mimi_core.analysis.compare.design import Design, worded

_PHASES = {"failed": "failed", "died": "died", "stopped": "stopped early", "broken": "cannot be read"}


def headline(means: pd.DataFrame, pairs: pd.DataFrame, measure: Measure) -> str:
    """The finding in a few words, for the top of a page.

    Args:
        means: a `levels_table`.
        pairs: the `pairs_table` of the same levels.
        measure: what both are about.
    """
    names = list(dict.fromkeys(means["level"]))
    if len(names) < 2:
        return "One setting, nothing to compare it with"
    if pairs["pairs"].max() < 2:
        return f"{len(names)} settings, too few seeds to compare them"
    claimed = pairs[pairs["claimed"]]
    if pairs["p"].isna().all():
        return f"The same differences in {measure.title} with every seed"
    if len(claimed) == 1:
        first, second, difference = claimed.iloc[0][["first", "second", "difference"]]
        return f"{first} {measure.more} {second}" if difference > 0 else f"{second} {measure.more} {first}"
    if len(claimed):
        return f"{len(claimed)} of {count(len(pairs), 'difference')} in {measure.title} are clear"
    if (pairs["verdict"] == "equivalent").all():
        return f"{listed(names)} are equivalent in {measure.title}, {WITHIN_MARGIN}"
    among = f"between {listed(names)}" if len(names) == 2 else f"among {len(names)} settings"
    return f"Undecided: no clear difference in {measure.title} {among}"


def finding(means: pd.DataFrame, pairs: pd.DataFrame, measure: Measure, kind: IntervalKind = "t") -> str:
    """What was found, with its uncertainty.

    Args:
        means: a `levels_table`.
        pairs: the `pairs_table` of the same levels.
        measure: what both are about.
        kind: of the intervals in both.
    """
    parts = [highest(means, measure, kind)] if len(pairs) > 1 and means["block"].nunique() == 1 else []
    tested = pairs[pairs["p"].notna()]
    if len(pairs) == 1 or tested.empty:
        return " ".join([*parts, *(compared(row, measure, len(tested), kind) for _, row in pairs.head(1).iterrows())])
    claimed = tested[tested["claimed"]].sort_values("corrected")
    parts += [compared(row, measure, len(tested), kind) for _, row in claimed.head(3).iterrows()]
    if len(claimed) > 3:
        parts.append(f"{len(claimed) - 3} more are in the table.")
    if claimed.empty:
        largest = compared(tested.loc[tested["difference"].abs().idxmax()], measure, len(tested), kind)
        which = f"The largest of {len(tested)} differences" if len(tested) > 1 else "The only one that can be tested"
        parts.append(f"{which}: {largest}")
    elif len(claimed) < len(tested):
        alike = int((tested["verdict"] == "equivalent").sum())
        equal = f", {alike} of them being {WITHIN_MARGIN}" if alike else ""
        parts.append(f"No other difference of {len(tested)} is shown{equal}.")
    return " ".join(parts)


def compared(row: pd.Series, measure: Measure, tests: int, kind: IntervalKind = "t") -> str:
    """`one is 1.2 points above two (.. t interval -0.8 to 3.2, 4 paired seeds): undecided; ...`"""
    first, second, low, high = row["first"], row["second"], row["low"], row["high"]
    if row["pairs"] == 0:
        return f"{first} and {second} have no seed in common, so they cannot be paired."
    if row["difference"] < 0:
        first, second, low, high = second, first, -high, -low
    by, pairs = abs(row["difference"]), count(int(row["pairs"]), "paired seed")
    above = measure.by.format(measure.difference(by)) if by > 1e-12 else "is on average the same as"
    start = f"{first} {above} {second}"
    if row["pairs"] == 1:
        return f"{start} for the one seed that both have: more seeds are needed to tell chance from effect."
    if isnan(row["p"]):
        return f"{start} in every one of {pairs}: without any spread no test can be made."
    interval = f"{INTERVALS[kind]} {measure.difference(low, False)} to {measure.difference(high, False)}, {pairs}"
    if tests > 1:
        interval += f", {p_said(row['corrected'])}, both corrected for {tests} tests"
    verdict = verdict_on(row["verdict"], row["small"], measure.called("higher"))
    return f"{start} ({interval}): {verdict}{_what_would_show(row, measure)}."


def _what_would_show(row: pd.Series, measure: Measure) -> str:
    """What an undecided comparison could have told."""
    if row["verdict"] != "undecided" or isnan(row["detectable"]):
        return ""
    return f"; with so many seeds {measure.difference(row['detectable'])} would show in four of five such comparisons"


def corrected_for(pairs: pd.DataFrame) -> str:
    """For how many comparisons the rows of a `pairs_table` are corrected. Empty where there is nothing to correct."""
    tests = int(pairs["tests"].max()) if len(pairs) else 1
    if tests < 2:
        return ""
    return (
        f"Intervals and p are corrected for the {tests} comparisons of this table. Where the same settings are "
        "compared beside others, as in the findings of the study, they are corrected for those, and differ from these."
    )


def told_apart(how: Design) -> str:
    """What is the same in all runs, and what differs without a run that could tell its effect."""
    same = [worded(path, value) for path, value in how.constant.items()]
    parts = [f"The same in all runs: {listed(same)}; all else as the program has it."] if same else []
    if how.along:
        also, fields = (list(paths) for paths in (how.along, how.fields))
        parts.append(
            f"Besides {listed(fields)}, {listed(also)} {'differs' if len(also) == 1 else 'differ'}, and never alone: "
            "which of them makes a difference cannot be told from these runs."
        )
    return " ".join(parts)


def uneven(means: pd.DataFrame, seeds: Mapping[str, Sequence[str]]) -> str:
    """What makes the settings less comparable than they look: unequal training, or other seeds.

    Args:
        means: a `levels_table`.
        seeds: setting -> the pairs of its runs.
    """
    parts = []
    epochs = means.groupby("level", sort=False)["epochs"].mean().dropna()
    if epochs.nunique() > 1:
        told = listed([f"{level} {number:.0f}" for level, number in epochs.items()])
        parts.append(f"They do not train equally long; epochs in all: {told}.")
    if len({frozenset(pairs) for pairs in seeds.values()}) > 1:
        parts.append("Not every setting has run with the same seeds; a pair is made where both have.")
    if any(len(set(pairs)) < len(pairs) for pairs in seeds.values()):
        parts.append("Some seeds have several runs of one setting; they count as one, by their mean.")
    return " ".join(parts)


def left_out(phases: Sequence[str]) -> str:
    """Runs that are no part of the comparison, because they have not finished."""
    counted = Counter(_PHASES.get(phase, "has not finished yet") for phase in phases if phase != "finished")
    told = [f"{count(number, 'run')} {_plural(what, number)}" for what, number in counted.items()]
    return f"Not in the comparison: {listed(told)}." if told else ""


def _plural(what: str, number: int) -> str:
    return what.replace("has not", "have not") if number > 1 else what


def highest(means: pd.DataFrame, measure: Measure, kind: IntervalKind = "t") -> str:
    """Which setting has the highest mean, and how sure that is. Empty where nothing is known."""
    known = means.dropna(subset=["mean"])
    if known.empty:
        return ""
    best = known.loc[known["mean"].idxmax()]
    low, high = best["low"], best["high"]
    spread = "" if isnan(low) else f"{INTERVALS[kind]} {measure.said(low)} to {measure.said(high)}, "
    seeds = count(int(best["n"]), "seed")
    return f"{best['level']} has the highest mean {measure.title}, {measure.said(best['mean'])} ({spread}{seeds})."
