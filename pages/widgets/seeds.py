"""Widths across seeds: what of a run's picture is the method's doing, and what is chance."""

import contextlib

import streamlit as st

from mimi_core.analysis.common.agreement import LAYERS_HELP, WIDTHS_HELP, agreement
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.overview.groups import Member, repetitions
from mimi_core.analysis.widths import again, seeds
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from pages.widgets import drawing
from pages.widgets.done_again import done_again
from pages.widgets.menu import link_to
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

FEWEST = 2


def across_seeds(stored: StoredRun, runs: list[StoredRun]) -> None:
    """How often every layer survives in the repetitions of a run, which differ from it by their seeds alone."""
    this = stored.run
    state = stored.store.state(this.id)
    if len(state.cuts) < max(1, state.total_cuts):
        return
    repeated = _repetitions(stored, runs)
    st.subheader("Across seeds", anchor=False)
    done_again(stored, runs)
    if len(repeated) < FEWEST:
        st.markdown(
            "Which layers lose their adapter depends on chance, too: on the images drawn, and on the initial weights. "
            "No finished run here differs from this one by its seeds alone."
        )
        link_to("launch", "Launch it with other seeds")
        return
    table, agree = seeds.survival_table(repeated), agreement([run.widths[-1] for run in repeated])
    st.markdown(plain(f"{seeds.survival_in_words(table)} {again.spread(repeated)}"))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            seeds.survival_figure(table, drawing.scale()),
            key="seeds",
            config=drawing.CONFIG,
            alt=f"Heatmap: in how many of {len(repeated)} runs every layer has an adapter, cut by cut.",
        )
    with right:
        with st.container(horizontal=True, gap="large"):
            st.metric(
                "Same layers",
                percent(agree.layers, 0),
                f"{percent(agree.by_chance, 0)} by chance",
                delta_color="off",
                delta_arrow="off",
                help=LAYERS_HELP,
            )
            st.metric(
                "Same widths",
                percent(agree.widths, 0),
                help=WIDTHS_HELP,
            )
        st.caption(
            f"{len(repeated)} runs with the settings of this one and other seeds. The stronger the colour, the more "
            "of them still have an adapter there; a number says how many, where it is not all of them. ✕: gone in "
            "every run. A layer that goes in every run ranks low by this score, whatever the seed. Another "
            "score may keep it at no cost in accuracy: this is no proof that the layer needs no adapter."
        )


def _repetitions(stored: StoredRun, runs: list[StoredRun]) -> list[RunState]:
    """The states of a run and of those that repeat it, which have the same layers and cuts.

    Told by summaries and configs, since states are large. What must be the same in any case and stands in summaries is
    looked at first: that is cheap for a thousand runs.
    """
    this, own = stored.run, _member(stored)
    if own is None:
        return []
    near = {
        other.run.folder: other
        for other in runs
        if other.run.id != this.id
        and (other.run.method, other.run.backbone, other.run.data, other.run.cycles)
        == (this.method, this.backbone, this.data, this.cycles)
    }
    known = [member for other in near.values() if (member := _member(other)) is not None]
    states = [stored.store.state(this.id)]
    for run in repetitions(own, known)[1:]:
        with contextlib.suppress(MimiError):  # deleted meanwhile
            states.append(near[run.folder].store.state(run.id))
    return [state for state in states if state.sites == states[0].sites and len(state.cuts) == len(states[0].cuts)]


def _member(stored: StoredRun) -> Member | None:
    try:
        return stored.run, stored.store.config(stored.run.id)
    except MimiError:  # deleted or broken meanwhile
        return None
