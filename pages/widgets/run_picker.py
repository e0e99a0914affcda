"""Which run a page is about."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from mimi_core.runs.store import RunSummary
from pages.widgets import address
from pages.widgets.badge import stage
from pages.widgets.menu import link_to
from pages.widgets.stores import StoredRun
from pages.widgets.text import distinct, plain

SECOND = "Second run"
LAST = "last_run"
"""Where a session keeps the run that it looked at last, so that another page begins with it."""


def pick_run(
    runs: Sequence[StoredRun],
    other_page: str,
    label: str | None = None,
    *,
    suits: Callable[[RunSummary], bool] = bool,
) -> StoredRun | None:
    """Draw the choice of a run, kept in the address as `run`, and a link to another page about it.

    Args:
        suits: what the page is about; the newest such run is shown while nobody has chosen one.

    Returns:
        The run that the address names. None when there is none at all, or not that one: another must not be taken
        for it. The page then already says what to do.
    """
    known = {stored.run.id: stored for stored in runs}
    if not known:
        no_runs()
        return None
    asked = st.query_params.get("run")
    if asked is not None and asked not in known:
        _not_there(asked)
        with st.container(horizontal=True, vertical_alignment="center"):
            _select("Run", known, run_labels(runs), address.one_of("run", (None, *known), None))
            link_to("runs", "All runs")
        return None
    suiting = next((stored.run.id for stored in runs if suits(stored.run)), None)
    usual = next(run_id for run_id in (st.session_state.get(LAST), suiting, next(iter(known))) if run_id in known)
    chosen = address.one_of("run", known, usual)
    with st.container(horizontal=True, vertical_alignment="center"):
        _select("Run", known, run_labels(runs), chosen)
        link_to(other_page, label, query={"run": chosen.value})
    st.session_state[LAST] = st.query_params["run"] = chosen.value
    return known[chosen.value]


def pick_second(runs: Sequence[StoredRun]) -> StoredRun | None:
    """Draw the choice of a run to compare with, kept in the address as `with`; nobody has to make it."""
    known = {stored.run.id: stored for stored in runs}
    asked = st.query_params.get("with")
    if asked is not None and asked not in known:
        _not_there(asked)
    chosen = address.one_of("with", (None, *known), None)
    _select(SECOND, known, run_labels(runs), chosen)
    return None if chosen.value is None else known[chosen.value]


def _select(what: str, known: Mapping[str, StoredRun], labels: Mapping[str, str], chosen: address.Bound[Any]) -> None:
    st.selectbox(
        what,
        list(known),
        index=None if chosen.value is None or what == SECOND else 0,  # else it could be cleared
        format_func=labels.__getitem__,
        placeholder="Choose a run",
        label_visibility="collapsed",
        filter_mode="contains",
        **chosen.control,
    )


def _not_there(run_id: str) -> None:
    st.warning(
        f"There is no run {plain(repr(run_id[:80]))} here. It may have been deleted, or be in another folder.",
        icon=":material/link_off:",
    )


def run_labels(runs: Sequence[StoredRun]) -> dict[str, str]:
    """Id -> a line for a list of runs, no two alike. Plain text."""
    lines = {stored.run.id: _line(stored) for stored in runs}
    return distinct(lines, lines.__getitem__)


def _line(stored: StoredRun) -> str:
    run = stored.run
    what = "example" if stored.example else stage(run.phase)
    when = time.strftime("%d %b %Y %H:%M", time.localtime(run.created))
    return " · ".join([run.title, f"seed {run.seed}", run.data, run.backbone, what, when, short_id(run)])


def short_id(run: RunSummary) -> str:
    """The part of its id that was drawn by lot."""
    return run.id.rpartition("-")[2]


def run_makes_cuts(run: RunSummary) -> bool:
    """Whether there are, or will be, cuts to look at."""
    return run.cycles > 0 and run.phase != "broken"


def no_runs() -> None:
    """The page of a first visit without any example."""
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader("No runs yet", text_alignment="center")
        st.markdown("Start one, and its widths appear here as they shrink.", text_alignment="center")
        link_to("launch", "Run the demo", icon=":material/play_arrow:")
