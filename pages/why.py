"""Why: what a cut took and left, neuron by neuron, and what other settings would have done."""

import time
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import streamlit as st
from altair.utils.schemapi import debug_mode

from mimi_core.analysis import tables, why, why_figures, why_words, words
from mimi_core.analysis.cut_scores import Cut, Settings, read_cut, scores_path
from mimi_core.analysis.labels import Layer, layers
from mimi_core.config import Normalise, Scope
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from pages import common

LIVE_SECONDS = 3.0
MOST_BUTTONS = 8  # more cuts than these have a slider instead of a button each
NORMALISERS = {
    "per_parameter": "per parameter (2 M)",
    "fan": "per fan (M + N)",
    "layer_max": "per layer's largest",
    "none": "none",
}
WHAT_IF = ("rho", "scope", "score", "normalise")


def main() -> None:
    common.through_app()
    runs = common.all_runs()
    found = common.pick_run(runs, common.WIDTHS, "Widths", ":material/stacked_bar_chart:")
    if found is None:
        return
    live = found.run.phase not in ENDED
    st.fragment(show, run_every=LIVE_SECONDS if live else None)(found)


def show(found: common.Found) -> None:
    state = found.store.state(found.run.id)
    if not state.cuts:
        nothing_yet(found, state)
        return
    findings = st.container()
    cycle = pick_cut(state)
    try:
        cut = _stored_cut(str(found.run.folder), cycle, _stamp(found.run.folder, cycle), state)
    except MimiError as error:
        with findings:
            st.title(f"Cut {cycle} cannot be explained", anchor=False)
            st.error(common.plain(str(error)), icon=":material/broken_image:")
        st.markdown("What the run is and did is not affected: Widths and Monitor show it. Other cuts may be readable.")
        damage(state, cycle)
        return
    named, real = layers(state.sites), why.as_it_was(cut)
    told = why.layers_table(named, real, real)
    with findings:
        st.title(common.plain(why_words.title(told, cycle)), anchor=False)
        st.markdown(common.plain(why_words.because(told, real)))
    settings = controls(cut)
    outcome = decided_anew(cut, settings, real, named)
    neurons = why.neurons_table(named, outcome, real)
    # Altair checks every part of a chart against its schema, which takes longer than all the rest; the tests do that.
    with debug_mode(False):
        charts(why.layers_table(named, outcome, real), neurons, outcome)
        left, right = st.columns([3, 2], gap="large")
        with left:
            nearest(neurons, outcome.settings.scope)
        with right:
            damage(state, cycle)


# --- what is looked at ------------------------------------------------------------------------------------------------


def pick_cut(state: RunState) -> int:
    """Which cut, kept in the URL as `cycle`: the last that took an adapter, unless the URL says otherwise."""
    done = len(state.cuts)
    fatal = [k for k in state.removed_at.values() if 1 <= k <= done]
    asked = st.query_params.get("cycle", "")
    known = asked.isdecimal() and len(asked) < 6 and 1 <= int(asked) <= done
    st.session_state["why_cut"] = int(asked) if known else max(fatal, default=done)
    change: dict[str, Any] = {
        "key": "why_cut",
        "on_change": lambda: st.query_params.update(cycle=str(st.session_state["why_cut"])),
    }
    if done == 1:
        return 1
    if done <= MOST_BUTTONS:
        st.segmented_control("Cut", list(range(1, done + 1)), required=True, **change)
    else:
        st.slider("Cut", 1, done, width=320, **change)
    return int(st.session_state["why_cut"])


@st.cache_data(max_entries=16, show_spinner=False)
def _stored_cut(folder: str, cycle: int, stamp: tuple[int, int] | None, _state: RunState) -> Cut:
    return read_cut(Path(folder), _state, cycle)


def _stamp(folder: Path, cycle: int) -> tuple[int, int] | None:
    try:
        found = scores_path(folder, cycle).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


# --- what if ----------------------------------------------------------------------------------------------------------


def controls(cut: Cut) -> Settings:
    """Settings to try, those of the run until somebody moves one; what differs from the run is in the URL."""
    shares = why.rhos(cut)
    real = {
        "rho": next(text for text, rho in shares.items() if rho == why.rho_of(cut, cut.real.keep)),
        "scope": cut.real.scope,
        "score": cut.real.score,
        "normalise": cut.real.how,
    }
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            rho = _choice(
                st.select_slider,
                "What if the cut removed this share (ρ)",
                "rho",
                list(shares),
                real["rho"],
                help="Of the neurons that were there before this cut. Earlier cuts stay as they were.",
                width=300,
            )
            scope = _choice(
                st.segmented_control,
                "Scope",
                "scope",
                list(get_args(Scope)),
                real["scope"],
                help="global: all layers compete; local: every layer keeps its own share",
                required=True,
            )
            score = _choice(
                st.selectbox,
                "Score",
                "score",
                list(cut.raw),
                real["score"],
                help="What a neuron is worth. "
                + " ".join(f"**{s}**: {why_words.SCORE_WORDS[s]}." for s in cut.raw).replace("_", "\\_"),
                width=160,
            )
            how = _choice(
                st.selectbox,
                "Divided by",
                "normalise",
                list(get_args(Normalise)),
                real["normalise"],
                help="Makes layers of different width comparable; M is the token width, N the adapter's width. "
                "Random scores are never divided.",
                format_func=NORMALISERS.__getitem__,
                width=200,
                disabled=score == "random",
            )
            chosen = {"rho": rho, "scope": scope, "score": score, "normalise": how}
            st.button(
                "As in the run",
                icon=":material/undo:",
                on_click=_forget,
                disabled=chosen == real,
            )
        return Settings(score, how, scope, cut.keep_before * (1 - shares[rho]))


def _choice(widget: Any, label: str, name: str, options: list[str], real: str, **more: Any) -> Any:
    """A widget whose value is in the URL as `name`, unless it is the run's own."""
    asked = st.query_params.get(name)
    key = f"what_if_{name}"
    st.session_state[key] = asked if asked in options else real

    def remember() -> None:
        if st.session_state[key] == real:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = st.session_state[key]

    return widget(label, options, key=key, on_change=remember, **more)


def _forget() -> None:
    for name in WHAT_IF:
        st.query_params.pop(name, None)


def decided_anew(cut: Cut, settings: Settings, real: why.Outcome, named: list[Layer]) -> why.Outcome:
    """The cut under the chosen settings, and in words what that changes."""
    started = time.perf_counter()
    outcome = why.what_if(cut, settings)
    table = why.layers_table(named, outcome, real)
    said = why_words.differences(table, outcome, real)
    milliseconds = 1000 * (time.perf_counter() - started)
    if settings == cut.real:
        if not why.same_survivors(outcome, real):
            st.warning("The stored scores do not give the cut that the run made: one of its files was changed.")
        st.markdown("These are the settings of the run: move one and see at once what it would have changed.")
        return real
    st.markdown(f"**What if:** {common.plain(said)}")
    st.caption(f"Worked out from the stored scores in {milliseconds:.0f} ms, without training.")
    return outcome


# --- what is shown ----------------------------------------------------------------------------------------------------


def charts(table: pd.DataFrame, neurons: pd.DataFrame, outcome: why.Outcome) -> None:
    height, shown = why_figures.rows_height(table), why.thinned(neurons)
    unit = f"{outcome.settings.score} score"
    if outcome.settings.score != "random" and outcome.settings.how != "none":
        unit += f", {NORMALISERS[outcome.settings.how]}"
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Every neuron's score", anchor=False)
        st.altair_chart(
            why_figures.scores_figure(shown, table, threshold=outcome.threshold, unit=unit, height=height),
            width="stretch",
            key="scores",
            alt=f"Scores of {len(neurons)} neurons in {len(table)} layers, kept and removed, with the threshold.",
        )
    with right:
        st.subheader("Widths after the cut", anchor=False)
        st.altair_chart(
            why_figures.widths_what_if_figure(table, height=height),
            width="stretch",
            key="what_if_widths",
            alt=f"Neurons of {len(table)} layers after the cut, in the run and under the chosen settings.",
        )
    whose = (
        "the threshold, the lowest score that was kept" if outcome.threshold is not None else "its layer's threshold"
    )
    st.caption(
        f"A tick is a neuron; right of {whose}, it is kept. A layer with no tick there loses its adapter (✕) and is "
        "again the frozen original. Tall ticks are neurons whose fate differs from the run's. At the right, a line "
        "joins a layer's width in the run with its width under the chosen settings; the axis is on a square-root scale."
        + (" Neurons close to each other are drawn as one." if len(shown) < len(neurons) else "")
    )


def nearest(neurons: pd.DataFrame, scope: Scope) -> None:
    st.subheader("Nearest to the threshold", anchor=False)
    table = why.nearest_table(neurons, scope)
    if table.empty:
        st.markdown("No neuron is near one.")
        return
    number = st.column_config.NumberColumn
    st.dataframe(
        tables.in_percent(table, ["margin"]),
        hide_index=True,
        column_order=["label", "neuron", "score", "margin", "kept", "was_kept"],
        column_config={
            "label": "Layer",
            "neuron": number("Neuron", help="its index in the layer before this cut, from 0"),
            "score": number("Score", format="%.4g"),
            "margin": number("To the threshold", format="%+.2f %%", help="of the layer's threshold"),
            "kept": st.column_config.CheckboxColumn("Kept", help="under the chosen settings"),
            "was_kept": st.column_config.CheckboxColumn("In the run"),
        },
    )


def damage(state: RunState, cycle: int) -> None:
    """What every cut cost, and what training won back."""
    st.subheader("Damage and recovery", anchor=False)
    cycles = tables.cycles_table(state)
    if cycles.loc[cycles["cycle"] > 0, ["before", "cut", "after"]].isna().all(axis=None):
        st.markdown("Not measured yet.")
        return
    now = cycles.iloc[cycle]
    if not pd.isna(now["damage"]):
        back = "" if pd.isna(now["recovery"]) else f"; training again brought {_points(now['recovery'])}"
        st.markdown(f"Cut {cycle} changed the test accuracy by {_points(-now['damage'])}{back}.")
    st.altair_chart(why_figures.damage_figure(cycles, cycle), width="stretch", key="damage", alt="Accuracy cut by cut")


def _points(share: float) -> str:
    return f"{100 * share:+.1f} percentage points"


def nothing_yet(found: common.Found, state: RunState) -> None:
    if state.started and state.total_cuts == 0:
        st.title("This run makes no cuts", anchor=False)
        st.info(
            f"The method {common.plain(repr(found.run.method))} trains without pruning, so nothing has to be explained."
        )
        return
    st.title("No cut yet", anchor=False)
    if found.run.phase == "broken":
        st.error("This run cannot be read. The Monitor page says why.", icon=":material/broken_image:")
    elif found.run.phase in ENDED:
        st.info("The run ended before its first cut. The Monitor page shows its log.")
    else:
        cuts = f" of {words.count(state.total_cuts, 'cut')}" if state.total_cuts else ""
        st.info(
            f"The first{cuts} comes when its training is done; what it takes is explained here at once.", icon="spinner"
        )
        st.skeleton(400)


main()
