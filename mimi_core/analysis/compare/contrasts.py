"""Settings compared over seeds: what is measured, mean and spread of every setting, and tests between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from typing import Any

import pandas as pd

from mimi_core.analysis.common.statistics import (
    AMOUNTS,
    ANYTHING,
    DIFFERENCES,
    MARGIN,
    SHARES,
    IntervalKind,
    Range,
    Verdict,
    by_seed,
    difference,
    family,
    of_setting,
)
from mimi_core.analysis.common.words import OF_ACCURACY, decimal, duration, percent
from mimi_core.analysis.compare.design import Levels

MOST_DRAWN = 30
"""More settings than these are told in tables only, beside one of them."""
MOST_PAIRED = 5
"""Up to so many levels are all compared with one another; more of them with one reference only."""


@dataclass(frozen=True)
class Measure:
    """Something that a run came out with: a column of a `runs_table`."""

    column: str
    title: str
    unit: str
    """"share" is 0..1, and its differences are percentage points."""
    more: str
    """What the one with more does, in place of `is more accurate than`."""
    by: str = "is {} above"
    """The same with a number."""

    @property
    def within(self) -> Range:
        """What its mean may be."""
        return SHARES if self.unit == "share" else AMOUNTS

    @property
    def apart(self) -> Range:
        """What a difference of two means may be."""
        return DIFFERENCES if self.unit == "share" else ANYTHING

    @property
    def margin(self) -> float | None:
        """A difference that is surely smaller does not matter; None where nobody can say."""
        return MARGIN if self.unit == "share" else None

    @property
    def digits(self) -> int:
        """That are shown after the point, of a share in percent."""
        return 0 if self.unit == "parameters" else 1

    def called(self, verdict: Verdict) -> str:
        """The verdict on a difference: an accuracy is `better`, anything else `higher`."""
        return OF_ACCURACY.get(verdict, verdict) if self.unit == "share" else verdict

    def said(self, value: float) -> str:
        if isnan(value):
            return "unknown"
        if self.unit == "share":
            return percent(value)
        return duration(value) if self.unit == "seconds" else decimal(value, self.digits)

    def shown(self, value: float) -> str:
        """For a label or a tooltip, whose title says what it is: with a unit only where it is a share."""
        return percent(value) if self.unit == "share" else decimal(value, self.digits)

    def spread(self, value: float) -> str:
        """The same of a standard deviation: `1.2 points`."""
        return self.difference(value) if self.unit == "share" else self.shown(value)

    def difference(self, value: float, with_unit: bool = True) -> str:
        """`1.2 points`; `1.2` without its unit."""
        text = decimal(100 * value if self.unit == "share" else value, self.digits)
        return f"{text} {'points' if self.unit == 'share' else self.unit}" if with_unit else text


MEASURES = {
    measure.column: measure
    for measure in (
        Measure("accuracy", "test accuracy", "share", "is more accurate than"),
        Measure("area", "accuracy over the whole curve", "share", "is more accurate over the whole curve than"),
        Measure("cut", "accuracy right after the last cut", "share", "is more accurate right after the last cut than"),
        Measure("parameters", "trained parameters", "parameters", "trains more parameters than", "trains {} more than"),
        Measure("gone", "adapters gone", "adapters", "loses more adapters than", "loses {} more than"),
        Measure("seconds", "time", "seconds", "takes longer than", "takes {} longer than"),
    )
}


def measures(runs: pd.DataFrame) -> list[Measure]:
    """Those in which some runs differ; the accuracy in any case."""
    return [
        m for column, m in MEASURES.items() if column == "accuracy" or (column in runs and runs[column].nunique() > 1)
    ]


def levels_table(levels: Levels, measure: Measure, kind: IntervalKind) -> pd.DataFrame:
    """One row per block and level, in their order.

    Columns: block, level, n (seeds that have the measure), mean, std, low, high (of the measure), and the means of
    parameters, without_head, gone, epochs, seconds, memory (bytes), as far as the levels have them.
    """
    others = [c for c in ("parameters", "without_head", "gone", "epochs", "seconds", "memory") if c in levels.table]
    averages = _over_seeds(levels.table.groupby(["block", "level", "pair"], sort=False)[others].mean())
    rows = []
    for key, runs in _grouped(levels, ["block", "level"]):
        interval = of_setting(by_seed(zip(runs["pair"], runs[measure.column], strict=True)), measure.within, kind)
        row = {"block": key[0], "level": key[1], "n": interval.n, "mean": interval.mean, "std": interval.std}
        rows.append({**row, "low": interval.low, "high": interval.high, **averages.loc[key]})
    return pd.DataFrame(rows, columns=["block", "level", "n", "mean", "std", "low", "high", *others])


def curves_by_level_table(levels: Levels, parameters: str, kind: IntervalKind) -> pd.DataFrame:
    """The mean path along the cuts. One row per block, level and cycle; made from the levels of a `points_table`.

    Columns: block, level, cycle, n, parameters (mean of that column), mean, low, high (accuracy, 0..1).
    """
    rows = []
    for (block, level, cycle), points in _grouped(levels, ["block", "level", "cycle"]):
        interval = of_setting(by_seed(zip(points["pair"], points["accuracy"], strict=True)), kind=kind)
        row = {"block": block, "level": level, "cycle": cycle, "n": interval.n, "mean": interval.mean}
        size = points.groupby("pair")[parameters].mean().mean()
        rows.append({**row, "parameters": size, "low": interval.low, "high": interval.high})
    return pd.DataFrame(rows, columns="block level cycle n parameters mean low high".split())


def pairs_table(levels: Levels, measure: Measure, reference: str | None, kind: IntervalKind) -> pd.DataFrame:
    """Paired comparisons over seeds, p values corrected for their number.

    Where levels are compared within blocks, a seed counts once: its differences in all blocks that have both levels
    are averaged, because runs of one seed are not independent of each other.

    Args:
        levels: of a `runs_table`.
        measure: what to compare.
        reference: a level, which all others are compared with; None: all with one another, the higher one first.
        kind: of the interval.

    Columns: first, second, pairs, difference (first - second), low, high (simultaneous), effect (Cohen's d_z), p,
    corrected (Holm), wilcoxon (NaN for Student's intervals), verdict, small (surely within the margin), detectable,
    claimed (corrected p below `SIGNIFICANT`), tests (of the family). All as `Paired` has them.
    """
    values = levels.table.pivot_table(index=["block", "pair"], columns="level", values=measure.column, aggfunc="mean")
    values = values.reindex(columns=levels.order)
    named, tests = [], []
    for first, second in _to_compare(levels.order, reference):
        both = values[[first, second]].dropna().groupby("pair").mean()
        if reference is None and both[first].mean() < both[second].mean():
            first, second = second, first
        named.append((first, second))
        tests.append(difference(both[first].to_dict(), both[second].to_dict(), measure.apart, kind, measure.margin))
    rows = []
    for (first, second), test in zip(named, family(tests), strict=True):
        rows.append(
            {
                "first": first,
                "second": second,
                "pairs": test.difference.n,
                "difference": test.difference.mean,
                "low": test.difference.low,
                "high": test.difference.high,
                "effect": test.effect,
                "p": test.p,
                "wilcoxon": test.p_wilcoxon,
                "corrected": test.corrected,
                "verdict": test.verdict,
                "small": test.is_small,
                "detectable": test.detectable,
                "claimed": test.is_clear,
                "tests": test.tests,
            }
        )
    tested = "difference low high effect p wilcoxon corrected verdict small detectable claimed tests"
    columns = ["first", "second", "pairs", *tested.split()]
    return pd.DataFrame(rows, columns=columns).astype({"claimed": bool, "small": bool})


def usual_reference(order: Sequence[str]) -> str | None:
    """What levels are compared with unless something else is asked for: with one another as long as they are few."""
    return None if len(order) <= MOST_PAIRED else order[0]


def _over_seeds(by_seed: pd.DataFrame) -> pd.DataFrame:
    return by_seed.groupby(["block", "level"], sort=False).mean()


def _to_compare(order: Sequence[str], reference: str | None) -> list[tuple[str, str]]:
    if reference is None:
        return list(combinations(order, 2))
    return [(level, reference) for level in order if level != reference]


def _grouped(levels: Levels, by: list[str]) -> list[tuple[Any, pd.DataFrame]]:
    """The groups of a table by block, level and so on, blocks and levels in the order in which they are shown."""
    blocks, order = ({name: i for i, name in enumerate(names)} for names in (levels.blocks, levels.order))
    groups: list[tuple[Any, pd.DataFrame]] = list(levels.table.groupby(by, sort=False))
    return sorted(groups, key=lambda group: (blocks[group[0][0]], order[group[0][1]], *group[0][2:]))
