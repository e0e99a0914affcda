"""What all figures look like: colours, safe for colour-blind readers, and which text can be read on which of them.

Text takes its colour from the page. Lines and markers have one colour each that is readable on a light and on a dark
page, so that a figure that is already drawn survives a change of theme. Only the scale of a heatmap comes in two.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

MUTED = "#7b8494"
GRID = "rgba(128, 138, 155, 0.22)"
LOST = "#e0682b"
"""What was lost: vanished adapters, damage."""
GAIN = "#1c8fa8"
"""What training brings."""
SECOND = "#9d6bb8"
"""A second series beside `GAIN`."""
SERIES = (GAIN, LOST, SECOND, "#a98422", "#4a7fd6", "#c4568a")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""A series is told by its colour and by its shape; after six the colours come again with other shapes."""
STAGE_COLOURS = ("#3b86c4", "#d9652b", "#1f9d78", "#c472a6", "#a98422", "#6f6fe0")
"""One for each stage of a backbone, then they repeat. Told apart by colour-blind people; readable on both pages."""

Page = Literal["light", "dark"]
PAGES: dict[Page, dict[str, str]] = {
    "light": {
        "page": "#ffffff",
        "panel": "#f3f5f8",
        "ink": "#1f2430",
        "quiet": "#5d6778",
        "border": "#dfe3ea",
        "accent": "#0f6e84",
        "warn": "#a8430f",
    },
    "dark": {
        "page": "#0f141c",
        "panel": "#1a212c",
        "ink": "#e6e9ef",
        "quiet": "#98a2b3",
        "border": "#2b3442",
        "accent": "#2c96ad",
        "warn": "#f0956a",
    },
}
"""A page by what its colours are for; those that the app shows itself are the same in `.streamlit/config.toml`."""


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


# --- where a picture needs few colours --------------------------------------------------------------------------------

LEVELS = 12


def level(share: float) -> int:
    """Class of a share above zero, 0 .. LEVELS - 1. The square root tells few from fewer, as the heatmap does."""
    return min(LEVELS - 1, max(0, int(max(share, 0.0) ** 0.5 * LEVELS)))


def level_colours(scale: Scale) -> list[str]:
    """One colour for each level, mixed from a scale."""
    mixed = np.rint(255 * _mixed(scale, np.linspace(0, 1, LEVELS))).astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed]


# --- text on colours --------------------------------------------------------------------------------------------------

DARK_TEXT, LIGHT_TEXT = "#0f1420", "#ffffff"
"""For the numbers in cells."""
_DARK_TEXT_FROM = 0.19
"""Relative luminance from which on dark text has the better contrast; it is equal at about 0.18."""


def text_on(colour: str) -> str:
    """The colour of text that is easier to read on `#rrggbb`."""
    return DARK_TEXT if luminance(_rgb(colour)) > _DARK_TEXT_FROM else LIGHT_TEXT


def takes_dark_text(scale: Scale, places: np.ndarray) -> np.ndarray:
    """Whether dark text is easier to read than light text on these places (0..1) of a scale."""
    return luminance(_mixed(scale, places)) > _DARK_TEXT_FROM


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance by WCAG, 0..1, of colours (..., 3) of red, green and blue, 0..1."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _mixed(scale: Scale, places: np.ndarray) -> np.ndarray:
    """Colours (..., 3), 0..1, at places of a scale."""
    at = [place for place, _ in scale]
    stops = np.stack([_rgb(colour) for _, colour in scale])
    return np.stack([np.interp(places, at, part) for part in stops.T], axis=-1)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
