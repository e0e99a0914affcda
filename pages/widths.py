"""Widths: which layers keep their adapters, cut after cut."""

import pandas as pd
import streamlit as st

from mimi_core.analysis import sentences, tables
from mimi_core.analysis.heatmap import MODE_NAMES, heatmap_figure
from mimi_core.analysis.widths import widths_figure
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from pages import common

POSITIONS = {"all": ("attn", "mlp"), "attention": ("attn",), "mlp": ("mlp",)}
PLAY_SECONDS = 1.2
LIVE_SECONDS = 2.0
MOST_BUTTONS = 8  # more cuts than these have a slider instead of a button each


def main() -> None:
    common.through_app()
    runs = common.all_runs()
    found = common.pick_run(runs, common.MONITOR, "Monitor", ":material/monitoring:", common.makes_cuts)
    if found is None:
        return
    live = found.run.phase not in ENDED
    playing = st.session_state.get("play_next") is not None
    every = PLAY_SECONDS if playing else LIVE_SECONDS if live else None
    st.fragment(show, run_every=every)(found, runs)


def show(found: common.Found, runs: list[common.Found]) -> None:
    state = found.store.state(found.run.id)
    if not state.widths:
        nothing_yet(found)
        return
    widths, cycles = tables.widths_table(state), tables.cycles_table(state)
    done = len(state.cuts)
    findings = st.container()
    mode, layers, cycle = controls(done)
    with findings:
        st.title(sentences.headline(widths, cycle), anchor=False)
        st.markdown(common.plain(sentences.story(widths, cycles, cycle)))
    shown = widths[widths["position"].isin(POSITIONS[layers])]
    if shown.empty:
        st.info(f"This run has no adapters at its {'attentions' if layers == 'attention' else 'MLPs'}.")
        return
    st.plotly_chart(
        widths_figure(shown, cycles, common.scale(), cycle=cycle, cuts=state.total_cuts, mode=mode),
        key="widths",
        config=common.CHART,
        alt=f"Heatmap of {len(shown['site'].unique())} layers over {done} cuts. {sentences.headline(widths, cycle)}.",
    )
    explain(mode)
    details(widths, cycles)
    compare(state, widths, [other for other in runs if other.run.id != found.run.id])


def controls(done: int) -> tuple[tables.Mode, str, int]:
    """What is shown, kept in the URL as `mode`, `layers` and `cycle`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
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
        cycle = scrubber(done)
    return mode or "share", layers or "all", cycle


def scrubber(done: int) -> int:
    """Which cycle the sentence, the frame and the bars are about; the last one unless the URL says otherwise."""
    if done == 0:
        return 0
    asked = st.query_params.get("cycle", "")
    cycle = min(int(asked), done) if asked.isdecimal() and len(asked) < 6 else done
    playing = st.session_state.get("play_next")
    if playing is not None:
        cycle = min(playing, done)
        st.query_params["cycle"] = str(cycle)
        st.session_state["play_next"] = cycle + 1 if cycle < done else None
    st.session_state["pick_cycle"] = cycle
    change = {
        "key": "pick_cycle",
        "on_change": lambda: st.query_params.update(cycle=str(st.session_state["pick_cycle"])),
    }
    if done <= MOST_BUTTONS:
        st.segmented_control(
            "Cut", list(range(done + 1)), format_func=lambda k: str(k or "start"), required=True, **change
        )
    else:
        st.slider("Cut", 0, done, width=320, **change)
    label, icon = ("Play", ":material/play_arrow:") if playing is None else ("Pause", ":material/pause:")
    if st.button(label, icon=icon):
        st.session_state["play_next"] = None if playing is not None else cycle + 1 if cycle < done else 0
        st.rerun()
    if playing is not None and cycle == done:
        st.rerun()  # the whole page, so that the clock of the fragment stops
    return cycle


def explain(mode: str) -> None:
    number = "the adapter's parameters" if mode == "parameters" else "the neurons that are left"
    st.caption(
        f"A row is a layer with an adapter, the input on top; a column is the state after a cut. The number in a cell "
        f"is {number}; the colour is on a square-root scale, so that few can be told from fewer. A cross marks the cut "
        "that took the last neuron: the adapter is removed and the layer is again the frozen original. Bars: attention "
        "in full colour, MLP pale. Below: a cut costs accuracy (triangle), training wins some of it back (dot)."
    )


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


def compare(state: RunState, widths: pd.DataFrame, others: list[common.Found]) -> None:
    """A second run beside the first, and which adapters each of them lost."""
    candidates = {other.run.id: other for other in others if other.run.sites}
    if not candidates:
        return
    st.subheader("Compare with another run", anchor=False)
    asked = st.query_params.get("with")
    st.session_state["compare_with"] = asked if asked in candidates else None
    chosen = st.selectbox(
        "Second run",
        list(candidates),
        index=None,
        format_func=lambda run_id: common.run_title(candidates[run_id]),
        placeholder="Choose a run",
        key="compare_with",
        on_change=_remember_comparison,
        label_visibility="collapsed",
        filter_mode="contains",
    )
    if chosen is None:
        return
    other = candidates[chosen].store.state(chosen)
    theirs = tables.widths_table(other)
    st.markdown(common.plain(sentences.compared(widths, theirs)))
    sides = [("First", state, widths), ("Second", other, theirs)]
    for column, (side, one, table) in zip(st.columns(2), sides, strict=True):
        with column:
            st.markdown(f"**{side}**: {common.plain(sentences.headline(table, len(one.cuts)))}")
            st.plotly_chart(
                heatmap_figure(table, tables.cycles_table(one), common.scale(), cuts=one.total_cuts),
                key=f"compare_{side}",
                config=common.CHART,
                alt=f"{side} run: share of the initial width per layer and cut",
            )


def _remember_comparison() -> None:
    chosen = st.session_state["compare_with"]
    if chosen is None:
        st.query_params.pop("with", None)
    else:
        st.query_params["with"] = chosen


def nothing_yet(found: common.Found) -> None:
    st.title("No widths yet", anchor=False)
    if found.run.phase == "broken":
        st.error("This run cannot be read. The Monitor page says why.", icon=":material/broken_image:")
    elif found.run.phase in ENDED:
        st.info("The run ended before its adapters were in place. The Monitor page shows its log.")
    else:
        st.info("The run is being prepared. Its adapters appear here as soon as they are in place.", icon="spinner")
        st.skeleton(400)


main()
