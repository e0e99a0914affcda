"""Whether the person at this tab may do something. Asked each time by whatever does it; buttons show the answer."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mimi_core.errors import ConfigError, MimiError
from pages.widgets import people
from pages.widgets.people import Role

READ_ONLY = "MIMI_READ_ONLY"
ONLY_LOOK = "This app is read-only: it can be looked at, and models can be asked. Nothing is launched, changed or sent."
_ON, _OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class NotAllowedError(MimiError):
    """The person may not do this; the message says who may."""


@dataclass(frozen=True)
class Person:
    """Who asks.

    Attributes:
        address: the e-mail address, in lower case, that the person signed in with and that the provider has verified;
            empty where nobody has to sign in.
        role: None: not even to look.
    """

    address: str
    role: Role | None


def read_only() -> bool:
    """Raises ConfigError where MIMI_READ_ONLY is neither on nor off: rather no app than one that is open by mistake."""
    text = os.environ.get(READ_ONLY, "").strip().casefold()
    if text not in (*_ON, *_OFF):
        raise ConfigError(f"{READ_ONLY}: {text!r} is neither 1 nor 0")
    return text in _ON


def signing_in() -> bool:
    """Whether people have to."""
    return people.file() is not None


def person() -> Person:
    """Who is at this tab now, by the list as it is now.

    Raises:
        ConfigError: the list cannot be read.
    """
    if not signing_in():
        return Person("", "admin")
    address = verified_address()
    return Person(address, people.role_of(address) if address else None)


def verified_address() -> str:
    """Of who signed in; empty when nobody did, or when the provider does not vouch for the address."""
    if not st.user.get("is_logged_in") or st.user.get("email_verified") not in (True, "true"):
        return ""
    return str(st.user.get("email") or "").strip().casefold()


def refusal(needed: Role, owners: Iterable[str] = ()) -> str | None:
    """Why the person may not; None when they may.

    Args:
        needed: what it takes.
        owners: of the runs that it is about. Those of others are an admin's.
    """
    who = person()
    if read_only() and needed != "look":
        return ONLY_LOOK
    if not people.may(who.role, needed):
        return f"This takes the role {needed}; yours is {who.role or 'none'}. Who runs the app gives roles."
    others = sorted({owner for owner in owners if owner != who.address})
    if others and not people.may(who.role, "admin"):
        return f"This is a run of {others[0] or 'somebody else'}: only they and an admin can do this."
    return None


def demand(needed: Role, owners: Iterable[str] = ()) -> Person:
    """The person, who may.

    Raises:
        NotAllowedError: they may not.
    """
    if why := refusal(needed, owners):
        raise NotAllowedError(why)
    return person()


def button(label: str, needed: Role, owners: Iterable[str] = (), *, blocked: str | None = None, **options: Any) -> bool:
    """A button for an action; it stands there without effect, and says why, for who may not.

    Args:
        blocked: why nobody can do it now.
    """
    if why := refusal(needed, owners) or blocked:
        options |= {"disabled": True, "help": why}
    return st.button(label, **options)
