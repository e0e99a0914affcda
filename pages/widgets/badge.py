"""The phase of a run, or that it is an example, as a coloured badge."""

from typing import Literal

import streamlit as st

from mimi_core.analysis.overview.runs_table import EXAMPLE
from mimi_core.runs.status import ENDED

Colour = Literal["blue", "green", "orange", "red", "violet", "gray"]
_AT_WORK: tuple[Colour, str] = ("blue", ":material/autorenew:")
_BADGES: dict[str, tuple[Colour, str]] = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "finished": ("green", ":material/check_circle:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "failed": ("red", ":material/error:"),
    "died": ("red", ":material/heart_broken:"),
    "broken": ("red", ":material/broken_image:"),
    EXAMPLE: ("violet", ":material/school:"),
}


def stage(phase: str) -> str:
    """What decides about the buttons, and is said of a run; among the phases of a worker that is at work it makes no
    difference."""
    return phase if phase in (*ENDED, "queued") else "in progress"


def phase_colour(phase: str) -> Colour:
    return _BADGES.get(phase, _AT_WORK)[0]


def phase_badge(phase: str, example: bool = False) -> None:
    shown = EXAMPLE if example else phase
    colour, icon = _BADGES.get(shown, _AT_WORK)
    st.badge(shown, icon=icon, color=colour)
