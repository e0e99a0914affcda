"""Numbers and lists as people write them. Plain text.

Whatever shows a share, be it a sentence, a table, a chart's label or its tooltip, takes its digits from
`mimi_core.rounding`, whose names stand here, too: where the browser is to write the number, it is given the `rounded`
one.
"""

from collections.abc import Mapping, Sequence
from math import isnan

from mimi_core.analysis.common.statistics import MARGIN, SIGNIFICANT, Interval, Verdict
from mimi_core.rounding import NOTHING as NOTHING
from mimi_core.rounding import decimal as decimal
from mimi_core.rounding import percent as percent
from mimi_core.rounding import rounded as rounded


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def count(number: int, what: str) -> str:
    """`1 cut`, `1,472 neurons`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def points(difference: float, *, signed: bool = False) -> str:
    """A difference of two shares in percentage points, without the word: `1.2`; `+1.2` where signed."""
    return NOTHING if isnan(difference) else decimal(100 * difference, signed=signed)


def percent_interval(interval: Interval) -> str:
    """`88.3 ± 1.3 %`; `98.0 % (85.3 to 100.0 %)` where the interval is not even; `88.3 %` of a single seed."""
    if not interval.n or isnan(interval.low):
        return percent(interval.mean)
    if interval.is_symmetric:
        return f"{points(interval.mean)} ± {points(interval.half_width)} %"
    return f"{percent(interval.mean)} ({points(interval.low)} to {percent(interval.high)})"


def amount_interval(interval: Interval, digits: int = 0) -> str:
    """The same of numbers that are no shares: `1,472 ± 13`, `12 (0 to 61)`, `1,472` of a single seed or no spread."""
    if not interval.n:
        return NOTHING
    mean = decimal(interval.mean, digits)
    if isnan(interval.low) or not interval.std:
        return mean
    if interval.is_symmetric:
        return f"{mean} ± {decimal(interval.half_width, digits)}"
    return f"{mean} ({decimal(interval.low, digits)} to {decimal(interval.high, digits)})"


def points_interval(interval: Interval) -> str:
    """Of a difference: `+1.2 (-0.3 to +2.7)`."""
    said = points(interval.mean, signed=True)
    return (
        said
        if isnan(interval.low)
        else f"{said} ({points(interval.low, signed=True)} to {points(interval.high, signed=True)})"
    )


WITHIN_MARGIN = f"within {100 * MARGIN:g} point{'' if MARGIN == 0.01 else 's'}"


OF_ACCURACY: Mapping[Verdict, str] = {"higher": "better", "lower": "worse"}
"""What a verdict says of an accuracy; of other numbers, such as a time, it says no such thing."""


def verdict_on(verdict: Verdict, small: bool, shown: str) -> str:
    """One verdict in a few words; that a difference is not shown is never said to mean that there is none.

    Args:
        small: whether the difference is surely within the margin.
        shown: what to say of a difference that is shown.
    """
    if verdict in ("higher", "lower"):
        return f"{shown}, though {WITHIN_MARGIN}" if small else shown
    return {"equivalent": f"equivalent {WITHIN_MARGIN}", "undecided": "undecided", "untested": "too few runs"}[verdict]


def p_value(p: float) -> str:
    """`0.012`, `< 0.001`; never rounded onto the limit below which a difference is called clear."""
    if isnan(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.4f}" if f"{p:.3f}" == f"{SIGNIFICANT:.3f}" else f"{p:.3f}"


def p_said(p: float) -> str:
    """`p = 0.012`, for a sentence."""
    told = p_value(p)
    return f"p {told}" if told.startswith("<") else f"p = {told}"


def duration(seconds: float) -> str:
    """`8 s`, `2 min 05 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(number: float) -> str:
    """Bytes for people: `512 MB`, `1.4 GB`."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def compact(number: float) -> str:
    """`912`, `4.1k`, `1.2M`: for the cells of a heatmap."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            scaled = number / limit
            return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.1f}{unit}"
    return f"{number:.0f}"
