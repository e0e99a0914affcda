"""What charts of every page have in common."""

import streamlit as st

from mimi_core.analysis.common.theme import Scale, colour_scale

CONFIG = {"displayModeBar": False, "responsive": True}
"""Of Plotly's figures."""


def scale() -> Scale:
    """The colour scale that fits the page's theme."""
    return colour_scale(st.context.theme.type)
