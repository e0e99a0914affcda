"""The phase of a run as a coloured badge."""

from typing import Literal

import streamlit as st

Colour = Literal["blue", "green", "orange", "red", "violet", "gray"]
EXAMPLE: tuple[Colour, str] = ("violet", ":material/school:")
AT_WORK: tuple[Colour, str] = ("blue", ":material/autorenew:")
_BADGES: dict[str, tuple[Colour, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "finished": ("green", ":material/check_circle:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "failed": ("red", ":material/error:"),
    "died": ("red", ":material/heart_broken:"),
    "broken": ("red", ":material/broken_image:"),
}


def phase_colour(phase: str) -> Colour:
    return _BADGES.get(phase, AT_WORK)[0]


def phase_badge(phase: str, example: bool = False) -> None:
    colour, icon = EXAMPLE if example else _BADGES.get(phase, AT_WORK)
    st.badge("example" if example else phase, icon=icon, color=colour)
