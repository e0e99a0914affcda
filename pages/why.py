"""Why: what a cut took and left, neuron by neuron, and what other settings would have done."""

from pathlib import Path

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import tables, words
from mimi_core.analysis.common.labels import Layer, layers
from mimi_core.analysis.why import figures as why_figures
from mimi_core.analysis.why import tables as why
from mimi_core.analysis.why import words as why_words
from mimi_core.analysis.why.cut_scores import Cut, read_cut, stamp
from mimi_core.analysis.why.damage import last_that_took_one
from mimi_core.config import Scope
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from pages.widgets import address, refresh, stores, worth
from pages.widgets.cut_picker import pick_cut
from pages.widgets.menu import Page, through_app
from pages.widgets.run_picker import pick_run, run_makes_cuts
from pages.widgets.setting_words import help_of
from pages.widgets.stores import StoredRun
from pages.widgets.text import distinct, plain
from pages.widgets.what_if import controls, decided_anew

PAGE = Page(title="Why", icon=":material/psychology_alt:", order=50)
POSITIONS = {"attn": "all attentions", "mlp": "all MLPs"}
HELP = f"""
An **adapter** is a small trainable network beside a layer of the frozen backbone; its **neurons** are what a cut
removes. Before a cut every neuron gets a **score**, an estimate of what it is worth, and the lowest go. Scope
{help_of("prune.scope")}

**Every neuron's score:** a row is a layer, a tick is a neuron. Right of the threshold, the lowest score that was kept,
a neuron stays. A layer without a tick there loses its adapter (✕) and goes on as the frozen original. Tall ticks are
neurons whose fate differs from the run's.

**Widths at this cut:** neurons before the cut (dash), and after it in the run (circle) and under the settings that
you chose (diamond), on a square-root axis.

**Did the cut take what mattered least?** Before every cut a run switches off each adapter in its turn and measures by
how much the loss rises, its damage: what a layer's score is a guess of. With one layer chosen, the same can be measured
of each of its neurons.

**What if:** the scores of every cut are stored, so other settings can be tried without training. Only this one cut is
decided anew; what training would have made of it is not known.
"""


def main() -> None:
    through_app()
    runs = stores.all_runs()
    stored = pick_run(runs, "widths", suits=run_makes_cuts)
    if stored is None:
        return
    live = stored.run.phase not in ENDED
    st.fragment(show, run_every=refresh.ONE_RUN if live or worth.is_waiting() else None)(stored)


def show(stored: StoredRun) -> None:
    worth.settle()
    state = stored.store.state(stored.run.id)
    if not state.cuts:
        nothing_yet(stored, state)
        return
    named = layers(state.sites)
    findings = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        cycle = pick_cut(1, len(state.cuts), last_that_took_one(state) or len(state.cuts))
        chosen = pick_layers(named)
    try:
        cut = _stored_cut(str(stored.run.folder), cycle, stamp(stored.run.folder, cycle), state)
    except MimiError as error:
        with findings:
            st.title(f"Cut {cycle} cannot be explained", anchor=False)
            st.error(plain(str(error)), icon=":material/broken_image:")
        st.markdown("What the run is and did is not affected: Widths and Monitor show it. Other cuts may be readable.")
        damage(tables.cycles_table(state), cycle)
        return
    real = why.as_it_was(cut)
    gone = [layer.label for layer in chosen if layer.site not in cut.survivors]
    if gone and len(gone) == len(chosen):
        st.info(plain(f"{words.listed(gone)} had no neurons left before cut {cycle}: an earlier one took them."))
        chosen = named
    with findings:
        headline(why.layers_table(named, real, real), chosen if len(chosen) < len(named) else [], real, cycle)
    # A part of its own, so that a move of a control runs this much and nothing else.
    st.fragment(explained)(cut, named, chosen, tables.cycles_table(state))
    worth.of_layers(stored, state, cut, named, chosen)
    if len(chosen) == 1:
        worth.of_neurons(stored, cut, chosen[0])
    elif len(named) > 1:
        st.caption("Choose one layer, above, to have its neurons measured, one by one.")


def headline(told: pd.DataFrame, chosen: list[Layer], real: why.Outcome, cycle: int) -> None:
    """What the cut did to the chosen layers, or to all of them where none were chosen, and why."""
    sites = [layer.site for layer in chosen if layer.site in set(told["site"])]
    about = told[told["site"].isin(sites)] if sites else told
    st.title(plain(why_words.title(about, cycle, chosen=bool(sites))), anchor=False)
    st.markdown(plain(why_words.because_of(told, sites, real) if sites else why_words.because(told, real)))


def explained(cut: Cut, named: list[Layer], chosen: list[Layer], cycles: pd.DataFrame) -> None:
    """The cut under the run's settings or others, all layers or the chosen ones."""
    real = why.as_it_was(cut)
    with st.container(border=True):
        settings = controls(cut)
        outcome, table = decided_anew(cut, settings, real, named)
    neurons = why.neurons_table(named, outcome, real)
    sites = [layer.site for layer in chosen]
    table, neurons = table[table["site"].isin(sites)], neurons[neurons["site"].isin(sites)]
    if len(table) == 1 and settings != cut.real:  # else the headline says it
        st.markdown(plain(why_words.of_layer(table, table["site"].iloc[0], outcome)))
    charts(table, neurons, outcome)
    with st.expander("What you see here", icon=":material/help:"):
        st.markdown(HELP)
    left, right = st.columns([3, 2], gap="large")
    with left:
        if len(chosen) < len(named):
            listing(neurons, table)
        else:
            nearest(neurons, outcome.settings.scope)
    with right:
        damage(cycles, cut.cycle)


# --- what is looked at ------------------------------------------------------------------------------------------------


def pick_layers(named: list[Layer]) -> list[Layer]:
    """Which layers, kept in the URL as `layer`, once or more: sites, stages or positions. All when none is chosen."""
    groups = list(dict.fromkeys(layer.group for layer in named))
    positions = list(dict.fromkeys(layer.position for layer in named))
    titles = {group: f"all of {group}" for group in groups if len(groups) > 1}
    titles |= {position: POSITIONS[position] for position in positions if len(positions) > 1}
    titles |= {layer.site: layer.label for layer in named}
    chosen = address.some_of("layer", titles)
    st.multiselect(
        "Layers",
        list(titles),
        format_func=distinct(titles, titles.__getitem__).__getitem__,
        placeholder="All layers",
        width=420,
        **chosen.control,
    )
    return why.matching(named, chosen.value)


@st.cache_data(max_entries=16, show_spinner=False)
def _stored_cut(folder: str, cycle: int, written: tuple[int, int] | None, _state: RunState) -> Cut:
    return read_cut(Path(folder), _state, cycle)


# --- what is shown ----------------------------------------------------------------------------------------------------


def charts(table: pd.DataFrame, neurons: pd.DataFrame, outcome: why.Outcome) -> None:
    height, shown = why_figures.rows_height(table), why.thinned_neurons(neurons)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader("Every neuron's score", anchor=False)
        st.vega_lite_chart(
            spec=why_figures.scores_figure(
                shown, table, threshold=outcome.threshold, unit=why_words.unit(outcome.settings), height=height
            ),
            width="stretch",
            key="scores",
            alt=f"Scores of {len(neurons)} neurons in {len(table)} layers, kept and removed, with the threshold.",
        )
    with right:
        st.subheader("Widths at this cut", anchor=False)
        st.vega_lite_chart(
            spec=why_figures.widths_what_if_figure(table, height=height),
            width="stretch",
            key="what_if_widths",
            alt=f"Neurons of {len(table)} layers before the cut, after it in the run, and under the chosen settings.",
        )
    if len(shown) < len(neurons):
        st.caption(f"Of {len(neurons):,} neurons, those with almost the same score and fate are drawn as one.")


def nearest(neurons: pd.DataFrame, scope: Scope) -> None:
    st.subheader("Nearest to the threshold", anchor=False)
    table = why.nearest_table(neurons, scope)
    if table.empty:
        st.markdown("No neuron is near one.")
        return
    neurons_list(table)


def listing(neurons: pd.DataFrame, table: pd.DataFrame) -> None:
    """All neurons of the chosen layers."""
    whose = f"the neurons of {table['label'].iloc[0]}" if len(table) == 1 else "the neurons of these layers"
    st.subheader(plain(f"All {whose}"), anchor=False)
    neurons_list(why.ranked_table(neurons))


def neurons_list(table: pd.DataFrame) -> None:
    number = st.column_config.NumberColumn
    st.dataframe(
        tables.in_percent(table, ["margin"], 2),
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


def damage(cycles: pd.DataFrame, cycle: int) -> None:
    """What every cut cost, and what training won back."""
    st.subheader("Damage and recovery", anchor=False)
    if cycles.loc[cycles["cycle"] > 0, ["before", "cut", "after"]].isna().all(axis=None):
        st.markdown("Not measured yet.")
        return
    now = cycles.iloc[cycle]
    if not pd.isna(now["damage"]):
        back = "" if pd.isna(now["recovery"]) else f"; training again brought {_points(now['recovery'])}"
        st.markdown(f"Cut {cycle} changed the test accuracy by {_points(-now['damage'])}{back}.")
    st.vega_lite_chart(
        spec=why_figures.damage_figure(cycles, cycle), width="stretch", key="damage", alt="Accuracy cut by cut"
    )


def _points(share: float) -> str:
    return f"{words.points(share, signed=True)} percentage points"


def nothing_yet(stored: StoredRun, state: RunState) -> None:
    if state.started and state.total_cuts == 0:
        st.title("This run makes no cuts", anchor=False)
        st.info(f"The method {plain(repr(stored.run.method))} trains without pruning, so nothing has to be explained.")
        return
    st.title("No cut yet", anchor=False)
    if stored.run.phase == "broken":
        st.error("This run cannot be read. The Monitor page says why.", icon=":material/broken_image:")
    elif stored.run.phase in ENDED:
        st.info("The run ended before its first cut. The Monitor page shows its log.")
    else:
        cuts = f" of {words.count(state.total_cuts, 'cut')}" if state.total_cuts else ""
        st.info(
            f"The first{cuts} comes when its training is done; what it takes is explained here at once.", icon="spinner"
        )
        st.skeleton(400)


if __name__ == "__main__":
    main()
