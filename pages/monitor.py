"""Monitor: one run, live. All that is shown comes from its files, so closing or reloading the page changes nothing."""

import time
from collections.abc import Callable

import streamlit as st

from mimi_core.analysis import sentences, tables, words
from mimi_core.analysis.curves import curves_figure
from mimi_core.analysis.heatmap import heatmap_figure
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs import control
from mimi_core.runs.events import RunState
from mimi_core.runs.status import ENDED, Status
from pages import common

STATUS_SECONDS, CHARTS_SECONDS = 1.0, 3.0  # charts cost more, and change with every epoch only


def main() -> None:
    common.through_app()
    found = common.pick_run(common.all_runs(), common.WIDTHS, "Widths", ":material/stacked_bar_chart:")
    if found is None:
        return
    if found.run.phase == "broken":
        broken(found)
        return
    live = found.run.phase not in ENDED
    st.fragment(progress, run_every=STATUS_SECONDS if live else None)(found, live)
    st.fragment(learning, run_every=CHARTS_SECONDS if live else None)(found, live)


def progress(found: common.Found, live: bool) -> None:
    """Where the run is, and what can be done to it."""
    status, state = found.store.status(found.run.id), found.store.state(found.run.id)
    if status is None or (status.shown_phase not in ENDED) != live:
        st.rerun()  # it has ended, or goes on again: the clocks of this page change
    heading(found, status)
    bar(status)
    facts(status, state)
    ending(status, state)
    for warning in state.warnings:
        st.warning(common.plain(warning.message), icon=":material/warning:")


def learning(found: common.Found, live: bool) -> None:
    """What it has learned, and what is left of its adapters."""
    state = found.store.state(found.run.id)
    if state.started:
        charts(found, state)
        return
    if live:
        st.caption("The data and the backbone are being loaded; curves and widths appear here.")
        st.skeleton(320)
    log(found)


def heading(found: common.Found, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(common.plain(found.run.title), anchor=False, width="content")
        common.phase_badge(status.shown_phase)
        if found.example:
            common.phase_badge(status.shown_phase, example=True)
        st.space("stretch")
        actions(found, status)


def bar(status: Status) -> None:
    phase = status.shown_phase
    parts = [phase]
    if phase == "queued":
        parts = ["waiting for a free slot"]
    elif status.epochs:
        parts += [_cycle(status), f"epoch {status.epoch} of {status.epochs}"]
    parts.append(f"{100 * status.progress:.0f} %")
    if phase not in ENDED and status.eta_seconds is not None:
        parts.append(f"about {words.duration(status.eta_seconds)} left")
    st.progress(min(max(status.progress, 0.0), 1.0), text=" · ".join(parts))


def _cycle(status: Status) -> str:
    if status.cycle == 0:
        return f"before the first of {words.count(status.cycles, 'cut')}" if status.cycles else "training"
    return f"after cut {status.cycle} of {status.cycles}"


def facts(status: Status, state: RunState) -> None:
    alive = status.shown_phase not in ENDED and status.shown_phase != "queued"
    took = state.ended.seconds if state.ended else time.time() - status.created
    shown = {
        "Time": words.duration(max(took, 0)) if alive or state.ended else "–",
        "Images per second": f"{status.images_per_second:,.0f}" if status.images_per_second else "–",
        "Memory": words.size(status.memory_bytes) if status.memory_bytes else "–",
        "GPU memory": words.size(status.gpu_memory_bytes) if status.gpu_memory_bytes else "none used",
        "Device": status.device or "–",
        "Last sign of life": f"{words.duration(max(time.time() - status.heartbeat, 0))} ago" if alive else "–",
    }
    for column, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(label, common.plain(value))


def actions(found: common.Found, status: Status) -> None:
    """Stop and resume. Examples are only looked at."""
    if found.example:
        return
    run_id, store, phase = found.run.id, found.store, status.shown_phase
    if phase == "queued":
        if st.button("Take out of the queue", icon=":material/stop:"):
            _do(lambda: control.stop_now(store, run_id))
    elif phase not in ENDED:
        asked = control.stop_requested(store, run_id)
        if st.button(
            "Stopping after this cycle …" if asked else "Stop after this cycle",
            icon=":material/hourglass_bottom:" if asked else ":material/stop_circle:",
            disabled=asked,
            help="The cycle is finished and saved first.",
        ):
            _do(lambda: control.stop_after_cycle(store, run_id))
        if st.button(
            "Stop now", icon=":material/stop:", help="Ends the worker at once. Resume goes on from its last safe state."
        ):
            with st.spinner("Stopping the worker …"):
                _do(lambda: control.stop_now(store, run_id))
    elif phase in ("stopped", "failed", "died") and st.button("Resume", type="primary", icon=":material/play_arrow:"):
        _do(lambda: control.requeue(store, run_id))


def _do(what: Callable[[], str | None]) -> None:
    try:
        said = what()
    except MimiError as error:
        st.toast(common.plain(str(error)), icon=":material/error:")
        return
    if said:
        st.toast(said.capitalize(), icon=":material/done:")
    st.rerun()


def ending(status: Status, state: RunState) -> None:
    phase, message = status.shown_phase, common.plain(status.message)
    if phase == "died":
        silent = words.duration(max(time.time() - status.heartbeat, 0))
        st.error(
            f"The worker (process {status.pid} on {common.plain(status.host or 'this machine')}) is gone without "
            f"having ended the run; its last sign of life was {silent} ago. Most often it was killed, ran out of "
            "memory, or the machine was restarted. The end of its log is below. **Resume** goes on from its last "
            "safe state.",
            icon=":material/heart_broken:",
        )
    elif phase == "failed":
        st.error(f"The run failed: {message or 'no reason was given; see the log below.'}", icon=":material/error:")
    elif phase == "stopped":
        st.info(
            f"Stopped{f': {message}' if message else ''}. Resume goes on from where it was.",
            icon=":material/stop_circle:",
        )
    elif phase == "finished" and state.widths:
        widths, done = tables.widths_table(state), len(state.cuts)
        found_out = common.plain(sentences.story(widths, tables.cycles_table(state), done))
        st.success(f"**{common.plain(sentences.headline(widths, done))}.** {found_out}", icon=":material/check_circle:")
    if state.unreadable_lines:
        st.warning(f"Left out, because unreadable: {words.count(state.unreadable_lines, 'line')} of the event file.")


def charts(found: common.Found, state: RunState) -> None:
    left, right = st.columns([3, 2], gap="large")
    epochs, cycles = tables.epochs_table(state), tables.cycles_table(state)
    with left:
        st.subheader("Learning", anchor=False)
        st.plotly_chart(
            curves_figure(epochs, tables.evaluations_table(state), total_steps=_steps(found, state)),
            key=f"curves-{found.run.id}",
            config=common.CHART,
            alt="Accuracy and training loss per epoch, cuts marked",
        )
        log(found)
    with right:
        st.subheader("Widths so far", anchor=False)
        st.plotly_chart(
            heatmap_figure(tables.widths_table(state), cycles, common.scale(), cuts=state.total_cuts, smallest=6),
            key=f"mini-{found.run.id}",
            config=common.CHART,
            alt="Neurons left per layer and cut",
        )


def _steps(found: common.Found, state: RunState) -> int:
    """Epochs of the whole run, for an axis that stays in place."""
    try:
        config = found.store.config(found.run.id)
    except ConfigError:
        return len(state.epochs)
    trained = state.total_cuts + (config.prune.retrain_last or state.total_cuts == 0)
    return max(trained * config.train.epochs, len(state.epochs))


def log(found: common.Found) -> None:
    st.subheader("Log", anchor=False)
    tail = found.store.log_tail(found.run.id)
    with st.container(height=220 if tail.count("\n") > 6 else "content", border=False, autoscroll=True):
        st.code(tail or "Nothing yet.", language=None, wrap_lines=True)
    st.caption(f"The last lines. Everything about this run is in {common.plain(str(found.run.folder))}.")


def broken(found: common.Found) -> None:
    st.title("This run cannot be read", anchor=False)
    reason = found.run.message or "its config file is missing or broken"
    st.error(f"{common.plain(reason.capitalize())}.", icon=":material/broken_image:")
    st.markdown("Its folder holds whatever is left of it:")
    st.code(str(found.run.folder), language=None)
    log(found)


main()
