"""Widths across seeds: what of a run's picture is the method's doing, and what is chance."""

import contextlib

import streamlit as st

from mimi_core.analysis.common.agreement import LAYERS_HELP, WIDTHS_HELP, agreement
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.widths import seeds
from mimi_core.config.identity import Seeds, same_but_seed, seed_key
from mimi_core.errors import MimiError
from pages.widgets import drawing
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
    alike = _alike(stored, runs)
    found_runs = seeds.repetitions(state, [other.store.state(other.run.id) for other in alike])
    st.subheader("Across seeds", anchor=False)
    if len(found_runs) < FEWEST:
        st.markdown(
            "Which layers lose their adapter depends on chance, too: on the images drawn, and on the initial weights. "
            "No finished run here differs from this one by its seeds alone."
        )
        link_to("launch", "Launch it with other seeds")
        return
    table, agree = seeds.survival_table(found_runs), agreement([run.widths[-1] for run in found_runs])
    st.markdown(plain(seeds.survival_in_words(table)))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            seeds.survival_figure(table, drawing.scale()),
            key="seeds",
            config=drawing.CONFIG,
            alt=f"Heatmap: in how many of {len(found_runs)} runs every layer has an adapter, cut by cut.",
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
            f"{len(found_runs)} runs with the settings of this one and other seeds. The stronger the colour, the more "
            "of them still have an adapter there; a number says how many, where it is not all of them. ✕: gone in "
            "every run. A layer that goes in every run ranks low by this score, whatever the seed. Another "
            "score may keep it at no cost in accuracy: this is no proof that the layer needs no adapter."
        )


def _alike(stored: StoredRun, runs: list[StoredRun]) -> list[StoredRun]:
    """One run for every other seed of the same settings, told by summaries and configs: whole runs are large."""
    this = stored.run
    near = [
        other
        for other in runs
        if other.run.id != this.id
        and (other.run.group, other.run.method, other.run.backbone, other.run.data, other.run.score, other.run.scope)
        == (this.group, this.method, this.backbone, this.data, this.score, this.scope)
        and other.run.cycle == other.run.cycles
    ]
    chosen: dict[Seeds, StoredRun] = {}
    with contextlib.suppress(MimiError):
        own = stored.store.config(this.id)
        for other in near:
            with contextlib.suppress(MimiError):  # deleted or broken meanwhile
                theirs = other.store.config(other.run.id)
                if same_but_seed(theirs, own):
                    chosen.setdefault(seed_key(theirs), other)
    return list(chosen.values())
