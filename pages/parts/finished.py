"""Finished runs as comparisons need them, kept in memory."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Callable

import streamlit as st

from mimi_core.analysis.comparisons import Facts, facts
from mimi_core.analysis.designs import task_of
from mimi_core.errors import MimiError
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from mimi_core.runs.status import ENDED
from pages import common

LIVE_SECONDS = 5.0


def kept_fresh(show: Callable[[list[common.Found]], None], runs: list[common.Found]) -> None:
    """Draw something about runs, again every few seconds while some of them go on."""
    live = any(found.run.phase not in ENDED for found in runs)

    def draw() -> None:
        fresh = [common.Found(found.store.summary(found.run.id), found.store, found.example) for found in runs]
        if live and all(found.run.phase in ENDED for found in fresh):
            st.rerun()  # the whole page, so that the clock of the fragment stops
        show(fresh)

    st.fragment(draw, run_every=LIVE_SECONDS if live else None)()


def by_task(runs: list[common.Found]) -> dict[str, list[common.Found]]:
    """The runs whose configs can be read, by dataset and backbone; tasks without any finished run are left out."""
    tasks: dict[str, list[common.Found]] = defaultdict(list)
    for found in runs:
        if found.run.phase != "broken":
            with contextlib.suppress(MimiError):  # deleted meanwhile
                tasks[task_of(found.store.config(found.run.id))].append(found)
    return {task: alike for task, alike in tasks.items() if any(found.run.phase == "finished" for found in alike)}


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
