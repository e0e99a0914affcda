"""One rule of rounding for every number that a person reads: on the pages, in reports, on the command line, in logs."""

from math import floor, isfinite, isnan

NOTHING = "–"
"""Stands for a number that is not known."""


def rounded(value: float, digits: int = 0) -> float:
    """Halves away from zero, as people round: 88.25 -> 88.3, -0.25 -> -0.3. Never -0.0.

    A half stays one where arithmetic left the last bit below it: 100 * 0.5785 is 57.849999999999994, not 57.85.
    """
    if not isfinite(value):
        return value
    steps = floor(abs(value) * 10**digits + 0.5 + 1e-9) / 10**digits
    return -steps if value < 0 and steps else steps


def decimal(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """`1,472.3`; `+1.2` where signed, but for nothing."""
    number = rounded(value, digits)
    return f"{number:{'+' if signed and number else ''},.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """One digit after the point, as accuracies are quoted: `88.3 %`."""
    return NOTHING if share is None or isnan(share) else f"{decimal(100 * share, digits)} %"
