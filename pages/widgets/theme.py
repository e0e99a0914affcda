"""Draw anew when the browser goes from the light to the dark theme: the server chooses the colours of a heatmap."""

import streamlit as st

_watch = st.components.v2.component(
    "theme_watch",
    html="<i></i>",
    # A transition ends when the page's colour has changed; nothing has to be polled.
    css="i { background-color: var(--st-background-color); transition: background-color 10ms }",
    js="""
    export default ({ parentElement, setTriggerValue }) => {
        const seen = parentElement.querySelector("i"), tell = () => setTriggerValue("changed", true)
        seen.addEventListener("transitionend", tell)
        return () => seen.removeEventListener("transitionend", tell)
    }
    """,
)


def follow_theme() -> None:
    """Once a page, after everything else: it takes no room, but the gap before it does."""
    _watch(key="theme_watch", on_changed_change=lambda: None)
