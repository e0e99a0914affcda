"""The way in, where there is a list of people: signing in with the provider that Streamlit's secrets name."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec

import streamlit as st

from mimi_core.errors import MimiError
from pages.widgets import gate, people
from pages.widgets.text import plain

SECRETS = ".streamlit/secrets.toml"


def shut_out() -> Callable[[], None] | None:
    """What draws why the person may not look and what they can do about it; None for who may."""
    try:
        if (why := _shut()) is None and gate.refusal("look") is None:
            return None
        return partial(_outside, why)
    except MimiError as error:  # no list, or none that can be read, lets nobody in
        return partial(_outside, plain(str(error)))


def _shut() -> str | None:
    """Why nobody can come in: half of what signing in needs is there."""
    has_provider = "is_logged_in" in st.user
    if gate.signing_in() and not has_provider:
        return (
            f"{people.SETTING} names a list of people, but {SECRETS} has no section [auth] that says how they sign in."
        )
    if gate.signing_in() and find_spec("authlib") is None:
        return "Signing in takes Authlib, which is not installed here: pip install Authlib httpx2"
    if has_provider and people.unsaid():
        return (
            f"{SECRETS} says how people sign in, but {people.SETTING} does not say who may. Name the list of people, "
            f"or set it to nothing ({people.SETTING}=) to let in whoever reaches this app."
        )
    return None


def _outside(why: str | None) -> None:
    st.title("MiMi Studio", anchor=False)
    if why is not None:
        st.error(why, icon=":material/error:")
    elif not st.user.get("is_logged_in"):
        st.markdown("This app is for people on its list.")
        for name, label in _providers().items():
            if st.button(label, type="primary", icon=":material/login:"):
                st.login(name)
    else:
        st.markdown(_not_on_the_list())
        if st.button("Sign out", icon=":material/logout:"):
            st.logout()


def _not_on_the_list() -> str:
    address = plain(str(st.user.get("email") or ""))
    if not address:
        return "You are signed in, but the provider gave no e-mail address (scope `email`), and the list has addresses."
    if not gate.verified_address():
        return (
            f"You are signed in as {address}, but the provider does not say that the address is yours "
            "(`email_verified`). Verify it there, then sign in again."
        )
    return f"You are signed in as {address}, which is not on this app's list. Whoever runs the app can put you on it."


def _providers() -> dict[str | None, str]:
    """What `st.login` calls each -> what its button says. One that has no name stands in [auth] itself."""
    section = st.secrets["auth"]
    named = [name for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value]
    return {**({None: "Sign in"} if "client_id" in section else {}), **{name: f"Sign in with {name}" for name in named}}


def account() -> None:
    """Who is here, and what for; nothing for a person alone."""
    if not gate.read_only() and not gate.signing_in():
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if gate.read_only():
            st.caption(f":material/visibility: {gate.ONLY_LOOK}")
        if gate.signing_in():
            who = gate.person()
            st.caption(f":material/person: {plain(who.address)} · {who.role}")
            if st.button("Sign out", type="tertiary", icon=":material/logout:", key="sign-out"):
                st.logout()
