"""Finished runs as comparisons need them, kept in memory."""

import contextlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import streamlit as st

from mimi_core.analysis.compare.design import task_of
from mimi_core.analysis.compare.tables import Facts, facts
from mimi_core.errors import MimiError
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from mimi_core.runs.status import ENDED, read_status
from mimi_core.runs.store import RunSummary
from pages.widgets import refresh
from pages.widgets.stores import StoredRun

Value = TypeVar("Value")


class CachedPerRun(Generic[Value]):
    """What a function makes of a run; made again when the store has made a new summary, because its files changed.

    Not `st.cache_data`: hashing and unpickling for a thousand runs takes longer than all the rest of a page.
    """

    def __init__(self, make: Callable[[StoredRun], Value]) -> None:
        self._make = make
        self._known: dict[Path, tuple[RunSummary, Value]] = {}

    def __call__(self, stored: StoredRun) -> Value:
        known = self._known.get(stored.run.folder)
        if known is None or known[0] is not stored.run:
            known = self._known[stored.run.folder] = stored.run, self._make(stored)
        return known[1]


def kept_fresh(show: Callable[[list[StoredRun]], None], runs: list[StoredRun]) -> None:
    """Draw something about runs, again every few seconds while some of them go on."""
    live = any(stored.run.phase not in ENDED for stored in runs)

    def draw() -> None:
        fresh = [stored if stored.run.phase in ENDED else renewed(stored) for stored in runs]
        if live and all(stored.run.phase in ENDED for stored in fresh):
            st.rerun()  # the whole page, so that the clock of the fragment stops
        show(fresh)

    st.fragment(draw, run_every=refresh.MANY_RUNS if live else None)()


def renewed(stored: StoredRun) -> StoredRun:
    return StoredRun(stored.store.summary(stored.run.id), stored.store, stored.example)


def by_task(runs: list[StoredRun]) -> dict[str, list[StoredRun]]:
    """The runs whose configs can be read, by dataset and backbone; tasks without any finished run are left out."""
    tasks: dict[str, list[StoredRun]] = defaultdict(list)
    for stored in runs:
        if stored.run.phase != "broken":
            with contextlib.suppress(MimiError):  # deleted meanwhile
                tasks[_task(stored)].append(stored)
    return {task: alike for task, alike in tasks.items() if any(stored.run.phase == "finished" for stored in alike)}


def finished(runs: list[StoredRun]) -> list[Facts]:
    """What is known of those runs that have finished and can be read."""
    known = [_facts(stored) for stored in runs if stored.run.phase == "finished"]
    return [one for one in known if one is not None]


def _read(stored: StoredRun) -> Facts | None:
    run, store = stored.run, stored.store
    try:
        # Past the store, which would keep what only these few numbers are made of.
        return facts(
            run,
            store.config(run.id),
            read_events(run.folder / files.EVENTS, with_epochs=False),
            read_status(run.folder),
        )
    except MimiError:  # deleted or broken meanwhile
        return None


_facts = CachedPerRun(_read)
_task = CachedPerRun(lambda stored: task_of(stored.store.config(stored.run.id)))
