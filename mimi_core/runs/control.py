"""What a person can do to a run from outside: submit, stop, put back into the queue."""

import os
import signal
import time

import psutil

from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs import files
from mimi_core.runs.dispatcher import ensure_dispatcher
from mimi_core.runs.status import ENDED, Status, worker_is_alive, write_status
from mimi_core.runs.store import Store

GRACE_SECONDS = 10.0
"""Between TERM and KILL."""


def submit(store: Store, config: RunConfig) -> str:
    """Queue a run; it starts when a slot is free. Returns its id."""
    run_id = store.create(config)
    ensure_dispatcher(store.directory)
    return run_id


def requeue(store: Store, run_id: str) -> None:
    """Queue a run that was stopped, failed or died; it goes on from its last safe state.

    Raises:
        RunError: the run is finished, waiting, or being worked on.
    """
    status = _status(store, run_id)
    phase = status.shown_phase
    if phase not in ENDED:
        raise RunError(f"{run_id} is {phase}: there is nothing to resume")
    if phase == "finished":
        raise RunError(f"{run_id} is finished; start a new run to change something")
    changes = {"phase": "queued", "message": "", "pid": None, "resumes": status.resumes + 1}
    write_status(store.folder(run_id), status.model_copy(update=changes))
    ensure_dispatcher(store.directory)


def stop_after_cycle(store: Store, run_id: str) -> None:
    """Ask the worker to stop when the current cycle is done. A waiting run is taken out of the queue at once."""
    status = _running(store, run_id)
    if status.phase == "queued":
        _mark_stopped(store, run_id, status, "taken out of the queue")
    else:
        files.write_text(store.folder(run_id) / files.STOP, "after this cycle\n")


def stop_requested(store: Store, run_id: str) -> bool:
    """Whether the worker has been asked to stop at the end of its cycle."""
    return (store.folder(run_id) / files.STOP).exists()


def stop_now(store: Store, run_id: str, grace_seconds: float = GRACE_SECONDS) -> str:
    """TERM, then KILL, then verify. Returns what it took, in words.

    Raises:
        RunError: the run is not running, runs on another host, or survives being killed.
    """
    status = _running(store, run_id)
    if status.phase == "queued":
        _mark_stopped(store, run_id, status, "taken out of the queue")
        return "taken out of the queue"
    if status.host != os.uname().nodename:
        raise RunError(f"{run_id} runs on {status.host}; stop it there")
    if _ends_within(status, signal.SIGTERM, grace_seconds):
        return "stopped"
    if _ends_within(status, signal.SIGKILL, 5.0):
        _mark_stopped(store, run_id, status, f"killed: did not stop within {grace_seconds:g} s")
        return "killed"
    raise RunError(f"process {status.pid} of {run_id} does not end, even when killed; look at it with ps")


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


def _mark_stopped(store: Store, run_id: str, status: Status, message: str) -> None:
    write_status(store.folder(run_id), status.model_copy(update={"phase": "stopped", "message": message, "pid": None}))


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
