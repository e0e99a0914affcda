"""Monitor: one run, live. All that is shown comes from its files, so closing or reloading the page changes nothing."""

import contextlib
import shlex
import shutil
import time

import plotly.graph_objects as go
import streamlit as st

from mimi_core.analysis.common import gain, tables, words
from mimi_core.analysis.common.statistics import Interval
from mimi_core.analysis.monitor.curves import accuracy_chart, curves_table, loss_chart, total_steps
from mimi_core.analysis.monitor.signatures import linear_probe, signs_of_failure
from mimi_core.analysis.overview import cards
from mimi_core.analysis.widths.heatmap import heatmap_figure
from mimi_core.config import RunConfig, differences, to_yaml
from mimi_core.errors import MimiError
from mimi_core.runs.describe import describe_death, describe_wait, times
from mimi_core.runs.events import RunState
from mimi_core.runs.formats import probe as probe_file
from mimi_core.runs.status import ENDED, WITH_PROGRESS, Status
from pages.widgets import drawing, run_actions, stores
from pages.widgets.badge import phase_badge, stage
from pages.widgets.menu import Page, link_to, through_app
from pages.widgets.run_picker import pick_run
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

MOST_WARNINGS, LONGEST_WARNING = 20, 2000
"""So many are shown, and so many characters of each."""
PAGE = Page(title="Monitor", icon=":material/monitoring:", order=30)
STATUS_SECONDS, CHARTS_SECONDS = 2.0, 5.0
"""Clocks of a live page. The browser's share is the larger one, and it may be on the two cores that train: charts cost
it three times as much, and change with every epoch only."""
TIME_HELP = "Since data and backbone were loaded, all attempts added up. Waiting in the queue is not in it."
LINKS = ("widths", "why", "predict", "report")


def main() -> None:
    through_app()
    run_actions.tell()
    runs = stores.all_runs()
    stored = pick_run(runs, "runs", "All runs")
    if stored is None:
        return
    config = _config(stored)
    if stored.run.phase == "broken" or config is None:
        broken(stored)
        return
    parent = next((other for other in runs if config.branch and other.run.id == config.branch.run), None)
    heading(stored, config, parent)
    live = stored.run.phase not in ENDED
    probe = _probe(runs, config)
    st.fragment(progress, run_every=STATUS_SECONDS if live else None)(stored)
    st.fragment(learning, run_every=CHARTS_SECONDS if live else None)(stored, config, probe)
    settings(config, parent)


def heading(stored: StoredRun, config: RunConfig, parent: StoredRun | None) -> None:
    """Title, what can be done, and where the run comes from. Not in a fragment: a dialog would go with its next run."""
    state = stored.store.state(stored.run.id)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(plain(stored.run.title), anchor=False, width="content")
        phase_badge(stage(stored.run.phase), stored.example)
        st.space("stretch")
        run_actions.new_runs(stored, config, state)
        run_actions.buttons([stored])
    with st.container(horizontal=True, gap="small"):
        for page in LINKS if state.sites else ():
            link_to(page, query=stored.link)
        if stored.run.group:
            label = f"Group {plain(stored.run.group)}"
            link_to("runs", label, icon=":material/folder:", query={"group": stored.run.group})
    if config.branch:
        origin(config, parent)


def origin(config: RunConfig, parent: StoredRun | None) -> None:
    """Which cycle of which run a branch goes on from, and what it changed."""
    assert config.branch is not None
    changed = [d for d in _changed_by_branch(config, parent) if not d.startswith(("name=", "group="))]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.markdown(f":material/call_split: Branched from the end of cycle {config.branch.cycle} of", width="content")
        if parent:
            link_to("monitor", plain(parent.run.title), icon="", query=parent.link)
        else:
            st.markdown(f"{plain(config.branch.run)}, which is not here (any more).", width="content")
    st.caption(
        f"With {plain(', '.join(changed)) or 'the same settings'}. The moments of its optimiser started fresh "
        "there, and its time counts from there."
    )


# --- where it is ----------------------------------------------------------------------------------------------------


def progress(stored: StoredRun) -> None:
    """Where the run is now. Cheap: it is drawn most often."""
    status, state = stored.store.status(stored.run.id), stored.store.state(stored.run.id)
    if status is None or stage(stored.store.summary(stored.run.id).phase) != stage(stored.run.phase):
        st.rerun()  # it has begun or ended, or goes on again: what can be done changes, and the clocks of this page
    if status.shown_phase != "finished":
        bar(status)
    facts(status, state)
    ending(stored, status, state)


def bar(status: Status) -> None:
    phase = status.shown_phase
    parts: list[str] = [phase]
    if phase == "queued":
        parts = [describe_wait(status.deaths, status.retry_at) or "waiting for a free slot"]
    elif status.epochs:
        parts += [_cycle(status), f"epoch {status.epoch} of {status.epochs}"]
    elif status.message and phase not in ENDED:
        parts.append(plain(status.message))
    parts.append(words.percent(status.progress, 0))
    if phase not in (*ENDED, "queued") and status.eta_seconds is not None:
        parts.append(f"about {words.duration(status.eta_seconds)} left")
    elif phase in WITH_PROGRESS:
        parts.append("estimating the time left")
    st.progress(min(max(status.progress, 0.0), 1.0), text=" · ".join(parts))


def _cycle(status: Status) -> str:
    if status.cycle == 0:
        return f"before the first of {words.count(status.cycles, 'cut')}" if status.cycles else "training"
    return f"after cut {status.cycle} of {status.cycles}"


def facts(status: Status, state: RunState) -> None:
    alive = status.shown_phase not in ENDED and status.shown_phase != "queued"
    took = state.ended.seconds if state.ended else status.began and (time.time() - status.began)
    shown = {
        "Time": words.duration(max(took, 0)) if took is not None and (alive or state.ended) else "–",
        "Images per second": f"{status.images_per_second:,.0f}" if status.images_per_second else "–",
        "Memory": words.size(status.memory_bytes) if status.memory_bytes else "–",
        "GPU memory": words.size(status.gpu_memory_bytes) if status.gpu_memory_bytes else "none used",
        "Device": status.device or "–",
    }
    if alive:
        shown["Last sign of life"] = f"{words.duration(max(time.time() - status.heartbeat, 0))} ago"
    for column, (label, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(label, plain(value), help=TIME_HELP if label == "Time" else None)


def ending(stored: StoredRun, status: Status, state: RunState) -> None:
    phase, message = status.shown_phase, plain(status.message)
    if phase == "died":
        silent = words.duration(max(time.time() - status.heartbeat, 0))
        why = describe_death(status, _free(stored))
        st.error(
            f"The worker (process {status.pid} on {plain(status.host or 'this machine')}) is gone without "
            f"having ended the run; its last sign of life was {silent} ago. {plain(why)} "
            f"The end of its log is below. {_what_next(status)}",
            icon=":material/heart_broken:",
        )
    elif phase == "queued" and status.deaths:
        st.warning(
            f"Its worker died {times(status.deaths)}. {plain(describe_death(status))} The run goes on by itself, from "
            "its last safe state.",
            icon=":material/autorenew:",
        )
    elif phase == "failed":
        st.error(f"The run failed: {message or 'no reason was given; see the log below.'}", icon=":material/error:")
    elif phase == "stopped":
        st.info(
            f"Stopped{f': {message}' if message else ''}. **Resume** goes on from the last safe state.",
            icon=":material/stop_circle:",
        )
    elif phase == "finished" and state.started:
        headline, story = cards.finding_so_far(stored.run, state)
        gained = gain.of_run(stored.run.folder, state)
        st.success(f"**{plain(headline)}.** {plain(f'{story} {gained}')}", icon=":material/check_circle:")


def _free(stored: StoredRun) -> int | None:
    """Bytes left on the disk of a run, where the system says."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(stored.run.folder).free
    return None


def _what_next(status: Status) -> str:
    """For a run that died. Markdown."""
    if status.is_orphan:
        return "The queue has it go on in a moment."
    if status.deaths > 1:
        return (
            f"It died {times(status.deaths)}, and the queue gave up. See to the cause first; **Resume** then goes on "
            "from its last safe state."
        )
    return "**Resume** goes on from its last safe state."


# --- what it has learned --------------------------------------------------------------------------------------------


def learning(stored: StoredRun, config: RunConfig, probe: Interval | None) -> None:
    """Signs that something is wrong, the curves, and what is left of the adapters."""
    state = stored.store.state(stored.run.id)
    signs(state, config, probe)
    if state.started:
        charts(stored, config, state)
        return
    if stored.run.phase not in ENDED:
        st.caption("The data and the backbone are being loaded; curves and widths appear here.")
        st.skeleton(320)
    log(stored)


def signs(state: RunState, config: RunConfig, probe: Interval | None) -> None:
    for finding in signs_of_failure(state, config, probe):
        title, explanation, advice = map(plain, (finding.title, finding.explanation, finding.advice))
        draw, icon = (st.error, ":material/report:") if finding.severity == "error" else (st.warning, ":material/help:")
        draw(f"**{title}.** {explanation}  \n:material/build: {advice}", icon=icon)
    told = [warning for warning in state.warnings if warning.code != "no_op_cut"]  # these are among the signs
    for warning in told[:MOST_WARNINGS]:
        st.warning(plain(warning.message[:LONGEST_WARNING]), icon=":material/warning:")
    if rest := len(told[MOST_WARNINGS:]) + state.further_warnings:
        st.caption(f"And {words.count(rest, 'more warning')}: the log has them all.")
    if state.unreadable_lines:
        why = f"; the first: {state.fault}" if state.fault else ""
        st.warning(plain(f"{words.count(state.unreadable_lines, 'line')} of the event file left out{why}."))


def charts(stored: StoredRun, config: RunConfig, state: RunState) -> None:
    left, right = st.columns([3, 2], gap="large") if state.sites else (st.container(), None)
    with left:
        st.subheader("Learning", anchor=False)
        curves(stored, config, state)
        probe = probe_file.read(stored.run.folder)
        if state.ended is None and probe:
            st.caption(plain(gain.of_run(stored.run.folder, state) or gain.alone(probe)))
        log(stored)
    if right is not None:
        with right:
            st.subheader("Widths so far", anchor=False)
            cuts = len(state.cuts), len(state.evaluations)
            st.plotly_chart(
                _widths_figure(stored.run.id, cuts, st.context.theme.type, state),
                key=f"mini-{stored.run.id}",
                config=drawing.CONFIG,
                alt="Neurons left per layer and cut",
            )


def curves(stored: StoredRun, config: RunConfig, state: RunState) -> None:
    """Accuracy and loss; nothing is drawn of what has no point yet."""
    table, steps = curves_table(state), total_steps(state, config)
    if not (state.epochs or state.evaluations):
        live = stored.run.phase not in ENDED
        st.caption(
            "The first epoch is under way; the curves begin when it is done." if live else "No epoch was finished."
        )
        return
    st.vega_lite_chart(
        table,
        accuracy_chart(steps, state.total_cuts, evaluated=bool(state.evaluations)),
        width="stretch",
        key=f"accuracy-{stored.run.id}",
        alt="Accuracy per epoch on training images, and after training and cuts on validation and test images",
    )
    if state.epochs:
        st.vega_lite_chart(
            table, loss_chart(steps), width="stretch", key=f"loss-{stored.run.id}", alt="Training loss per epoch"
        )


@st.cache_resource(max_entries=4, show_spinner=False)
def _widths_figure(run_id: str, cuts: tuple[int, int], theme: str | None, _state: RunState) -> go.Figure:
    """Made once for the cuts made so far: a live page asks every few seconds."""
    table, cycles = tables.widths_table(_state), tables.cycles_table(_state)
    return heatmap_figure(table, cycles, drawing.scale(), cuts=_state.total_cuts, smallest=6)


def log(stored: StoredRun) -> None:
    st.subheader("Log", anchor=False)
    tail = stored.store.log_tail(stored.run.id)
    with st.container(height=220 if tail.count("\n") > 6 else "content", border=False, autoscroll=True):
        st.code(tail or "Nothing yet.", language=None, wrap_lines=True)
    st.caption(f"The last lines. Everything about this run is in {plain(str(stored.run.folder))}.")


def settings(config: RunConfig, parent: StoredRun | None) -> None:
    """The config of this very run, from its folder, and the command that would do the same again."""
    with st.expander("Settings of this run", icon=":material/description:"):
        what, changed = ["run"], differences(config, RunConfig())
        if config.branch:
            what = ["branch", config.branch.run, "--cycle", str(config.branch.cycle)]
            changed = _changed_by_branch(config, parent)
        command = ["python", "-m", "mimi_core", *what, *(part for c in changed for part in ("--set", c))]
        st.markdown("**The same from the command line**")
        st.code(shlex.join(command), language="bash", wrap_lines=True)
        st.markdown("**config.yaml**")
        st.code(to_yaml(config), language="yaml", height=320)


def _changed_by_branch(config: RunConfig, parent: StoredRun | None) -> list[str]:
    """What a branch changed of its parent; where that is gone, all that it could have changed."""
    theirs = _config(parent) if parent else None
    if theirs is not None:
        return differences(config, theirs)
    return [d for d in differences(config, RunConfig()) if d.startswith(("prune.", "train.", "name=", "seed="))]


def _config(stored: StoredRun) -> RunConfig | None:
    try:
        return stored.store.config(stored.run.id)
    except MimiError:
        return None


def _probe(runs: list[StoredRun], config: RunConfig) -> Interval | None:
    """What linear probes on the same data and backbone reach, among the runs that are there."""
    near = [
        stored
        for stored in runs
        if (stored.run.method, stored.run.data, stored.run.backbone)
        == ("linear", config.data.name, config.backbone.name)
    ]
    return linear_probe(config, [(stored.run, other) for stored in near if (other := _config(stored))])


def broken(stored: StoredRun) -> None:
    st.title("This run cannot be read", anchor=False)
    reason = stored.run.message or "its config file is missing or broken"
    st.error(f"{plain(reason.capitalize())}.", icon=":material/broken_image:")
    st.markdown("Its folder holds whatever is left of it:")
    st.code(str(stored.run.folder), language=None)
    log(stored)
    run_actions.buttons([stored])


if __name__ == "__main__":
    main()
