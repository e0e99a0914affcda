"""The runs that the app knows: the user's, the bundled examples, and those of the study."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mimi_core.errors import MimiError, ResourceError
from mimi_core.resources import EXAMPLES
from mimi_core.runs.queue.dispatcher import wake
from mimi_core.runs.store import RunSummary, Store
from pages.widgets import gate
from pages.widgets.text import plain

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "assets" / "study"
WAKE_SECONDS = 5.0
"""Between two looks at whether the queue has somebody who works through it."""


@dataclass(frozen=True)
class StoredRun:
    """A run and the store that it is in. Examples come with the program and are never changed."""

    run: RunSummary
    store: Store
    example: bool

    @property
    def link(self) -> dict[str, str]:
        """The query of a page about it."""
        return {"run": self.run.id}


@st.cache_resource
def _store(directory: str) -> Store:
    return Store(directory)


def user_store() -> Store:
    store = _store(os.environ.get("MIMI_RUNS") or str(ROOT / "runs"))
    if not gate.read_only():
        _wake_queue(str(store.directory))
    return store


def datasets_folder() -> Path:
    """Where uploaded datasets are: MIMI_DATA, or beside the runs."""
    return Path(os.environ.get("MIMI_DATA") or user_store().directory.absolute().parent / "datasets")


@st.cache_resource(ttl=WAKE_SECONDS)
def _wake_queue(directory: str) -> None:
    """Runs that wait without a dispatcher, after the machine went down or it was killed, go on since somebody looks."""
    with contextlib.suppress(OSError, MimiError):  # a folder that cannot be used is said where it is listed
        wake(_store(directory))


def all_runs() -> list[StoredRun]:
    """The user's runs, newest first, then the examples."""
    mine, examples = user_store(), _store(str(EXAMPLES))
    try:
        own = mine.list()
    except ResourceError as error:
        st.error(f"Your runs: {plain(str(error))}.")
        own = []
    return [StoredRun(run, mine, False) for run in own] + [StoredRun(run, examples, True) for run in examples.list()]


def study_runs() -> list[StoredRun]:
    """The runs behind docs/findings.md that have finished. They come with the program, without adapters and scores."""
    study = _store(str(STUDY))
    return [StoredRun(run, study, True) for run in study.list() if run.phase == "finished"]
