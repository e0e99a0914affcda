"""What a person can do to runs from outside: submit, stop, put back into the queue, reorder it, delete."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from mimi_core.config import RunConfig
from mimi_core.errors import ResourceError, RunError
from mimi_core.runs import files, writing
from mimi_core.runs.branch import branch
from mimi_core.runs.queue.dispatcher import ensure_dispatcher, queue_locked, queued
from mimi_core.runs.status import ENDED, Status, worker_is_alive, write_status
from mimi_core.runs.store import Store

GRACE_SECONDS = 10.0
"""Between TERM and KILL."""
STARTING_SECONDS = 2.0
"""In which a worker that says that it starts has taken its run's lock."""


def submit(store: Store, config: RunConfig, *, owner: str = "") -> str:
    """Queue a run; it starts when a slot is free. Returns its id."""
    run_id = store.create(config, owner=owner)
    ensure_dispatcher(store.directory)
    return run_id


def branch_off(source: Store, run_id: str, cycle: int, sets: Sequence[str], target: Store, *, owner: str = "") -> str:
    """Queue a run that goes on from a cycle of another one, see `branch`. Returns its id."""
    new_id = branch(source, run_id, cycle, sets, target, owner=owner)
    ensure_dispatcher(target.directory)
    return new_id


def requeue(store: Store, run_id: str, *, wake: bool = True) -> None:
    """Queue a run that was stopped, failed or died; it goes on from its last safe state.

    Args:
        wake: see to it that there is a dispatcher; who queues many does that once, at the end.

    Raises:
        RunError: the run is finished, waiting, or being worked on.
    """
    with queue_locked(store.directory):
        folder = store.folder(run_id)
        made = folder.stat().st_mtime
        status = store.status(run_id) or Status(created=made, heartbeat=made)  # lost, as when the power failed
        phase = store.summary(run_id).phase  # events say sooner than the status that a run has finished
        if phase == "queued" and status.retry_at is not None:  # whoever asks need not wait for the end of its pause
            write_status(folder, status.model_copy(update={"retry_at": None}))
            return
        if phase not in ENDED:
            raise RunError(f"{run_id} is {phase}: there is nothing to resume")
        if phase == "finished":
            raise RunError(f"{run_id} is finished; start a new run to change something")
        writing.refuse_links(folder)
        writing.remove(folder, files.STOP)
        forgotten = {"message": "", "pid": None, "exit_code": None, "out_of_memory": False, "position": None}
        anew = {"from_queue": False, "deaths": 0, "retry_at": None, "resumes": status.resumes + 1}
        write_status(folder, status.model_copy(update={"phase": "queued", **forgotten, **anew}))
    if wake:
        ensure_dispatcher(store.directory)


def move(store: Store, run_id: str, place: int) -> None:
    """Give a waiting run the place `place` in the queue, counted from 0, the front. One write, whatever the place.

    Raises:
        RunError: the run does not wait, perhaps not any more.
    """
    with queue_locked(store.directory):
        order = queued(store)
        if run_id not in order:
            raise RunError(f"{run_id} is not waiting: only the queue can be reordered")
        order.remove(run_id)
        since = [store.summary(other).waits_since for other in order]
        earlier, later = since[:place][-1:], since[place:][:1]
        if not since:
            return
        if earlier and later:
            position = (earlier[0] + later[0]) / 2
        else:
            position = later[0] - 1 if later else time.time()
        write_status(store.folder(run_id), _status(store, run_id).model_copy(update={"position": position}))


def delete(store: Store, run_id: str) -> None:
    """Remove a run and all that it kept.

    Raises:
        RunError: somebody works on it.
    """
    with queue_locked(store.directory):
        store.delete(run_id)


def stop_after_cycle(store: Store, run_id: str) -> str:
    """Ask the worker to stop when the current cycle is done. A waiting run is taken out of the queue at once.

    Returns:
        which of these, in words that follow the run's id.
    """
    if _taken_out(store, run_id):
        return "was waiting: it is taken out of the queue"
    writing.write_text(store.folder(run_id), files.STOP, "after this cycle\n")
    return "stops at the end of its cycle"


def stop_requested(store: Store, run_id: str) -> bool:
    """Whether the worker has been asked to stop at the end of its cycle."""
    return (store.folder(run_id) / files.STOP).exists()


def stop_now(store: Store, run_id: str, grace_seconds: float = GRACE_SECONDS) -> str:
    """TERM, then KILL, then verify. Returns what it took, in words.

    Raises:
        RunError: the run is not running, runs on another host, or survives being killed.
    """
    try:
        if _taken_out(store, run_id):
            return "taken out of the queue"
    except ResourceError:  # a disk that became read-only must not keep anybody from stopping what works on it
        if _running(store, run_id).phase == "queued":
            raise
    status = _running(store, run_id)
    if status.host != os.uname().nodename:
        raise RunError(f"{run_id} runs on {status.host}; stop it there")
    if not _works_on(store.folder(run_id), status):
        _mark_abandoned(store, run_id, status)
        return "nothing works on it; it is stopped now"
    with contextlib.suppress(ResourceError):
        writing.write_text(store.folder(run_id), files.STOP, "now\n")  # so that the queue does not go on with it
    if _ends_within(status, signal.SIGTERM, grace_seconds):
        _mark_stopped(store, run_id, "while it was starting")
        return "stopped"
    if _ends_within(status, signal.SIGKILL, 5.0):
        _mark_stopped(store, run_id, f"killed: did not stop within {grace_seconds:g} s")
        return "killed"
    raise RunError(f"process {status.pid} of {run_id} does not end, even when killed; look at it with ps")


def _taken_out(store: Store, run_id: str) -> bool:
    """Take a waiting run out of the queue; False when it does not wait (any more).

    Raises:
        RunError: it has ended: there is nothing to stop.
    """
    with queue_locked(store.directory):
        status = _running(store, run_id)
        if status.phase == "queued":
            write_status(
                store.folder(run_id),
                status.model_copy(update={"phase": "stopped", "message": "taken out of the queue", "retry_at": None}),
            )
        return status.phase == "queued"


def _works_on(run: Path, status: Status) -> bool:
    """Whether the process that a status names has the run's lock or log open to write, as a worker has.

    A status may be a stranger's, and name any process of this user. A worker in the foreground opens the lock a moment
    after its status is there, so it is given some.

    Raises:
        RunError: it is another user's, and so cannot be looked at, nor stopped.
    """
    own = [str(run.resolve() / name) for name in (files.LOCK, files.LOG)]
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            opened = psutil.Process(status.pid).open_files()
        except psutil.NoSuchProcess:
            return True  # it ended meanwhile
        except psutil.AccessDenied as error:
            whose = f"{run.name} is worked on by process {status.pid}, as its status says, and that is another user's"
            raise RunError(f"{whose}; stop it as that user") from error
        if any(file.path in own and getattr(file, "mode", "") != "r" for file in opened):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def _ends_within(status: Status, what: signal.Signals, seconds: float) -> bool:
    """Send a signal to the worker, with its group when it leads one, and wait for it to be gone."""
    assert status.pid is not None
    try:
        leads_group = os.getpgid(status.pid) == status.pid and psutil.Process(status.pid).terminal() is None
        (os.killpg if leads_group else os.kill)(status.pid, what)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return True
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not worker_is_alive(status):
            return True
        time.sleep(0.05)
    return False


def _mark_abandoned(store: Store, run_id: str, status: Status) -> None:
    """For a run on which the process that its status names does not work.

    Raises:
        RunError: another one does: it has the lock.
    """
    try:
        with files.without_worker(store.folder(run_id)):
            _mark_stopped(store, run_id, f"process {status.pid}, which its status named, was no worker of it")
    except RunError as error:
        other = f"{run_id} is worked on, or looked at by fsck, but not by process {status.pid} as its status says"
        raise RunError(f"{other}; wait a moment and try again, or stop it where it was started") from error


def _mark_stopped(store: Store, run_id: str, message: str) -> None:
    """For a worker that is gone: say that it was stopped, unless it has said how it ended itself."""
    with contextlib.suppress(ResourceError), queue_locked(store.directory):
        status, folder = _status(store, run_id), store.folder(run_id)
        changes: dict[str, object] = {"from_queue": False, "retry_at": None}
        if status.phase not in ENDED:
            changes |= {"phase": "stopped", "message": message, "pid": None}
        write_status(folder, status.model_copy(update=changes))
        writing.remove(folder, files.STOP)


def _running(store: Store, run_id: str) -> Status:
    status = _status(store, run_id)
    if status.shown_phase in ENDED:
        raise RunError(f"{run_id} is not running ({status.shown_phase}): there is nothing to stop")
    return status


def _status(store: Store, run_id: str) -> Status:
    status = store.status(run_id)
    if status is None:
        raise RunError(f"{run_id}: its status file is missing or broken")
    return status
