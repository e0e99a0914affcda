"""Choices that a page's address holds, so that a reload, a link and the way back show the same page.

Streamlit's own `bind="query-params"` does that where an option's text is what the address is to say. It writes labels,
knows one name for one widget, and drops what it does not know. Where the address holds ids or numbers (of runs, cuts,
layers, images), leaves out what is usual, or says one of several names, the choice is made here: the address decides,
the widget follows it, and a move of the widget changes the address before the page is drawn again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

import streamlit as st

Option = TypeVar("Option")
Value = TypeVar("Value")
Params = Mapping[str, str | Iterable[str] | None]
"""Parts of the address; None takes one out."""


class Control(TypedDict):
    """What a widget must be given to follow the address: `st.selectbox("Run", ids, **bound.control)`."""

    key: str
    on_change: Callable[[], None]


@dataclass(frozen=True)
class Bound(Generic[Value]):
    """A value that the address decides. Act on this one, not on what the widget returns."""

    value: Value
    control: Control


def bound(name: str, value: Value, write: Callable[[Value], Params | None]) -> Bound[Value]:
    """A widget that shows `value`.

    Args:
        name: of the widget; its key is `address.NAME`.
        write: what the address says of a value that somebody chooses; None where that is none of the options.
    """
    key = f"address.{name}"
    st.session_state[key] = value

    def remember() -> None:
        told = write(st.session_state[key])
        if told is not None:
            tell(told)

    return Bound(value, {"key": key, "on_change": remember})


def one_of(name: str, options: Iterable[Option], usual: Option, *, leave_out_usual: bool = False) -> Bound[Option]:
    """One of some options, in the address as `name`: `str(option)`.

    Args:
        usual: what holds while the address says nothing, or something unknown. None stands for no choice.
        leave_out_usual: the address is silent about it also when somebody chooses it.
    """
    known = {str(option): option for option in options}

    def write(option: Option) -> Params | None:
        if option is None or (leave_out_usual and option == usual):
            return {name: None}
        return {name: str(option)} if str(option) in known else None

    return bound(name, known.get(st.query_params.get(name, ""), usual), write)


def some_of(name: str, options: Iterable[str]) -> Bound[list[str]]:
    """Any number of some options, in the address as `name`, once for each; none at first."""
    known = set(options)

    def write(chosen: list[str]) -> Params:
        return {name: [option for option in chosen if option in known]}

    return bound(name, [option for option in st.query_params.get_all(name) if option in known], write)


def tell(params: Params) -> None:
    """Change these parts of the address."""
    for name, value in params.items():
        if value is None:
            st.query_params.pop(name, None)
    st.query_params.update({name: value for name, value in params.items() if value is not None})
