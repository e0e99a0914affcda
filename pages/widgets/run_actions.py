"""What can be done to a run: stop, resume, delete, and new runs made from it. Dialogs check before anything happens."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import get_args

import streamlit as st

from mimi_core.analysis.common.words import count, listed, percent
from mimi_core.analysis.launch.words import plan_in_words
from mimi_core.budget import plan
from mimi_core.config import RunConfig, Scope, differences, make_config
from mimi_core.config.methods import makes_cuts
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs import branch
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import RunSummary, Store
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.catalogue import label_of as score_label
from pages.widgets import acting, failure, gate
from pages.widgets.menu import switch_to
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

RESUMABLE = ("stopped", "failed", "died")
MOST_NAMED = 8
EXAMPLE_LINES = "train.epochs=20\ntrain.lr=0.001"


def each(runs: Sequence[StoredRun], done: str, what: Callable[[Store, str], object]) -> None:
    """Do it to every run; one that refuses holds up no other. What came of it is told by the next drawing of the page.

    Draws nothing itself: as the callback of a button in a dialog, that would end the browser's page.
    """
    refused = []
    for stored in runs:
        try:
            what(stored.store, stored.run.id)
        except MimiError as error:
            refused.append(str(error))
    st.session_state["told"] = count(len(runs) - len(refused), "run"), done, refused


def tell() -> None:
    """What came of the last action. Every page that has actions begins with it."""
    number, done, refused = st.session_state.pop("told", ("0 runs", "", []))
    if number != "0 runs":
        st.toast(f"{number} {done}", icon=":material/done:")
    for message in refused[:MOST_NAMED]:
        st.toast(plain(message), icon=":material/error:", duration="long")


def key_of(prefix: str, runs: Iterable[RunSummary]) -> str:
    """Of a widget about these runs: about others it is another widget, so that no click or choice slips to a run that
    was not meant."""
    ids = "\n".join(run.id for run in runs)
    return f"{prefix}-{hashlib.sha1(ids.encode(), usedforsecurity=False).hexdigest()[:12]}"


def buttons(runs: Sequence[StoredRun]) -> None:
    """What fits the phases of these runs. Examples are only looked at."""
    mine = [stored for stored in runs if not stored.example]
    of_these = partial(key_of, runs=[stored.run for stored in runs])
    live = [stored for stored in mine if stored.run.phase not in (*ENDED, "queued")]
    waiting = [stored for stored in mine if stored.run.phase == "queued"]
    resumable = [stored for stored in mine if stored.run.phase in RESUMABLE]
    idle = [stored for stored in mine if stored.run.phase in (*ENDED, "queued")]
    if live:
        asked = all(acting.stop_requested(stored.store, stored.run.id) for stored in live)
        if gate.button(
            "Stopping after this cycle …" if asked else "Stop after this cycle",
            "launch",
            _owners(live),
            icon=":material/hourglass_bottom:" if asked else ":material/stop_circle:",
            disabled=asked,
            key=of_these("stop-after"),
            help="The cycle is finished and saved first.",
        ):
            each(live, "asked to stop", acting.stop_after_cycle)
            st.rerun()
    if (live or waiting) and gate.button(
        "Stop now" if live else "Take out of the queue",
        "launch",
        _owners([*live, *waiting]),
        icon=":material/stop:",
        key=of_these("stop"),
        help="Ends the worker at once. Resume goes on from its last safe state." if live else None,
    ):
        with st.spinner("Stopping the worker …"):
            each([*live, *waiting], "stopped", acting.stop_now)
        st.rerun()
    if len(mine) == 1:
        _open_in_launch(mine[0])
    if resumable and gate.button(
        "Resume",
        "launch",
        _owners(resumable),
        type="secondary" if all(stored.run.phase == "failed" for stored in resumable) else "primary",
        icon=":material/play_arrow:",
        key=of_these("resume"),
        help="Where the cause is still there, it fails again." if mine[0].run.phase == "failed" else None,
    ):
        each(resumable, "queued again", acting.requeue)
        st.rerun()
    if idle and gate.button("Delete", "launch", _owners(idle), icon=":material/delete:", key=of_these("delete")):
        ask_before_deleting(idle)


def _open_in_launch(stored: StoredRun) -> None:
    """For a run that failed: to the form, where what it says can be mended. A branch has no form."""
    if stored.run.phase != "failed":
        return
    try:
        config = stored.store.config(stored.run.id)
    except MimiError:
        return
    key = key_of("open-in-launch", [stored.run])
    if config.branch is None and st.button("Open in Launch", type="primary", icon=":material/edit:", key=key):
        switch_to("launch", failure.query(stored.run.id, config))


def _owners(runs: Sequence[StoredRun]) -> set[str]:
    return {stored.run.owner for stored in runs}


@st.dialog("Delete for good?", icon=":material/delete:")
def ask_before_deleting(runs: Sequence[StoredRun]) -> None:
    st.markdown(f"{count(len(runs), 'run')} with all that was kept: settings, events, adapters, scores, logs.")
    st.markdown(
        "\n".join(f"- {_named(stored.run)}" for stored in runs[:MOST_NAMED])
        + (f"\n- and {len(runs) - MOST_NAMED:,} more" if len(runs) > MOST_NAMED else "")
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep"):
            st.rerun()
        label, arguments = f"Delete {count(len(runs), 'run')}", (runs, "deleted", acting.delete)
        if st.button(label, type="primary", icon=":material/delete:", on_click=each, args=arguments):
            if st.query_params.get("run") in [stored.run.id for stored in runs]:
                switch_to("runs")  # the page was about it
            st.rerun()


def _named(run: RunSummary) -> str:
    """A run that cannot be taken for another. Markdown."""
    return f"{plain(run.title)} · seed {run.seed} :gray[({plain(run.id)})]"


# --- new runs from this one -----------------------------------------------------------------------------------------


def new_runs(stored: StoredRun, config: RunConfig, state: RunState) -> None:
    """The ways to another run that begins with this one's settings, or with its adapters."""
    of_this = partial(key_of, runs=[stored.run])
    if gate.button(
        "Duplicate",
        "launch",
        icon=":material/content_copy:",
        key=of_this("duplicate"),
        help="A new run with these settings, some changed.",
    ):
        duplicate(stored, config)
    ready = branch.cycles(state) if makes_cuts(config.method) else []
    if ready and gate.button(
        "Branch",
        "launch",
        icon=":material/call_split:",
        key=of_this("branch"),
        help="Goes on from one of its cycles, cut by another score, scope, …",
    ):
        branch_off(stored, config, state, ready)


@st.dialog("Duplicate with changes", width="medium", icon=":material/content_copy:")
def duplicate(stored: StoredRun, config: RunConfig) -> None:
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
    st.markdown(f":material/timeline: {plain(plan_in_words(wanted))}")
    st.caption(f"Changed: {plain(', '.join(changed))}" if changed else "Nothing is changed: the same run again.")
    _start("Launch the copy", lambda: acting.submit(wanted))


@st.dialog("Branch from a cycle", width="medium", icon=":material/call_split:")
def branch_off(stored: StoredRun, config: RunConfig, state: RunState, ready: list[int]) -> None:
    """A run that goes on from the end of one of this run's cycles."""
    st.markdown(
        "The new run takes over the adapters as they were at the end of a cycle, and makes the cuts after it in its "
        "own way. The moments of the optimiser start fresh."
    )
    left, right = st.columns(2)
    with left:
        cycle = st.selectbox("From", ready, index=max(len(ready) - 2, 0), format_func=_cycle_name)
        score = st.selectbox(
            "Score", list(SCORES), index=list(SCORES).index(config.prune.score), format_func=score_label
        )
        scope = st.selectbox("Scope", get_args(Scope), index=get_args(Scope).index(config.prune.scope))
    with right:
        name = st.text_input("Title", value=branch.title(config, cycle), max_chars=80)
        rho = st.number_input("Cut per cycle, ρ", value=config.prune.rho, format="%g", step=None)
        sigma = st.number_input("Compression at the end, σ", value=config.prune.sigma_target, format="%g", step=None)
    sets = [f"prune.score={score}", f"prune.scope={scope}", f"prune.rho={rho}", f"prune.sigma_target={sigma}"]
    sets += [f"name={json.dumps(name or '', ensure_ascii=False)}", *_lines(EXAMPLE_LINES)]
    try:
        wanted = branch.changed(config, state, stored.run.id, cycle, sets)
        branch.known_scores(stored.run.folder, state, cycle, wanted)
    except MimiError as error:
        _refused(error)
        return
    shares = [percent(float(share)) for share in plan(wanted, sum(state.widths[0].values())).keep]
    to_come = listed([f"{k} ({share})" for k, share in enumerate(shares, start=1) if k > cycle])
    st.markdown(f":material/timeline: Cuts to come, and the neurons of the start that they leave: {to_come}.")
    _start("Start the branch", lambda: acting.branch_off(stored.store, stored.run.id, cycle, sets))


def _cycle_name(cycle: int) -> str:
    return f"after cut {cycle}, trained again" if cycle else "before the first cut"


def _lines(placeholder: str) -> list[str]:
    typed = st.text_area(
        "Other changes, one a line, as section.key=value", placeholder=placeholder, height=80, max_chars=4000
    )
    return [line.strip() for line in (typed or "").splitlines() if line.strip()]


def _refused(error: MimiError) -> None:
    st.error(plain(str(error)), icon=":material/error:")


def _start(label: str, make: Callable[[], str]) -> None:
    """The button that starts a new run, and the way to its page."""
    if not st.button(label, type="primary", icon=":material/rocket_launch:"):
        return
    try:
        run_id = make()
    except MimiError as error:
        _refused(error)
        return
    switch_to("monitor", {"run": run_id})
