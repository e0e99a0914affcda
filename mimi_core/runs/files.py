"""Names inside a run folder, who works in it, and writing outside of one that leaves nothing half-written."""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from mimi_core.errors import DiskFullError, ResourceError, RunError

CONFIG = "config.yaml"
EVENTS = "events.jsonl"
STATUS = "status.json"
LOG = "log.txt"
LOCK = "worker.lock"
STOP = "stop"
RESUME = "resume"
GALLERY = "gallery.npz"
CYCLES = "cycles"
PARTIALS = ".*.partial"
"""Pattern of files that are still being written."""


def cycle_folder(run: Path, cycle: int) -> Path:
    return run / CYCLES / str(cycle)


def in_cycle(cycle: int, name: str = "") -> str:
    """A file of a cycle, or its folder, relative to the run folder."""
    return f"{CYCLES}/{cycle}/{name}"


def partial_name(name: str) -> str:
    """What a file is called while it is being written. Nobody can guess it and put something in its place."""
    return f".{name}.{secrets.token_hex(4)}.partial"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError while writing `path` into a ResourceError, or DiskFullError, that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "the disk is full: free some space, then try again; a run that has begun can be resumed"
            raise DiskFullError(f"cannot write {path}: {advice}") from error
        if error.errno == errno.EFBIG:
            advice = "the system allows no larger file (ulimit -f): raise that limit, then try again"
            raise DiskFullError(f"cannot write {path}: {advice}") from error
        if error.errno == errno.EROFS:
            advice = "the disk is read-only: choose a folder on another"
        elif error.errno in (errno.EACCES, errno.EPERM):
            advice = "the folder cannot be written: change its permissions or choose another"
        else:
            advice = os.strerror(error.errno) if error.errno else str(error)
        raise ResourceError(f"cannot write {path}: {advice}") from error


@contextlib.contextmanager
def without_worker(run: Path) -> Iterator[None]:
    """Hold the lock that a worker would need, whatever the status says of one.

    Nothing is created: what there is to be deleted may lie on a disk that is full.

    Raises:
        RunError: somebody works on the run.
    """
    try:
        handle = os.open(run / LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # no lock: nobody ever worked on it
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise worked_on(run) from error
    finally:
        os.close(handle)


def worked_on(run: Path) -> RunError:
    """Somebody else holds a run's lock: its worker, or `fsck`, which cannot be stopped as one."""
    told = "is being worked on, whatever its status says; stop it first, or wait where fsck looks at it"
    return RunError(f"{run.name} {told}")


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Write to the path given; on success it takes the place of `path` in one step, on failure it is removed."""
    partial = path.with_name(partial_name(path.name))
    try:
        with explained(path):
            yield partial
            os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):  # as on a disk that is read-only: why it cannot be written is told already
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replaced(path) as partial:
        partial.write_text(text, encoding="utf-8")
