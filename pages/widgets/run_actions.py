"""What can be done to a run: stop, resume, delete, and new runs made from it. Dialogs check before anything happens."""

import json
from collections.abc import Callable, Sequence
from typing import get_args

import streamlit as st

from mimi_core.analysis.common.words import count, listed, percent
from mimi_core.analysis.launch.words import plan_in_words
from mimi_core.budget import plan
from mimi_core.config import RunConfig, Scope, ScoreName, differences, make_config
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs import branch, control
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import Store
from pages import common

RESUMABLE = ("stopped", "failed", "died")
MOST_NAMED = 8
EXAMPLE_LINES = "train.epochs=20\ntrain.lr=0.001"


def each(runs: Sequence[common.Found], done: str, what: Callable[[Store, str], object]) -> None:
    """Do it to every run; one that refuses holds up no other. What came of it is told by the next drawing of the page.

    Draws nothing itself: as the callback of a button in a dialog, that would end the browser's page.
    """
    refused = []
    for found in runs:
        try:
            what(found.store, found.run.id)
        except MimiError as error:
            refused.append(str(error))
    st.session_state["told"] = count(len(runs) - len(refused), "run"), done, refused


def tell() -> None:
    """What came of the last action. Every page that has actions begins with it."""
    number, done, refused = st.session_state.pop("told", ("0 runs", "", []))
    if number != "0 runs":
        st.toast(f"{number} {done}", icon=":material/done:")
    for message in refused[:MOST_NAMED]:
        st.toast(common.plain(message), icon=":material/error:", duration="long")


def buttons(runs: Sequence[common.Found]) -> None:
    """What fits the phases of these runs. Examples are only looked at."""
    mine = [found for found in runs if not found.example]
    live = [found for found in mine if found.run.phase not in (*ENDED, "queued")]
    waiting = [found for found in mine if found.run.phase == "queued"]
    resumable = [found for found in mine if found.run.phase in RESUMABLE]
    idle = [found for found in mine if found.run.phase in (*ENDED, "queued")]
    if live:
        asked = all(control.stop_requested(found.store, found.run.id) for found in live)
        if st.button(
            "Stopping after this cycle …" if asked else "Stop after this cycle",
            icon=":material/hourglass_bottom:" if asked else ":material/stop_circle:",
            disabled=asked,
            help="The cycle is finished and saved first.",
        ):
            each(live, "asked to stop", control.stop_after_cycle)
            st.rerun()
    if (live or waiting) and st.button(
        "Stop now" if live else "Take out of the queue",
        icon=":material/stop:",
        help="Ends the worker at once. Resume goes on from its last safe state." if live else None,
    ):
        with st.spinner("Stopping the worker …"):
            each([*live, *waiting], "stopped", control.stop_now)
        st.rerun()
    if resumable and st.button("Resume", type="primary", icon=":material/play_arrow:"):
        each(resumable, "queued again", control.requeue)
        st.rerun()
    if idle and st.button("Delete", icon=":material/delete:"):
        ask_before_deleting(idle)


@st.dialog("Delete for good?", icon=":material/delete:")
def ask_before_deleting(runs: Sequence[common.Found]) -> None:
    st.markdown(f"{count(len(runs), 'run')} with all that was kept: settings, events, adapters, scores, logs.")
    st.markdown(
        "\n".join(f"- {common.plain(f.run.title)} :gray[({common.plain(f.run.id)})]" for f in runs[:MOST_NAMED])
        + (f"\n- and {len(runs) - MOST_NAMED:,} more" if len(runs) > MOST_NAMED else "")
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep"):
            st.rerun()
        label, arguments = f"Delete {count(len(runs), 'run')}", (runs, "deleted", control.delete)
        if st.button(label, type="primary", icon=":material/delete:", on_click=each, args=arguments):
            if st.query_params.get("run") in [found.run.id for found in runs]:
                st.switch_page(common.RUNS)  # the page was about it
            st.rerun()


# --- new runs from this one -----------------------------------------------------------------------------------------


def new_runs(found: common.Found, config: RunConfig, state: RunState) -> None:
    """The ways to another run that begins with this one's settings, or with its adapters."""
    if st.button("Duplicate", icon=":material/content_copy:", help="A new run with these settings, some changed."):
        duplicate(found, config)
    ready = branch.cycles(state) if config.method == "mimi" else []
    if ready and st.button(
        "Branch", icon=":material/call_split:", help="Goes on from one of its cycles, cut by another score, scope, …"
    ):
        branch_off(found, config, state, ready)


@st.dialog("Duplicate with changes", width="medium", icon=":material/content_copy:")
def duplicate(found: common.Found, config: RunConfig) -> None:
    """A copy of the settings, some of them changed; it starts from the beginning."""
    left, right = st.columns([4, 1])
    name = left.text_input("Title", value=config.name, max_chars=80)
    seed = right.number_input("Seed", value=config.seed, min_value=0, step=1)
    lines = _lines("train.epochs=20\nprune.scope=local")
    try:
        wanted = make_config(
            {**config.model_dump(mode="json"), "name": name or "", "seed": seed, "branch": None, "versions": {}},
            sets=lines,
        )
    except ConfigError as error:
        _refused(error)
        return
    changed = differences(wanted, config)
    st.markdown(f":material/timeline: {common.plain(plan_in_words(wanted))}")
    st.caption(f"Changed: {common.plain(', '.join(changed))}" if changed else "Nothing is changed: the same run again.")
    _start("Launch the copy", lambda: control.submit(common.user_store(), wanted))


@st.dialog("Branch from a cycle", width="medium", icon=":material/call_split:")
def branch_off(found: common.Found, config: RunConfig, state: RunState, ready: list[int]) -> None:
    """A run that goes on from the end of one of this run's cycles."""
    st.markdown(
        "The new run takes over the adapters as they were at the end of a cycle, and makes the cuts after it in its "
        "own way. The moments of the optimiser start fresh."
    )
    left, right = st.columns(2)
    with left:
        cycle = st.selectbox("From", ready, index=max(len(ready) - 2, 0), format_func=_cycle_name)
        score = st.selectbox("Score", get_args(ScoreName), index=get_args(ScoreName).index(config.prune.score))
        scope = st.selectbox("Scope", get_args(Scope), index=get_args(Scope).index(config.prune.scope))
    with right:
        name = st.text_input("Title", value=branch.title(config, cycle), max_chars=80)
        rho = st.number_input("Cut per cycle, ρ", value=config.prune.rho, format="%g", step=None)
        sigma = st.number_input("Compression at the end, σ", value=config.prune.sigma_target, format="%g", step=None)
    sets = [f"prune.score={score}", f"prune.scope={scope}", f"prune.rho={rho}", f"prune.sigma_target={sigma}"]
    sets += [f"name={json.dumps(name or '', ensure_ascii=False)}", *_lines(EXAMPLE_LINES)]
    try:
        wanted = branch.changed(config, state, found.run.id, cycle, sets)
        branch.known_scores(found.run.folder, state, cycle, wanted)
    except MimiError as error:
        _refused(error)
        return
    shares = [percent(float(share)) for share in plan(wanted).keep]
    to_come = listed([f"{k} ({share})" for k, share in enumerate(shares, start=1) if k > cycle])
    st.markdown(f":material/timeline: Cuts to come, and the neurons of the start that they leave: {to_come}.")
    target = common.user_store()
    _start("Start the branch", lambda: control.branch_off(found.store, found.run.id, cycle, sets, target))


def _cycle_name(cycle: int) -> str:
    return f"after cut {cycle}, trained again" if cycle else "before the first cut"


def _lines(placeholder: str) -> list[str]:
    typed = st.text_area(
        "Other changes, one a line, as section.key=value", placeholder=placeholder, height=80, max_chars=4000
    )
    return [line.strip() for line in (typed or "").splitlines() if line.strip()]


def _refused(error: MimiError) -> None:
    st.error(common.plain(str(error)), icon=":material/error:")


def _start(label: str, make: Callable[[], str]) -> None:
    """The button that starts a new run, and the way to its page."""
    if not st.button(label, type="primary", icon=":material/rocket_launch:"):
        return
    try:
        run_id = make()
    except MimiError as error:
        _refused(error)
        return
    st.switch_page(common.MONITOR, query_params={"run": run_id})
