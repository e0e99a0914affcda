"""The few colours that figures need, for a light and for a dark page. All scales are safe for colour-blind readers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    text: str
    muted: str
    grid: str
    page: str
    """Background of the page, for outlines around markers."""
    lost: str
    """What was lost: vanished adapters, damage."""
    gain: str
    """What training brings: curves, recovery."""
    second: str
    """A second series beside `gain`."""
    scale: tuple[str, ...]
    """Few to many; the low end is next to the page's background, so that more always stands out more."""


LIGHT = Theme(
    text="#1f2430",
    muted="#667085",
    grid="#e4e7ec",
    page="#ffffff",
    lost="#c2410c",
    gain="#0f6e84",
    second="#7a5195",
    scale=("#dff1ee", "#a3d9d3", "#5cb8c0", "#2a8fb3", "#1f649b", "#1f3f7a", "#1b2150"),
)

DARK = Theme(
    text="#e6e9ef",
    muted="#98a2b3",
    grid="#2b3240",
    page="#0f141c",
    lost="#ff9d5c",
    gain="#4cc3d9",
    second="#c79bdf",
    scale=("#1f2c4a", "#234a73", "#23709a", "#2d98ad", "#56bfae", "#9be0b8", "#e2f7d8"),
)


def theme_named(kind: str | None) -> Theme:
    """The theme for "light" or "dark"; light while a browser has not said."""
    return DARK if kind == "dark" else LIGHT


def colour_scale(theme: Theme) -> list[tuple[float, str]]:
    """The scale as plotly wants it."""
    last = len(theme.scale) - 1
    return [(i / last, colour) for i, colour in enumerate(theme.scale)]
