"""MiMi Studio in the browser: `streamlit run app.py`. Navigation and looks; the pages do the rest."""

from pathlib import Path

import streamlit as st

from pages.widgets import menu
from pages.widgets.memory import spare
from pages.widgets.theme import follow_theme

ASSETS = Path(__file__).parent / "assets"

spare()
st.set_page_config("MiMi Studio", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="large")
st.session_state["through_app"] = True
st.navigation(menu.navigation(), position="top").run()
follow_theme()
