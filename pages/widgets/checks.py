"""Check before launch: a process that builds the run and times a few steps; its progress, and what it found."""

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.launch.figures import widths_at_start_figure
from mimi_core.analysis.launch.tables import planned_cycles_table
from mimi_core.analysis.launch.words import about_images
from mimi_core.config import RunConfig
from mimi_core.errors import MimiError
from mimi_core.runs.jobs.check_report import CheckReport
from pages.widgets import acting
from pages.widgets.setting_words import in_words
from pages.widgets.text import plain

POLL_SECONDS = 0.5
HOW_SURE = (
    "Timed on real training steps of this run. Runs that were compared with their check took within a fifth of it; "
    "whatever else works on the machine makes them slower."
)
_CHECKING, _CHECKED = "check/under way", "check/done"
HELP = (
    "Reads the data, builds the model, finds where adapters go, and times some steps, in a process of its own. "
    "Takes about ten seconds; nothing is launched."
)


def start(config: RunConfig) -> None:
    """Begin a check; one that is under way is ended."""
    _end()
    st.session_state.pop(_CHECKED, None)
    try:
        st.session_state[_CHECKING] = (config, acting.check([config]))
    except (OSError, MimiError) as error:
        st.session_state[_CHECKED] = (config, CheckReport(ok=False, error=f"no check can be started: {error}"))


def show(config: RunConfig) -> None:
    """The check of this config, wherever it is; nothing when none was asked for."""
    if _CHECKING in st.session_state:
        if st.session_state[_CHECKING][0] == config:
            st.fragment(_progress, run_every=POLL_SECONDS)()
            return
        _end()  # the form has moved on
    checked, outcome = st.session_state.get(_CHECKED, (None, None))
    if checked == config:
        report(outcome)


def would_fail(config: RunConfig) -> bool:
    """Whether the check of this very config said so; what changes in the form, or another check, takes it back."""
    checked, outcome = st.session_state.get(_CHECKED, (None, None))
    return checked == config and not outcome.ok


def _progress() -> None:
    if _CHECKING not in st.session_state:
        return
    config, checking = st.session_state[_CHECKING]
    outcome = checking.poll()
    if outcome is not None:
        st.session_state[_CHECKED] = (config, outcome[0])
        del st.session_state[_CHECKING]
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        what = plain(checking.stage)
        st.info(f"Checking: {what} … {checking.seconds:.0f} s", icon="spinner", width=520)
        if st.button("Cancel", icon=":material/close:", key="check/cancel"):
            _end()
            st.rerun()


def _end() -> None:
    if _CHECKING in st.session_state:
        st.session_state.pop(_CHECKING)[1].cancel()


# --- what it found ----------------------------------------------------------------------------------------------------


def report(check: CheckReport) -> None:
    with st.container(border=True):
        if not check.ok:
            st.error(f"This would fail: {in_words(check.error or 'no reason given')}", icon=":material/error:")
            return
        st.success(_summary(check), icon=":material/check_circle:")
        for warning in check.warnings:
            st.warning(plain(f"{warning[0].upper()}{warning[1:]}"), icon=":material/warning:")
        for column, (label, value, hint) in zip(st.columns(5), _facts(check), strict=True):
            column.metric(label, plain(value), help=hint)
        if check.kept_images:
            st.caption(f":material/photo_library: {plain(about_images(check.kept_images))}")
        if check.layers:
            table, chart = st.columns([4, 3], gap="medium")
            with table:
                _cycles(check)
            with chart:
                _layers(check)
        else:
            _cycles(check)
        st.caption(HOW_SURE)


def _summary(check: CheckReport) -> str:
    where = f"on {plain(check.device)}" if check.device else "here"
    took = f" It would take about {words.duration(check.seconds)} {where}." if check.seconds is not None else ""
    return f"This will run.{took}"


def _facts(check: CheckReport) -> list[tuple[str, str, str]]:
    trained = check.cycles[0].trained_parameters if check.cycles else 0
    whole = check.backbone_parameters + check.head_parameters
    splits = ", ".join(f"{name} {size:,}" for name, size in check.split_sizes.items())
    share = f"{words.percent(trained / whole)} of the {words.compact(whole)} of backbone and head." if whole else ""
    return [
        (
            "Expected time",
            "unknown" if check.seconds is None else words.duration(check.seconds),
            f"With {words.duration(check.start_seconds)} to start up. Waiting in the queue comes on top.",
        ),
        (
            "Memory",
            "unknown" if check.memory_bytes is None else words.size(check.memory_bytes),
            "The most that the check took: of the GPU where it trains on one, otherwise of main memory.",
        ),
        (
            "Adapters",
            f"{check.sites:,}" if check.sites else "none",
            f"With {words.count(check.initial_neurons, 'neuron')} at the start.",
        ),
        ("Trained parameters", words.compact(trained), f"{trained:,} at the start, with the head. {share}"),
        (
            "Images per second",
            f"{check.images_per_second:,.0f}" if check.images_per_second else "unknown",
            f"In training. The data: {splits or 'unknown'}.",
        ),
    ]


def _cycles(check: CheckReport) -> None:
    table = planned_cycles_table(check)
    if table.empty:
        return
    number = st.column_config.NumberColumn
    about = "" if check.exact else " A global cut decides only then which neurons go, so this is an estimate."
    st.dataframe(
        table.assign(time=_durations(table["seconds"]), done=_durations(table["done"])),
        hide_index=True,
        width="content",
        column_order=["name", "neurons", "adapter_parameters", "head_parameters", "trained_parameters", "time", "done"],
        column_config={
            "name": "Cycle",
            "neurons": number("Neurons", format="localized"),
            "adapter_parameters": number(
                "In adapters" if check.exact else "In adapters, about",
                format="localized",
                help=f"Parameters of the adapters.{about}",
            ),
            "head_parameters": number("In the rest", format="localized", help="The head, and what else is trained."),
            "trained_parameters": number("Trained in all", format="localized"),
            "time": st.column_config.TextColumn("Takes", help="Its cut, training and evaluation."),
            "done": st.column_config.TextColumn("Done after", help="From the start of the run."),
        },
    )


def _layers(check: CheckReport) -> None:
    named = layers(check.layers)
    st.vega_lite_chart(
        spec=widths_at_start_figure(named, check.initial_widths),
        width="stretch",
        key="check/widths",
        alt=f"Neurons of {len(named)} adapters at the start, from the input of the backbone on.",
    )
    st.caption("Where adapters go, from the input of the backbone on, and their hidden widths before any cut.")


def _durations(seconds: pd.Series) -> list[str]:
    return [words.duration(value) for value in seconds]
