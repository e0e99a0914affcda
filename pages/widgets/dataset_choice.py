"""The datasets that the form offers: those that are on this machine. Of the others, how to get them."""

import streamlit as st

from mimi_core.data.catalogue import absent, known
from pages.widgets.text import plain

NOT_THERE = ":material/cloud_download:"


def others() -> str | None:
    """What else there is, and how to get it. Returns what data.name is to be, once, when somebody chooses one."""
    with st.popover("Other datasets", icon=NOT_THERE, help="Known by name, and not on this machine yet"):
        st.markdown(
            "The form lists what is on this machine. Any dataset of the Hugging Face Hub can be typed there: "
            "`hf:` and its owner/name. These are known by name, and not here yet:"
        )
        lacking = absent()
        about = known()
        name: str | None = st.selectbox(
            "A dataset that is not here yet",
            list(lacking),
            index=None,
            format_func=lambda name: f"{name}: {about[name]}",
            placeholder=f"Choose one of {len(lacking)}",
            label_visibility="collapsed",
            key="dataset/other",
        )
        if name is None:
            return None
        st.markdown(plain(lacking.get(name, "")))
        return name if st.button("Use it", icon=":material/input:") else None
