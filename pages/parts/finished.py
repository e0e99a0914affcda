"""Finished runs as comparisons need them, kept in memory."""

import os

import streamlit as st

from mimi_core.analysis.comparisons import Facts, facts
from mimi_core.errors import MimiError
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from pages import common


def finished(runs: list[common.Found]) -> list[Facts]:
    """What is known of those runs that have finished and can be read."""
    known = [_facts(str(found.run.folder), _stamp(found), found) for found in runs if found.run.phase == "finished"]
    return [one for one in known if one is not None]


@st.cache_data(max_entries=5000, show_spinner=False)
def _facts(folder: str, stamp: tuple[object, ...], _found: common.Found) -> Facts | None:
    run, store = _found.run, _found.store
    try:
        state = read_events(run.folder / files.EVENTS, with_epochs=False)  # the store would keep whole accounts
        return facts(run, store.config(run.id), state, store.status(run.id))
    except MimiError:  # deleted or broken meanwhile
        return None


def _stamp(found: common.Found) -> tuple[object, ...]:
    def seen(name: str) -> tuple[int, int] | None:
        try:
            at = os.stat(found.run.folder / name)
        except OSError:
            return None
        return at.st_mtime_ns, at.st_size

    return tuple(seen(name) for name in (files.EVENTS, files.CONFIG))
