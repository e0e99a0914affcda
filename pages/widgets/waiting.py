"""A job that is going on: what it does, for how long already, and a way to end it."""

from collections.abc import Hashable

import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.runs.jobs.job import Job, Jobs
from pages.widgets.text import plain

LOOK_SECONDS = 0.5


@st.cache_resource
def jobs() -> Jobs:
    """The jobs of this server."""
    return Jobs()


def wait_for(key: Hashable, what: str) -> None:
    """Draw a running job until it ends, then draw the whole page anew. Not to be called from within a fragment."""
    st.fragment(_look, run_every=LOOK_SECONDS)(key, what)


def complain(job: Job, told: str) -> None:
    """Why a job has no result."""
    if job.state == "cancelled":
        st.info("Cancelled.", icon=":material/cancel:")
    else:
        st.error(f"{plain(told[:1].upper() + told[1:])}.", icon=":material/error:")


def _look(key: Hashable, what: str) -> None:
    job = jobs().get(key)
    if job is None or job.state != "running":
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"{what} · {words.duration(job.seconds)}", icon="spinner", width=480)
        if st.button("Cancel", icon=":material/close:", key=f"cancel {hash(key)}"):
            job.end()
            st.rerun()
