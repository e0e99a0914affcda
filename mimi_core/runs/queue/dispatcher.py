"""Starts queued runs when a slot is free. A singleton without any state of its own."""

import contextlib
import fcntl
import logging
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from mimi_core.errors import MimiError, ResourceError
from mimi_core.runs import files
from mimi_core.runs.program import IMPORT_ROOT, PROGRAM, environment
from mimi_core.runs.queue.slots import Slot, free_slot, slots, worker_environment
from mimi_core.runs.status import ENDED, claimed, read_status, write_status
from mimi_core.runs.store import Store

POLL_SECONDS = 0.3
IDLE_SECONDS = 10.0
"""With nothing queued and nothing running for so long the dispatcher goes home; the next submit starts another."""
QUEUE_PATIENCE = 10.0
_FOLDER = ".dispatcher"
_log = logging.getLogger(__name__)


class _Worker(NamedTuple):
    process: "subprocess.Popen[bytes]"
    run: Path
    oom_kills: int | None
    """Of the system, when it started."""


def dispatch(directory: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Work through the queue of a store until it has been empty for `idle_seconds`. Returns at once if another does."""
    store, home = Store(directory), directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    workers: list[_Worker] = []
    hopeless: set[str] = set()
    choices = slots()
    try:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < idle_seconds:
            workers = _still_there(directory, workers)
            slot = free_slot(home, choices)
            if workers or slot is None:  # without a slot there is no need to look at the queue
                idle_since = time.monotonic()
            waiting = [run_id for run_id in queued(store) if run_id not in hopeless] if slot else []
            if slot is not None and not waiting:
                os.close(slot[0])
            elif slot is not None:
                idle_since = time.monotonic()
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

    Raises:
        ResourceError: it cannot be had for seconds, or the folder cannot be written.
    """
    home = directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "queue.lock")
    try:
        with files.explained(home):
            lock.acquire(timeout=QUEUE_PATIENCE)
    except Timeout as error:
        raise ResourceError(f"the queue of {directory} is busy; try again") from error
    try:
        yield
    finally:
        lock.release()


def ensure_dispatcher(directory: Path) -> None:
    """Start a dispatcher in a session of its own, so that it outlives the caller; harmless when one is there.

    Raises:
        ConfigError: MIMI_SLOTS says what no dispatcher could use.
        ResourceError: the folder cannot be written.
    """
    slots()
    home = directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
        with (home / "log.txt").open("ab") as log:
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
    """Start a dispatcher where runs wait and none is there, as after it was killed. For whoever looks at a queue.

    Returns:
        whether it had to. A store that cannot be written is left alone.
    """
    if not any(run.phase == "queued" for run in store.list()) or _dispatcher_is_there(store.directory):
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
            with files.explained(run), (run / files.LOG).open("ab") as log:
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
            write_status(run, claimed(status, process.pid))
            return [_Worker(process, run, oom_kills())]
    finally:
        os.close(handle)


def _still_there(directory: Path, workers: list[_Worker]) -> list[_Worker]:
    """Those that work; of the others it is written down how they ended, if they did not say so themselves."""
    for worker in workers:
        code = worker.process.poll()  # this also reaps
        if code is not None:
            try:
                with queue_locked(directory):
                    _tell_exit(worker, code)
            except MimiError as error:
                _log.warning("%s", error)
    return [worker for worker in workers if worker.process.returncode is None]


def _tell_exit(worker: _Worker, code: int) -> None:
    status = read_status(worker.run)
    if status is None or status.pid != worker.process.pid or status.phase in ENDED:
        return
    before, now = worker.oom_kills, oom_kills()
    starved = before is not None and now is not None and now > before
    write_status(worker.run, status.model_copy(update={"exit_code": code, "out_of_memory": starved}))


def oom_kills() -> int | None:
    """How often the system has killed for lack of memory, in this container where it has its own count; or None."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        with contextlib.suppress(OSError):
            match = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE)
            if match:
                return int(match[1])
    return None
