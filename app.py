"""MiMi Studio in the browser: `streamlit run app.py`. Navigation and looks; the pages do the rest."""

from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"

st.set_page_config("MiMi Studio", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")
st.session_state["through_app"] = True
st.navigation(
    [
        st.Page("pages/launch.py", title="Launch", icon=":material/rocket_launch:", default=True),
        st.Page("pages/monitor.py", title="Monitor", icon=":material/monitoring:"),
        st.Page("pages/widths.py", title="Widths", icon=":material/stacked_bar_chart:"),
        st.Page("pages/why.py", title="Why", icon=":material/psychology_alt:"),
    ],
    position="top",
).run()
