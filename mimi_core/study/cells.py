"""The parts of the findings' page: a section, and the cells of its tables as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from mimi_core.analysis.common.stats import SIGNIFICANT, Interval
from mimi_core.analysis.common.words import listed, percent
from mimi_core.analysis.compare.tables import Facts
from mimi_core.study.evidence import BySeed, Contrast, Evidence, contrast, interval

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
TOO_FEW = "Too few runs have finished to say anything yet."
TESTED = ("difference in points", "p", "found")


@dataclass(frozen=True)
class Section:
    """One claim. Pictures: name of the file -> SVG and what it shows."""

    claim: str
    sentences: Sequence[str]
    tables: Sequence[Table]
    pictures: Mapping[str, tuple[str, str]]


def tested(c: Contrast) -> list[str]:
    """The cells under `TESTED`."""
    return [points(c.interval), p_value(c.corrected), c.verdict]


def mean(values: BySeed) -> str:
    found = interval(values)
    if not found.n:
        return "–"
    return percent(found.mean) if isnan(found.low) else f"{100 * found.mean:.1f} ± {100 * found.half_width:.1f} %"


def points(found: Interval) -> str:
    if not found.n:
        return "–"
    said = f"{100 * found.mean:+.1f}"
    return said if isnan(found.low) else f"{said} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def p_value(p: float) -> str:
    """Never rounded onto the limit below which a difference is claimed."""
    if isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.4f}" if f"{p:.3f}" == f"{SIGNIFICANT:.3f}" else f"{p:.3f}"


def p_said(p: float) -> str:
    """`p = 0.012`, for a sentence."""
    told = p_value(p)
    return f"p {told}" if told.startswith("<") else f"p = {told}"


def size(evidence: Evidence, sweep: str, case: str) -> str:
    """Trained parameters without the head."""
    found = {seed: without_head(run) for seed, run in evidence.of(sweep, case).items()}
    return f"{interval(found).mean:,.0f}" if found else "–"


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
