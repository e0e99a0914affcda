"""The pages of the app: each file says its own title, icon and place, and is found here without being run."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import streamlit as st

from mimi_core.errors import ConfigError

FOLDER = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page's file says of itself, as `PAGE = Page(title=.., icon=.., order=..)`, in literals.

    The file's name is the page's address. The lowest `order` is what the bare address shows.
    """

    title: str
    icon: str
    order: int


def pages() -> dict[str, Page]:
    """Address -> page, in the order of the menu."""
    declared = {file.stem: _declared(file, file.stat().st_mtime_ns) for file in FOLDER.glob("*.py")}
    known = {name: page for name, page in declared.items() if page is not None}
    return dict(sorted(known.items(), key=lambda item: (item[1].order, item[0])))


@cache
def _declared(file: Path, _changed: int) -> Page | None:
    """Read, not imported: to know ten titles, a server need not load what ten pages draw with.

    Raises:
        ConfigError: it is not made of literals.
    """
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="PAGE")], value=ast.Call(args=[], keywords=said)):
                try:
                    return Page(**{str(one.arg): ast.literal_eval(one.value) for one in said})
                except (TypeError, ValueError) as error:
                    raise ConfigError(
                        f"{file}: PAGE is to be Page(title=.., icon=.., order=..), in literals: {error}"
                    ) from error
    return None


def navigation(icons: bool = True) -> list[st.Page]:
    """Every page for Streamlit. app.py runs the one that is asked for."""
    known = pages()
    first = next(iter(known))
    return [
        st.Page(_file(name), title=page.title, icon=page.icon if icons else None, default=name == first)
        for name, page in known.items()
    ]


def through_app() -> None:
    """Make sure that app.py ran first.

    When a link to a page is the first request that a fresh server sees, Streamlit runs the page's file by itself.
    Its first `st.navigation` ends that mode for the whole server; the rerun goes through app.py, to the same page.
    """
    if "through_app" not in st.session_state:
        # Without icons: a browser would fetch a page's from a server of Google's, until app.py sets the tab's own.
        st.navigation(navigation(icons=False), position="hidden")
        st.rerun()


def link_to(
    name: str, label: str | None = None, *, icon: str | None = None, query: Mapping[str, str] | None = None
) -> None:
    """Draw a link to a page, with the page's own title and icon unless others are given; none to what is not there."""
    page = pages().get(name)
    if page is not None:
        icon = page.icon if icon is None else icon
        st.page_link(_file(name), label=label or page.title, icon=icon, query_params=query)


def switch_to(name: str, query: Mapping[str, str | list[str]] | None = None) -> NoReturn:
    """Go there at once."""
    st.switch_page(_file(name), query_params=query)


def _file(name: str) -> str:
    return f"pages/{name}.py"
