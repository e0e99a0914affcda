"""Which cut of a run a page is about."""

import streamlit as st

from pages.widgets import address

MOST_BUTTONS = 8
"""More cuts than these have a slider instead of a button each."""


def pick_cut(first: int, last: int, usual: int) -> int:
    """Draw the choice of a cut, kept in the address as `cycle`; nothing where there is no choice.

    Args:
        first: 0 where the start is among them, which no cut made.
        usual: what holds while the address names none of them.

    Returns:
        The cut that the address names.
    """
    cuts = range(first, last + 1)
    chosen = address.one_of("cycle", cuts, usual)
    if len(cuts) > 1 and last <= MOST_BUTTONS:
        st.segmented_control("Cut", list(cuts), format_func=_word, required=True, **chosen.control)
    elif len(cuts) > 1:
        st.slider("Cut", first, last, width=320, **chosen.control)
    return chosen.value


def _word(cut: int) -> str:
    return str(cut or "start")
