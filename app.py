"""MiMi Studio in the browser: `streamlit run app.py`. Navigation and looks; the pages do the rest.

The file is both the server and what it runs. Streamlit finds `app` in it by reading, imports the file for it, and then
runs the same file as a script for every tab and every click.
"""

from pathlib import Path

import streamlit as st

if __name__ == "__main__":
    from pages.widgets import menu, signin, uploads
    from pages.widgets.memory import spare
    from pages.widgets.theme import follow_theme

    ASSETS = Path(__file__).parent / "assets"

    spare()
    st.set_page_config("MiMi Studio", page_icon=str(ASSETS / "icon.svg"), layout="wide")
    st.logo(str(ASSETS / "logo.svg"), size="large")
    draw_shut = signin.shut_out()
    page = st.navigation(menu.navigation(), position="hidden" if draw_shut else "top")
    if draw_shut:
        draw_shut()
    else:
        st.session_state["through_app"] = True
        uploads.let_in()
        signin.account()
        page.run()
    follow_theme()
else:
    from starlette.middleware import Middleware

    from pages.widgets.hosts import KnownHosts
    from pages.widgets.uploads import FromKnownTabs

    app = st.App(Path(__file__).resolve(), middleware=[Middleware(KnownHosts), Middleware(FromKnownTabs)])
