"""What a run tells of itself: config, events, status and safe states, each by itself and all together."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mimi_core.budget import plan
from mimi_core.config import RunConfig, read_run_config, to_yaml, validate
from mimi_core.errors import ConfigError, MimiError
from mimi_core.reading import read_regular
from mimi_core.runs import files, writing
from mimi_core.runs.events import LARGEST, RunState, parse_line, read_events, whole_until
from mimi_core.runs.formats import fingerprint, probe, safe_state
from mimi_core.runs.fsck.problem import RESUMABLE, Problem
from mimi_core.runs.status import ENDED, Status, read_status, write_status

_AGAIN = "lost; a new run of the same config gives the same numbers on the same machine"


def config(run: Path, state: RunState) -> Iterator[Problem]:
    """The config, which the events tell too."""
    try:
        there = read_run_config(run / files.CONFIG)
    except ConfigError as error:
        told = _told_config(state)
        if told is None:
            yield Problem(files.CONFIG, str(error), "put back a copy of it: without it nobody knows what the run is")
        else:
            write = partial(writing.write_text, run, files.CONFIG, to_yaml(told))
            yield Problem(files.CONFIG, str(error), "written anew from the first of the events, which tells it", write)
        return
    told = _told_config(state)
    if told is not None and told != there:
        yield Problem(
            files.CONFIG,
            "is not the config that the run began with",
            "undo the change, or start a new run for it: what was done was done by the config in the first event",
        )


def events(run: Path) -> Iterator[Problem]:
    """The lines of the account, each by itself."""
    try:
        content = read_regular(run / files.EVENTS, LARGEST)
    except FileNotFoundError:
        there = read_status(run)
        if there is not None and there.progress > 0:
            yield Problem(files.EVENTS, "is missing, and the run had begun", f"{_AGAIN}; resume starts over")
        return
    except OSError as error:
        yield Problem(files.EVENTS, f"cannot be read ({error.strerror})", "put a copy of it back")
        return
    whole = content.rfind(b"\n") + 1
    if tail := content[whole:]:
        if parse_line(tail):
            end = partial(writing.append, run, files.EVENTS, b"\n")
            yield Problem(files.EVENTS, "its last line is not ended", "its end is added", end)
        else:
            cut = partial(writing.shorten, run, files.EVENTS, whole)
            yield Problem(files.EVENTS, f"ends in half an event ({len(tail)} bytes)", "they are taken back", cut)
    lines = content[:whole].splitlines()
    broken = [number for number, line in enumerate(lines, 1) if line.strip() and not parse_line(line)]
    if broken:
        where = ", ".join(map(str, broken[:5])) + (", .." if len(broken) > 5 else "")
        yield Problem(files.EVENTS, f"{len(broken)} of {len(lines)} lines cannot be read: {where}", _AGAIN)


def status(run: Path, state: RunState) -> Iterator[Problem]:
    """Where the run says that it is, beside what it has told. Nobody works on it now."""
    there = read_status(run)
    outcome = state.ended.status if state.ended else None
    if there is None:
        write = partial(write_status, run, _rebuilt(run, state))
        yield Problem(files.STATUS, "is missing or broken", "written anew from the events", write)
    elif there.phase == "finished" and outcome != "finished":
        write = partial(write_status, run, _rebuilt(run, state, there))
        yield Problem(files.STATUS, "says that the run has finished, and its events do not", "says what they do", write)
    elif there.phase not in ENDED and outcome == "finished":
        write = partial(write_status, run, _rebuilt(run, state, there))
        yield Problem(files.STATUS, "does not say that the run has finished, as its events do", "says it too", write)


def course(run: Path, state: RunState) -> Iterator[Problem]:
    """Whether what a run tells can be true; and of a finished one, whether it is all that it did, once."""
    if state.fault:
        yield Problem(files.EVENTS, f"tells what cannot be true after what it told before: {state.fault}", _AGAIN)
    if state.ended is None or state.ended.status != "finished":
        return
    if state.started is None:
        yield Problem(files.EVENTS, "tells an end and no start", _AGAIN)
        return
    told = _told_config(state)
    if told is None:
        return
    try:
        planned = plan(told, sum(state.widths[0].values()) or None).epochs
    except MimiError:
        return
    first = told.branch.cycle + 1 if told.branch else 0  # a parent may have trained otherwise
    counted = Counter((e.cycle, e.epoch) for e in state.epochs)
    expected = {(cycle, epoch) for cycle, count in enumerate(planned) for epoch in range(1, count + 1)}
    missing = [at for at in sorted(expected - counted.keys()) if at[0] >= first]
    twice = [at for at, count in sorted(counted.items()) if count > 1]
    for what, places in (("are missing", missing), ("are told twice", twice)):
        if places:
            listed = "; ".join(f"epoch {epoch} of cycle {cycle}" for cycle, epoch in places[:3])
            more = f" and {len(places) - 3} more" if len(places) > 3 else ""
            yield Problem(files.EVENTS, f"it has finished, and {listed}{more} {what}", _AGAIN)
    cuts = [cut.cycle for cut in state.cuts]
    if cuts != list(range(1, state.total_cuts + 1)):
        yield Problem(files.EVENTS, f"it has finished with {len(cuts)} of {state.total_cuts} cuts told", _AGAIN)
    if state.last_accuracy is None:
        yield Problem(files.EVENTS, "it has finished without an accuracy on test images", _AGAIN)


def states(run: Path, state: RunState) -> Iterator[Problem]:
    """The safe states, and whether the events are there that they stand for."""
    finished = state.ended is not None and state.ended.status == "finished"
    if not (run / files.RESUME).exists():
        began = state.started is not None and state.epochs
        if began and not finished and not (state.ended and state.ended.status == "failed"):
            yield Problem(files.RESUME, "no safe state is there", "resume starts over, from the first epoch on")
        return
    if finished:
        remove = partial(writing.remove_folder, run, files.RESUME)
        yield Problem(files.RESUME, "a finished run needs no way back", "removed", remove)
        return
    for path in safe_state.kept(run):
        name = f"{files.RESUME}/{path.name}"
        try:
            there = safe_state.read(path)
        except MimiError as error:
            yield Problem(name, str(error), "update the program")
            continue
        if there is None:
            yield Problem(name, "is not whole, or not as it was written", f"{RESUMABLE}: the other state, or the start")
        elif not whole_until(run / files.EVENTS, there[1]):
            yield Problem(name, "events that it stands for are lost", f"{RESUMABLE}: the state before, or the start")


def prints(run: Path) -> Iterator[Problem]:
    """The small files that stand beside the account."""
    try:
        fingerprint.read(run)
    except MimiError as error:
        yield Problem(fingerprint.NAME, "cannot be read", str(error))
    if (run / probe.NAME).exists() and probe.read(run) is None:
        yield Problem(probe.NAME, "cannot be read", "made anew where another run needs it; the run itself is whole")


def read(run: Path) -> RunState:
    return read_events(run / files.EVENTS)


def _told_config(state: RunState) -> RunConfig | None:
    """What the first event says; None where there is none, or of another version."""
    try:
        return validate(state.started.config) if state.started else None
    except MimiError:
        return None


def _rebuilt(run: Path, state: RunState, there: Status | None = None) -> Status:
    """What the events say of where the run is. Without an end it is one that can be resumed."""
    made = state.started.time if state.started else run.stat().st_mtime
    told = there or Status(created=made, heartbeat=made)
    outcome = state.ended.status if state.ended else "stopped"
    message = state.ended.message if state.ended else "its status was lost, and made from its events"
    epochs = [e for e in state.epochs if e.cycle == len(state.cuts)]
    return told.model_copy(
        update={
            "phase": outcome,
            "message": message,
            "pid": None,
            "from_queue": False,
            "retry_at": None,
            "cycle": len(state.cuts),
            "cycles": state.total_cuts,
            "epoch": len(epochs),
            "progress": 1.0 if outcome == "finished" else min(told.progress, 0.99),
        }
    )
