"""Starts queued runs when a slot is free. A singleton without any state of its own."""

import contextlib
import fcntl
import logging
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from mimi_core.errors import DiskFullError, MimiError, ResourceError
from mimi_core.runs import files, writing
from mimi_core.runs.program import IMPORT_ROOT, PROGRAM, environment
from mimi_core.runs.queue.memory import is_more, oom_kills
from mimi_core.runs.queue.retries import after_death, allowed, is_due
from mimi_core.runs.queue.slots import Slot, free_slot, slots, worker_environment
from mimi_core.runs.status import ENDED, claimed, read_status, write_status
from mimi_core.runs.store import Store

POLL_SECONDS = 0.3
IDLE_SECONDS = 10.0
"""With nothing queued and nothing running for so long the dispatcher goes home; the next submit starts another."""
QUEUE_PATIENCE = 10.0
ORPHANS_SECONDS = 5.0
"""Between two looks for runs of the queue whose worker is gone, as after the machine went down."""
_FOLDER = ".dispatcher"
_log = logging.getLogger(__name__)


class _Worker(NamedTuple):
    process: "subprocess.Popen[bytes]"
    run: Path
    oom_kills: int | None
    """Of the system, when it started."""


def dispatch(directory: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Work through the queue of a store until it has been empty for `idle_seconds`. Returns at once if another does.

    Raises:
        ConfigError: MIMI_SLOTS or MIMI_RETRIES says what cannot be used.
        ResourceError: the folder cannot be written.
    """
    store, home = Store(directory), directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lock")
    with files.explained(home):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
    workers: list[_Worker] = []
    hopeless: set[str] = set()
    choices, retries = slots(), allowed()
    try:
        idle_since, looked = time.monotonic(), -ORPHANS_SECONDS
        while time.monotonic() - idle_since < idle_seconds:
            workers = _still_there(store, workers, retries)
            if time.monotonic() - looked >= ORPHANS_SECONDS:
                _see_to_orphans(store, retries)
                looked = time.monotonic()
            slot = free_slot(home, choices)
            if workers or slot is None:  # without a slot there is no need to look at the queue
                idle_since = time.monotonic()
            waiting = [run_id for run_id in queued(store) if run_id not in hopeless] if slot else []
            if waiting:
                idle_since = time.monotonic()
            waiting = [run_id for run_id in waiting if _is_due(store, run_id)]
            if slot is not None and not waiting:
                os.close(slot[0])
            elif slot is not None:
                try:
                    workers += _start(store, waiting[0], *slot)
                except (MimiError, OSError) as error:  # one folder that cannot be used must not hold up the others
                    _log.warning("%s cannot be started: %s", waiting[0], error)
                    hopeless.add(waiting[0])
                continue
            time.sleep(POLL_SECONDS)
    finally:
        lock.release()


@contextlib.contextmanager
def queue_locked(directory: Path) -> Iterator[None]:
    """Hold the queue still: between reading a waiting run's status and writing it nobody else may start or change it.

    Where there is no lock yet and the disk has no room for one, nobody else can hold it either: so runs can be stopped
    and deleted on a full disk.

    Raises:
        ResourceError: it cannot be had for seconds, or the folder cannot be written.
    """
    home = directory / _FOLDER
    lock = FileLock(home / "queue.lock")
    try:
        with files.explained(home):
            home.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=QUEUE_PATIENCE)
            except Timeout as error:  # an OSError, too
                raise ResourceError(f"the queue of {directory} is busy; try again") from error
    except DiskFullError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def ensure_dispatcher(directory: Path) -> None:
    """Start a dispatcher in a session of its own, so that it outlives the caller; harmless when one is there.

    Raises:
        ConfigError: MIMI_SLOTS or MIMI_RETRIES says what no dispatcher could use.
        ResourceError: the folder cannot be written.
    """
    slots(), allowed()
    home = directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
        with writing.extended(home, "log.txt") as log:
            subprocess.Popen(
                [*PROGRAM, "dispatch", str(directory.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
                cwd=IMPORT_ROOT,
            )


def wake(store: Store) -> bool:
    """Start a dispatcher where none is there and runs wait or have lost their worker, as after it was killed or the
    machine went down. For whoever looks at a queue.

    Returns:
        whether it had to. A store that cannot be written is left alone.
    """
    if not any(run.phase == "queued" or run.is_orphan for run in store.list()) or _dispatcher_is_there(store.directory):
        return False
    with contextlib.suppress(MimiError):
        ensure_dispatcher(store.directory)
        return True
    return False


def _dispatcher_is_there(directory: Path) -> bool:
    try:
        handle = os.open(directory / _FOLDER / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def queued(store: Store) -> list[str]:
    """Ids of the waiting runs, the one to start first in front."""
    waiting = [run for run in store.list() if run.phase == "queued"]
    return [run.id for run in sorted(waiting, key=lambda run: (run.waits_since, run.created, run.id))]


def _start(store: Store, run_id: str, handle: int, slot: Slot) -> list[_Worker]:
    """A worker for a waiting run; none when it does not wait any more. The slot is the worker's, or free again."""
    try:
        with queue_locked(store.directory):
            run = store.folder(run_id)
            status = read_status(run)
            if status is None or status.phase != "queued":
                return []
            with writing.extended(run, files.LOG) as log:
                process = subprocess.Popen(
                    [*PROGRAM, "work", str(run.resolve())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(handle,),
                    env=worker_environment(slot.gpu),
                    cwd=IMPORT_ROOT,
                )
            # From here on a worker that dies before it says a word shows as "died", and is not started for ever.
            try:
                write_status(run, claimed(status, process.pid, by_queue=True))
            except ResourceError:
                process.kill()
                process.wait()
                raise
            return [_Worker(process, run, oom_kills())]
    finally:
        os.close(handle)


def _is_due(store: Store, run_id: str) -> bool:
    status = store.status(run_id)
    return status is None or is_due(status)


def _still_there(store: Store, workers: list[_Worker], retries: int) -> list[_Worker]:
    """Those that work; of the others it is written down how they ended, if they did not say so themselves, and whether
    they go on. What cannot be written now, as on a full disk, is tried again."""
    return [worker for worker in workers if worker.process.poll() is None or not _told(store, worker, retries)]


def _told(store: Store, worker: _Worker, retries: int) -> bool:
    status, before, now = read_status(worker.run), worker.oom_kills, oom_kills()
    if status is None or status.pid != worker.process.pid:
        return True
    told = {"exit_code": worker.process.returncode, "out_of_memory": is_more(before, now)}
    try:
        with queue_locked(store.directory):
            status = read_status(worker.run)
            if status is None or status.pid != worker.process.pid:
                return True
            if status.phase == "stopped" and status.from_queue:  # told to end, and the system has not gone down
                write_status(worker.run, status.model_copy(update={"from_queue": False}))
            elif status.phase not in ENDED:
                write_status(worker.run, status.model_copy(update=told))
                _see_to(store, worker.run.name, retries)
    except MimiError as error:
        _log.warning("%s", error)
        return not isinstance(error, ResourceError) or not worker.run.is_dir()
    return True


def _see_to_orphans(store: Store, retries: int) -> None:
    for run in store.list():
        if run.is_orphan:
            try:
                with queue_locked(store.directory):
                    _see_to(store, run.id, retries)
            except (MimiError, OSError) as error:
                _log.warning("%s cannot be seen to: %s", run.id, error)


def _see_to(store: Store, run_id: str, retries: int) -> None:
    """With the queue locked: have a run whose worker is gone wait for its retry, or leave it to a person."""
    folder = store.folder(run_id)
    status = read_status(folder)
    if status is None or not status.is_orphan:
        return
    with files.without_worker(folder):
        if store.summary(run_id).phase == "finished":  # killed after its last word
            write_status(folder, status.model_copy(update={"phase": "finished", "progress": 1.0, "from_queue": False}))
            writing.remove_folder(folder, files.RESUME)
            return
        write_status(folder, after_death(status, retries, (folder / files.STOP).exists()))
