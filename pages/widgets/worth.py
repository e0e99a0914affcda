"""What adapters and neurons were worth, measured, against the scores that decided a cut."""

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.why import damage as why
from mimi_core.analysis.why import damage_words
from mimi_core.analysis.why.cut_scores import Cut
from mimi_core.analysis.why.damage_figures import damage_chart
from mimi_core.analysis.why.words import unit
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.gallery import saved_files
from mimi_core.runs.jobs.job import Job
from mimi_core.runs.jobs.neuron_damage import NeuronDamage, neuron_damage
from pages.widgets import acting, gate, waiting
from pages.widgets.acting import MeasuringKey
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

MEASURING = "measuring"
"""In the session: the job that this tab waits for."""
SLOWLY = "This takes about as long as looking at 200 images once for each of its neurons."


def is_waiting() -> bool:
    """Whether the page is to look again, until what is being measured is there."""
    return st.session_state.get(MEASURING) is not None


def settle() -> None:
    """Have the page's clock stop when what it waited for has ended. To be called by what the clock draws."""
    if is_waiting():
        job = waiting.jobs().get(st.session_state[MEASURING])
        if job is None or job.state != "running":
            del st.session_state[MEASURING]
            st.rerun()


def of_layers(stored: StoredRun, state: RunState, cut: Cut, named: list[Layer], chosen: list[Layer]) -> None:
    """Did the cut take what mattered least? Each layer's score against its damage, and what the other scores say."""
    st.subheader("Did the cut take what mattered least?", anchor=False)
    try:
        found = why.damage_of(stored.run.folder, cut.cycle, state.widths[cut.cycle - 1])
    except MimiError as error:
        st.error(plain(f"What each adapter was worth cannot be shown: {error}"), icon=":material/broken_image:")
        return
    if found is None:
        config = state.started.config if state.started else {}
        st.markdown(plain(damage_words.not_measured(config, example=stored.example)))
        return
    table, scores = why.damage_table(named, cut, found), why.agreements_table(cut, found)
    st.markdown(plain(damage_words.answer(table, why.agreement_of(table))))
    left, right = st.columns([3, 2], gap="large")
    with left:
        some = [layer.label for layer in chosen] if len(chosen) < len(named) else []
        st.vega_lite_chart(
            spec=damage_chart(table, unit=f"{unit(cut.real)}, summed over the layer", named=some),
            width="stretch",
            key="worth",
            alt=f"Score and damage of {len(table)} layers; {int(table['lost'].sum())} lost their adapters.",
        )
    with right:
        agreements(scores)
    st.caption(plain(damage_words.what_it_is(found, "adapter")))


def agreements(scores: pd.DataFrame) -> None:
    """How well each score that was kept orders the layers by their damage."""
    number = st.column_config.NumberColumn
    st.dataframe(
        scores.assign(p=scores["p"].map(words.p_value)),
        hide_index=True,
        placeholder=words.NOTHING,
        height=358,
        column_order=["label", "kendall", "p", "decided"],
        column_config={
            "label": "Score",
            "kendall": number("Kendall's τ", format="%+.2f", help="of its sum over a layer's neurons with the damage"),
            "p": st.column_config.TextColumn("p, corrected", help="corrected for the number of scores (Holm)"),
            "decided": st.column_config.CheckboxColumn("The run's"),
        },
    )
    st.caption("Whether one score orders layers better than another is not tested: such differences may be chance.")


def of_neurons(stored: StoredRun, cut: Cut, layer: Layer) -> None:
    """The same neuron by neuron, of one layer: measured when somebody asks, in a process of its own."""
    st.subheader(plain(f"{layer.label}, neuron by neuron"), anchor=False)
    saved = next((one for one in saved_files(stored.run.folder, cut.cycle - 1) if one.cycle == cut.cycle - 1), None)
    if saved is None:
        st.markdown(f"The weights before cut {cut.cycle} were not kept, so nothing can be measured on them.")
        return
    key: MeasuringKey = ("damage", str(stored.run.folder), saved, layer.site)
    job = waiting.jobs().get(key)
    if job is None or job.state not in ("running", "done"):
        ask(stored, layer, key, job)
    elif job.state == "running":
        under_way(job, key)
    else:
        measured(job, cut)


def ask(stored: StoredRun, layer: Layer, key: MeasuringKey, job: Job | None) -> None:
    if job is not None:
        waiting.complain(job, job.complaint())
    else:
        st.markdown("What each of its neurons is worth can be measured: the loss without it, on validation images.")
    label = "Measure its neurons" if job is None else "Try again"
    if not gate.button(label, "launch", icon=":material/labs:", key="measure_neurons", help=SLOWLY):
        return
    try:
        acting.measure_neurons(stored.store, stored.run.id, key)
    except MimiError as error:
        st.error(f"{plain(str(error))}.", icon=":material/error:")
        return
    st.session_state[MEASURING] = key
    st.rerun()


def under_way(job: Job, key: MeasuringKey) -> None:
    if st.session_state.get(MEASURING) != key:  # after a reload, or another tab's
        st.session_state[MEASURING] = key
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        said = [f"Switching off one neuron after the other · {words.duration(job.seconds)}", job.stage]
        st.info(plain(" · ".join(filter(None, said))), icon="spinner", width=560)
        if gate.button("Cancel", "launch", icon=":material/close:", key="cancel_measuring"):
            job.end()
            st.rerun()


def measured(job: Job, cut: Cut) -> None:
    try:
        found = neuron_damage(job.output())
        table = why.neuron_damage_table(cut, found)
    except MimiError as error:
        st.error(f"{plain(str(error).capitalize())}.", icon=":material/broken_image:")
        return
    st.markdown(plain(damage_words.of_neurons(table, why.agreement_of(table))))
    chart(table, cut, found)


def chart(table: pd.DataFrame, cut: Cut, found: NeuronDamage) -> None:
    st.vega_lite_chart(
        spec=damage_chart(table, unit=unit(cut.real), what="neuron", lost="goes"),
        width="stretch",
        key="neurons_worth",
        alt=f"Score and damage of {len(table)} neurons; {int(table['lost'].sum())} were cut.",
    )
    st.caption(plain(damage_words.what_it_is(found, "neuron")))
