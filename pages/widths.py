"""Widths: which layers keep their adapters, cut after cut."""

from typing import Any

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import gain, tables
from mimi_core.analysis.why.damage import damage_when_lost
from mimi_core.analysis.widths import words as sentences
from mimi_core.analysis.widths.figures import widths_figure
from mimi_core.analysis.widths.grid import MODE_NAMES, by_position
from mimi_core.analysis.widths.heatmap import heatmap_figure
from mimi_core.analysis.widths.worth import sentence, with_worth
from mimi_core.runs.status import ENDED
from pages.widgets import address, drawing, refresh, stores
from pages.widgets.cut_picker import pick_cut
from pages.widgets.menu import Page, link_to, switch_to, through_app
from pages.widgets.run_picker import pick_run, pick_second, run_makes_cuts
from pages.widgets.seeds import across_seeds
from pages.widgets.stores import StoredRun
from pages.widgets.text import distinct, plain

PAGE = Page(title="Widths", icon=":material/stacked_bar_chart:", order=40)
POSITIONS = {"all": ("attn", "mlp"), "attention": ("attn",), "mlp": ("mlp",)}
PLAY_SECONDS = 1.2
PLAY_WIDTH = 104
"""Pixels, whatever the button says: the controls beside it stay where they are."""
STEADY = "<style>.st-key-findings { min-height: 9.2rem }</style>"
"""Room for the longest findings, so that the figure stays where it is while they change."""
HELP = """
The **backbone** is a pretrained image model, and frozen. Each of its layers, an attention or an MLP, got an
**adapter**: a small network beside it, and all that trains. Its **width** is its number of neurons.

After training, a **cut** removes the neurons with the lowest scores; then training goes on, and the next cut comes.
With *global* scope, where layers compete, the picture shows **where the model keeps adapters, and
where not**, as this score ranks it: a layer whose last neuron went (✕) is again the frozen original. That it ranked
low does not show that it needs no adapter; what it was worth when it went, runs measure before every cut.

**The picture:** a row is a layer, the input on top; a column is the state after a cut. The number in a cell is what is
left: neurons, or parameters of the adapter. The colour is on a square-root scale, so that few can be told from fewer.
Bars show the chosen cut, attention in full colour, MLP pale. Below, a cut costs accuracy (triangle) and training wins
some of it back (dot).
"""


def main() -> None:
    through_app()
    runs = stores.all_runs()
    if st.query_params.get("run") not in {None, *(stored.run.id for stored in runs)}:
        runs += stores.study_runs()
    stored = pick_run(runs, "monitor", suits=run_makes_cuts)
    if stored is None:
        return
    live = stored.run.phase not in ENDED
    playing = st.session_state.get("play_next") is not None
    every = PLAY_SECONDS if playing else refresh.ONE_RUN if live else None
    st.fragment(show, run_every=every)(stored)
    if stored.run.sites:  # parts of their own: they stay as they are while somebody moves the cut
        st.fragment(across_seeds)(stored, runs)
        st.fragment(compare)(stored, runs)


def show(stored: StoredRun) -> None:
    state = stored.store.state(stored.run.id)
    if not state.widths:
        nothing_yet(stored)
        return
    measured, problems = damage_when_lost(stored.run.folder, state)
    widths, cycles = with_worth(tables.widths_table(state), measured), tables.cycles_table(state)
    done = len(state.cuts)
    st.html(STEADY)
    findings = st.container(key="findings")
    mode, layers, grouped, cycle = controls(done, len(set(widths["group"])) > 1)
    with findings:
        st.title(sentences.headline(widths, cycle), anchor=False)
        gained = gain.of_run(stored.run.folder, state, cycle)
        valued = sentence(widths, measured, cycle)
        st.markdown(plain(f"{sentences.story(widths, cycles, cycle)} {valued} {gained}"))
    for problem in problems:
        st.warning(plain(problem), icon=":material/broken_image:")
    shown = widths[widths["position"].isin(POSITIONS[layers])]
    if shown.empty:
        st.info(f"This run has no adapters at its {'attentions' if layers == 'attention' else 'MLPs'}.")
        return
    playing = st.session_state.get("play_next") is not None
    clicked: Any = st.plotly_chart(
        widths_figure(
            by_position(shown) if grouped else shown,
            cycles,
            drawing.scale(),
            cycle=cycle,
            cuts=state.total_cuts,
            mode=mode,
            playing=playing,
        ),
        key="widths",
        config=drawing.CONFIG,
        on_select="rerun" if done else "ignore",
        selection_mode="points",
        alt=f"Heatmap of {len(shown['site'].unique())} layers over {done} cuts. {sentences.headline(widths, cycle)}.",
    )
    if done:
        neurons_of(stored, widths, cycle, clicked)
    with st.expander("What you see here", icon=":material/help:"):
        st.markdown(HELP)
    details(widths, cycles)


def neurons_of(stored: StoredRun, widths: pd.DataFrame, cycle: int, clicked: Any) -> None:
    """From a layer at a cut to its neurons on the Why page: a click on a cell, or a choice for the keyboard."""
    fatal = dict(widths.loc[widths["vanished"], ["site", "cycle"]].itertuples(index=False))
    names = dict(widths.drop_duplicates("site").sort_values("order")[["site", "label"]].itertuples(index=False))
    for point in clicked["selection"]["points"][:1]:
        match point.get("customdata"):
            case [int(order), int(cut)] if order < len(names):
                site = list(names)[order] if order >= 0 else None
                switch_to("why", _link(stored, site, cut))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Click a cell to see its neurons, which went and which stayed, or choose a layer:", width="content")
        site = st.selectbox(
            "Layer",
            list(names),
            format_func=distinct(names, names.__getitem__).__getitem__,
            key="look_into",
            label_visibility="collapsed",
            width=150,
        )
        cut = max(1, min(cycle, fatal.get(site, cycle)))
        link_to("why", f"Neurons of {plain(names[site])} at cut {cut}", query=_link(stored, site, cut))


def _link(stored: StoredRun, site: str | None, cut: int) -> dict[str, str]:
    return {**stored.link, "cycle": str(cut), **({"layer": site} if site else {})}


def controls(done: int, staged: bool) -> tuple[tables.Mode, str, bool, int]:
    """What is shown, kept in the URL as `mode`, `layers`, `rows` and `cycle`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        cycle = scrubber(done)
        mode = st.segmented_control(
            "Colour and bars show",
            list(MODE_NAMES),
            default="share",
            required=True,
            key="mode",
            bind="query-params",
        )
        layers = st.segmented_control(
            "Layers", list(POSITIONS), default="all", required=True, key="layers", bind="query-params"
        )
        grouped = st.segmented_control(
            "Rows by",
            ["stage" if staged else "depth", "position"],
            default="stage" if staged else "depth",
            required=True,
            key="rows",
            bind="query-params",
            help="position: attention or MLP",
        )
    return mode or "share", layers or "all", grouped == "position", cycle


def scrubber(done: int) -> int:
    """Which cycle the sentence, the frame and the bars are about; the last one unless the URL says otherwise."""
    if done == 0:
        return 0
    playing = st.session_state.get("play_next")
    if playing is not None:
        shown = min(playing, done)
        address.tell({"cycle": str(shown)})
        st.session_state["play_next"] = shown + 1 if shown < done else None
    cycle = pick_cut(0, done, done)
    label, icon = ("Play", ":material/play_arrow:") if playing is None else ("Pause", ":material/pause:")
    if st.button(label, icon=icon, width=PLAY_WIDTH):
        st.session_state["play_next"] = None if playing is not None else cycle + 1 if cycle < done else 0
        st.rerun()
    if playing is not None and cycle == done:
        st.rerun()  # the whole page, so that the clock of the fragment stops
    return cycle


def details(widths: pd.DataFrame, cycles: pd.DataFrame) -> None:
    removed = tables.removed_table(widths)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Layers that lost their adapter", anchor=False)
        if removed.empty:
            st.markdown("None so far: every layer still has some neurons.")
        else:
            st.dataframe(
                removed,
                hide_index=True,
                column_config={
                    "label": "Layer",
                    "group": "Where",
                    "position": None,
                    "cut": st.column_config.NumberColumn("Cut", help="the cut that took the last neuron"),
                    "initial": st.column_config.NumberColumn("At start", help="neurons"),
                    "before": st.column_config.NumberColumn("Before", help="neurons just before that cut"),
                },
            )
    with right:
        st.subheader("Cut by cut", anchor=False)
        number = st.column_config.NumberColumn
        st.dataframe(
            tables.in_percent(cycles, ["cut", "after"]),
            hide_index=True,
            placeholder="–",
            column_order=["cycle", "neurons", "adapters", "sigma", "trained_parameters", "cut", "after"],
            column_config={
                "cycle": "Cut",
                "neurons": number("Neurons", format="localized"),
                "adapters": "Adapters",
                "sigma": number("Compression σ", format="%.3g×", help="token widths over neurons"),
                "trained_parameters": number(
                    "Trained parameters", format="localized", help="adapters and classifier head"
                ),
                "cut": number(
                    "Right after", format="%.1f %%", help="test accuracy right after the cut, not trained again"
                ),
                "after": number("Trained again", format="%.1f %%", help="test accuracy at the end of the cycle"),
            },
        )


def compare(stored: StoredRun, runs: list[StoredRun]) -> None:
    """A second run beside the first, and which adapters each of them lost."""
    state = stored.store.state(stored.run.id)
    candidates = [other for other in runs if other.run.sites and other.run.id != stored.run.id]
    if not candidates:
        return
    st.subheader("Compare with another run", anchor=False)
    second = pick_second(candidates)
    if second is None:
        return
    other = second.store.state(second.run.id)
    widths, theirs = tables.widths_table(state), tables.widths_table(other)
    st.markdown(plain(sentences.losses_compared(widths, theirs)))
    sides = [("First", state, widths), ("Second", other, theirs)]
    for column, (side, one, table) in zip(st.columns(2), sides, strict=True):
        with column:
            st.markdown(f"**{side}**: {plain(sentences.headline(table, len(one.cuts)))}")
            st.plotly_chart(
                heatmap_figure(table, tables.cycles_table(one), drawing.scale(), cuts=one.total_cuts),
                key=f"compare_{side}",
                config=drawing.CONFIG,
                alt=f"{side} run: share of the initial width per layer and cut",
            )


def nothing_yet(stored: StoredRun) -> None:
    st.title("No widths yet", anchor=False)
    if stored.run.phase == "broken":
        st.error("This run cannot be read. The Monitor page says why.", icon=":material/broken_image:")
    elif stored.run.phase in ENDED:
        st.info("The run ended before its adapters were in place. The Monitor page shows its log.")
    else:
        st.info("The run is being prepared. Its adapters appear here as soon as they are in place.", icon="spinner")
        st.skeleton(400)


if __name__ == "__main__":
    main()
