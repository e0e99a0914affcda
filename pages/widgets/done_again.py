"""One config and one seed, done more than once: what came of it, and what differed between the runs."""

import contextlib

import streamlit as st

from mimi_core.analysis.widths import again
from mimi_core.config.identity import same_but_seed, seed_key
from mimi_core.errors import MimiError
from mimi_core.runs.formats import fingerprint
from pages.widgets.run_picker import short_id
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

MOST_AGAIN = 3
"""Runs that are told one by one."""


def done_again(stored: StoredRun, runs: list[StoredRun]) -> None:
    """Draw a line for each of them; nothing where there is none."""
    for other in _same(stored, runs)[:MOST_AGAIN]:
        st.markdown(f":material/replay: {plain(again.twin_in_words(_done(stored), _done(other)))}")


def _done(stored: StoredRun) -> again.TwinRun:
    try:
        images = fingerprint.read(stored.run.folder)
    except MimiError:
        images = None
    what = "the example" if stored.example else short_id(stored.run)
    return again.TwinRun(what, stored.store.state(stored.run.id), images)


def _same(stored: StoredRun, runs: list[StoredRun]) -> list[StoredRun]:
    """Finished runs of the very same settings and seed. Summaries are looked at first: that is cheap for a thousand."""
    this, same = stored.run, []
    facts = (this.method, this.backbone, this.data, this.seed, this.cycles, "finished")
    with contextlib.suppress(MimiError):
        own = stored.store.config(this.id)
        for other in (o for o in runs if o.run.id != this.id):
            run = other.run
            if (run.method, run.backbone, run.data, run.seed, run.cycles, run.phase) != facts:
                continue
            with contextlib.suppress(MimiError):  # deleted or broken meanwhile
                theirs = other.store.config(run.id)
                if same_but_seed(theirs, own) and seed_key(theirs) == seed_key(own):
                    same.append(other)
    return same
