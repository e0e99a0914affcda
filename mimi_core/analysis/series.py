"""What statistical charts have in common: a colour and a shape for every series, axes, tooltips of an interval."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import altair as alt
import pandas as pd

from mimi_core.analysis.theme import GAIN, GRID, LOST, SECOND

SERIES = (GAIN, LOST, SECOND, "#a98422", "#4a7fd6", "#c4568a")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""A series is told by its colour and by its shape; after six the colours come again with other shapes."""
MOST_DRAWN = 1500
"""Marks of single runs."""
FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
"""As wide as the page says, as high as asked for, so that charts beside each other stay level."""


def colour(field: str, order: Sequence[str], *, legend: bool = True) -> alt.Color:
    """A colour for each value of a field, by its place in `order`."""
    colours = [SERIES[i % len(SERIES)] for i in range(len(order))]
    names = alt.Legend(title=None, orient="top", labelLimit=300, symbolSize=110, symbolOpacity=1, columns=5)
    scale = alt.Scale(domain=list(order), range=colours)
    return alt.Color(f"{field}:N", scale=scale, legend=names if legend else None)


def shape(field: str, order: Sequence[str]) -> alt.Shape:
    """A shape for each value of a field, to go with its colour."""
    shapes = [SHAPES[(i + i // len(SERIES)) % len(SHAPES)] for i in range(len(order))]
    return alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(order), range=shapes))


def interval_tips(number: str) -> list[alt.Tooltip]:
    """Mean, interval and number of runs, from columns of these names."""
    return [
        alt.Tooltip("mean:Q", title="mean", format=number),
        alt.Tooltip("low:Q", title="interval from", format=number),
        alt.Tooltip("high:Q", title="to", format=number),
        alt.Tooltip("n:Q", title="runs"),
    ]


def thinned(runs: pd.DataFrame) -> pd.DataFrame:
    """So many rows, evenly spread, as a browser draws at ease. Means are made of all of them."""
    return runs.iloc[:: len(runs) // MOST_DRAWN + 1]


def accuracy_domain(accuracies: Sequence[float]) -> list[float]:
    """An axis for accuracies 0..1 and some of the intervals around them; intervals of two seeds may be far wider."""
    known = [value for value in accuracies if not isnan(value)] or [0.0, 1.0]
    room = max(0.15 * (max(known) - min(known)), 0.01)
    return [max(0.0, min(known) - room), min(1.0, max(known) + room)]


def axis(**more: Any) -> alt.Axis:
    """Calm lines, no ticks; anything of Altair's axes over that."""
    return alt.Axis(**{"gridColor": GRID, "domain": False, "ticks": False, "labelOverlap": True, **more})
