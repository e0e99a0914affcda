"""The colours of figures, safe for colour-blind readers.

Text takes its colour from the page. Lines and markers have one colour each that is readable on a light and on a dark
page, so that a figure that is already drawn survives a change of theme. Only the scale of a heatmap comes in two.
"""

from collections.abc import Sequence

MUTED = "#7b8494"
GRID = "rgba(128, 138, 155, 0.22)"
LOST = "#e0682b"
"""What was lost: vanished adapters, damage."""
GAIN = "#1c8fa8"
"""What training brings."""
SECOND = "#9d6bb8"
"""A second series beside `GAIN`."""

Scale = Sequence[tuple[float, str]]
"""Plotly's form of a colour scale, from few to many."""


def colour_scale(page: str | None) -> Scale:
    """The scale for a "light" or "dark" page; light while a browser has not said.

    Its low end is next to the page's background, so that more stands out more, and nothing looks like nothing.
    """
    colours = _ON_DARK if page == "dark" else _ON_LIGHT
    return [(i / (len(colours) - 1), colour) for i, colour in enumerate(colours)]


_ON_LIGHT = ("#dff1ee", "#a3d9d3", "#5cb8c0", "#2a8fb3", "#1f649b", "#1f3f7a", "#1b2150")
_ON_DARK = ("#1f2c4a", "#234a73", "#23709a", "#2d98ad", "#56bfae", "#9be0b8", "#e2f7d8")
