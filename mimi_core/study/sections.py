"""The parts of the findings' page: a section, and the cells of its tables as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mimi_core.analysis.common.statistics import Interval
from mimi_core.analysis.common.words import NOTHING, count, decimal, listed, p_value, percent_interval, points_interval
from mimi_core.analysis.common.words import points as in_points
from mimi_core.analysis.compare.tables import Facts
from mimi_core.study.evidence import BySeed, Contrast, Evidence, contrast, interval

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
TOO_FEW = "Too few runs have finished to say anything yet."
TESTED = ("difference in points", "p", "corrected for", "verdict", "would show")
UNTESTED = [NOTHING] * len(TESTED)


@dataclass(frozen=True)
class FindingsSection:
    """One claim. Pictures: name of the file -> SVG and what it shows."""

    claim: str
    sentences: Sequence[str]
    tables: Sequence[Table]
    pictures: Mapping[str, tuple[str, str]]
    detectable: Sequence[float] = ()
    """Of its comparisons, as `Paired` has it; NaN where that is not known."""


def tested(c: Contrast) -> list[str]:
    """The cells under `TESTED`."""
    difference, p, least = points(c.interval), p_value(c.corrected), in_points(c.test.detectable)
    return [difference, p, count(c.test.tests, "comparison"), c.verdict, least]


def detectable(contrasts: Sequence[Contrast]) -> list[float]:
    return [c.test.detectable for c in contrasts]


def mean(values: BySeed) -> str:
    return percent_interval(interval(values))


def points(difference: Interval) -> str:
    return points_interval(difference)


def trained_size(evidence: Evidence, sweep: str, case: str) -> str:
    """Trained parameters without the head."""
    sizes = {seed: without_head(run) for seed, run in evidence.of(sweep, case).items()}
    return decimal(fmean(sizes.values()), 0) if sizes else NOTHING


def without_head(run: Facts) -> float:
    """Trained parameters at the end."""
    return float(run.points[-1].parameters - run.head)


def epochs(evidence: Evidence, sweep: str, case: str) -> str:
    return (
        listed(sorted({f"{run.epochs:g}" for run in evidence.of(sweep, case).values()}))
        if evidence.of(sweep, case)
        else "–"
    )


def between(evidence: Evidence, where: str, sweep: str, first: str, second: str) -> Contrast:
    one, two = (evidence.accuracies(sweep, case) for case in (first, second))
    return contrast(where, (first, one), (second, two))
