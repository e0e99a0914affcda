"""Widths: which layers keep their adapters, cut after cut."""

from typing import Any

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import tables
from mimi_core.analysis.widths import words as sentences
from mimi_core.analysis.widths.figures import widths_figure
from mimi_core.analysis.widths.heatmap import MODE_NAMES, by_position, heatmap_figure
from mimi_core.runs.status import ENDED
from pages import common
from pages.widgets.seeds import across_seeds

POSITIONS = {"all": ("attn", "mlp"), "attention": ("attn",), "mlp": ("mlp",)}
PLAY_SECONDS = 1.2
LIVE_SECONDS = 2.0
MOST_BUTTONS = 8  # more cuts than these have a slider instead of a button each
STEADY = "<style>.st-key-findings { min-height: 7.7rem }</style>"
"""Room for the longest findings, so that the figure stays where it is while they change."""
HELP = """
The **backbone** is a pretrained image model, and frozen. Each of its layers, an attention or an MLP, got an
**adapter**: a small network beside it, and all that trains. Its **width** is its number of neurons.

After training, a **cut** removes the neurons with the lowest scores; then training goes on, and the next cut comes.
With *global* scope all layers compete for what may stay, so the picture shows **where the model needs adaptation, and
where it needs none**: a layer whose last neuron went (✕) is again the frozen original.

**The picture:** a row is a layer, the input on top; a column is the state after a cut. The number in a cell is what is
left: neurons, or parameters of the adapter. The colour is on a square-root scale, so that few can be told from fewer.
Bars show the chosen cut, attention in full colour, MLP pale. Below, a cut costs accuracy (triangle) and training wins
some of it back (dot).
"""


def main() -> None:
    common.through_app()
    runs = common.all_runs()
    if st.query_params.get("run") not in {None, *(found.run.id for found in runs)}:
        runs += common.study_runs()
    found = common.pick_run(runs, common.MONITOR, "Monitor", ":material/monitoring:", common.makes_cuts)
    if found is None:
        return
    live = found.run.phase not in ENDED
    playing = st.session_state.get("play_next") is not None
    every = PLAY_SECONDS if playing else LIVE_SECONDS if live else None
    st.fragment(show, run_every=every)(found)
    if found.run.sites:  # parts of their own: they stay as they are while somebody moves the cut
        st.fragment(across_seeds)(found, runs)
        st.fragment(compare)(found, runs)


def show(found: common.Found) -> None:
    state = found.store.state(found.run.id)
    if not state.widths:
        nothing_yet(found)
        return
    widths, cycles = tables.widths_table(state), tables.cycles_table(state)
    done = len(state.cuts)
    st.html(STEADY)
    findings = st.container(key="findings")
    mode, layers, grouped, cycle = controls(done, len(set(widths["group"])) > 1)
    with findings:
        st.title(sentences.headline(widths, cycle), anchor=False)
        st.markdown(common.plain(sentences.story(widths, cycles, cycle)))
    shown = widths[widths["position"].isin(POSITIONS[layers])]
    if shown.empty:
        st.info(f"This run has no adapters at its {'attentions' if layers == 'attention' else 'MLPs'}.")
        return
    playing = st.session_state.get("play_next") is not None
    clicked: Any = st.plotly_chart(
        widths_figure(
            by_position(shown) if grouped else shown,
            cycles,
            common.scale(),
            cycle=cycle,
            cuts=state.total_cuts,
            mode=mode,
            playing=playing,
        ),
        key="widths",
        config=common.CHART,
        on_select="rerun" if done else "ignore",
        selection_mode="points",
        alt=f"Heatmap of {len(shown['site'].unique())} layers over {done} cuts. {sentences.headline(widths, cycle)}.",
    )
    if done:
        neurons_of(found, widths, cycle, clicked)
    with st.expander("What you see here", icon=":material/help:"):
        st.markdown(HELP)
    details(widths, cycles)


def neurons_of(found: common.Found, widths: pd.DataFrame, cycle: int, clicked: Any) -> None:
    """From a layer at a cut to its neurons on the Why page: a click on a cell, or a choice for the keyboard."""
    fatal = dict(widths.loc[widths["vanished"], ["site", "cycle"]].itertuples(index=False))
    names = dict(widths.drop_duplicates("site").sort_values("order")[["site", "label"]].itertuples(index=False))
    for point in clicked["selection"]["points"][:1]:
        match point.get("customdata"):
            case [int(order), int(cut)] if order < len(names):
                site = list(names)[order] if order >= 0 else None
                st.switch_page(common.WHY, query_params=_link(found, site, cut))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Click a cell to see its neurons, which went and which stayed, or choose a layer:", width="content")
        site = st.selectbox(
            "Layer",
            list(names),
            format_func=names.__getitem__,
            key="look_into",
            label_visibility="collapsed",
            width=150,
        )
        cut = max(1, min(cycle, fatal.get(site, cycle)))
        st.page_link(
            common.WHY,
            label=f"Neurons of {common.plain(names[site])} at cut {cut}",
            icon=":material/psychology_alt:",
            query_params=_link(found, site, cut),
        )


def _link(found: common.Found, site: str | None, cut: int) -> dict[str, str]:
    return {**found.link, "cycle": str(cut), **({"layer": site} if site else {})}


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


def compare(found: common.Found, runs: list[common.Found]) -> None:
    """A second run beside the first, and which adapters each of them lost."""
    state = found.store.state(found.run.id)
    candidates = {other.run.id: other for other in runs if other.run.sites and other.run.id != found.run.id}
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
    widths, theirs = tables.widths_table(state), tables.widths_table(other)
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
