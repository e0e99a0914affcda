"""Where a run is now: `status.json`, replaced atomically about every half second while its worker lives."""

import socket
import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mimi_core.errors import DiskFullError
from mimi_core.reading import read_regular
from mimi_core.runs import files, writing
from mimi_core.runs.plausible import LARGEST_COUNT, LATEST

Phase = Literal["queued", "starting", "loading", "training", "scoring", "evaluating", "finished", "stopped", "failed"]
ShownPhase = Phase | Literal["died", "broken"]
FAILED: tuple[ShownPhase, ...] = ("failed", "died", "broken")
"""Ended otherwise than the run or a person meant it to."""
ENDED: tuple[ShownPhase, ...] = ("finished", "stopped", *FAILED)
WITH_PROGRESS: tuple[ShownPhase, ...] = ("training", "scoring", "evaluating")
"""The model is there, and so is an idea of how long it goes on."""
WITH_A_MESSAGE: tuple[ShownPhase, ...] = ("failed", "broken")
"""Whose message says why; a worker that died left none."""
WITHOUT_WORKER: tuple[ShownPhase, ...] = (*ENDED, "queued")
"""Nothing goes on in the run now."""
LARGEST = 100_000
"""Bytes of a status file; one has about 500."""
FOREIGN_HEARTBEAT_LIMIT = 60.0
"""Seconds of silence after which a worker on another host counts as dead."""


_Moment = Annotated[float, Field(ge=0, le=LATEST)]
_Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]


class Status(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    phase: Phase = "queued"
    message: str = ""
    created: _Moment
    heartbeat: _Moment
    owner: str = ""
    """Who had it queued: the address that a person signed in with. Empty where nobody has to sign in."""
    cycle: _Count = 0
    cycles: _Count = 0
    """K, the number of cuts."""
    epoch: _Count = 0
    epochs: _Count = 0
    progress: float = 0.0
    """Of the whole run, 0..1."""
    eta_seconds: float | None = None
    """None as long as it cannot be told."""
    began: float | None = None
    """When its clock started, moved back by what earlier attempts took: the time since then is what the run took so
    far, as its end will say. None until data and backbone are loaded."""
    images_per_second: float | None = None
    memory_bytes: _Count | None = None
    gpu_memory_bytes: _Count | None = None
    device: str = ""
    pid: int | None = None
    pid_started: float | None = None
    """By the clock, as it was set then. Only told by statuses that have no `pid_ticks`."""
    pid_ticks: int | None = None
    """When the process started, in clock ticks since the machine did: no step of the clock changes that."""
    boot: str = ""
    """Id of the system's start since which `pid_ticks` count."""
    host: str = ""
    resumes: int = 0
    position: float | None = None
    """In the queue: it waits as if it had been created at this time. None: nobody moved it."""
    exit_code: int | None = None
    """Of a worker that ended without a word, negative for a signal. Only the dispatcher can know it."""
    out_of_memory: bool = False
    """While that worker was there, the system killed a process beside or in it because memory ran out."""
    from_queue: bool = False
    """The queue started it, and sees to it that it goes on where its worker dies. Not what a person does or stopped."""
    deaths: int = 0
    """Of its workers in the queue, since a person put it there."""
    retry_at: float | None = None
    """When it goes on by itself after a death, in seconds since 1970; it is queued until then."""

    @property
    def shown_phase(self) -> ShownPhase:
        """The phase, or "died" when a worker should be there and is not."""
        return self.phase if self.phase in ENDED or self.phase == "queued" or worker_is_alive(self) else "died"

    @property
    def is_orphan(self) -> bool:
        """Whether it is for the queue of this machine to see how it goes on: its worker died, or was told to end while
        the system went down."""
        if not self.from_queue or self.host != socket.gethostname():
            return False
        return self.shown_phase == "died" or (self.phase == "stopped" and self.boot != boot_id())


def worker_is_alive(status: Status) -> bool:
    """Told by process id and when it started, because ids are reused, and not by the clock, which can be set anew while
    the worker works. On another host by the heartbeat; one that lies far in the future is no sign of life."""
    if status.pid is None or status.pid <= 0:
        return False
    if status.host != socket.gethostname():
        return abs(time.time() - status.heartbeat) < FOREIGN_HEARTBEAT_LIMIT
    if status.boot and status.boot != boot_id():
        return False
    try:
        process = psutil.Process(status.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if status.pid_ticks is not None:
            return start_ticks(status.pid) == status.pid_ticks
        return status.pid_started is None or abs(process.create_time() - status.pid_started) < 1.0
    except (psutil.Error, OverflowError):
        return False


def claimed(status: Status, pid: int, *, by_queue: bool = False) -> Status:
    """The status of a run that process `pid` is about to work on."""
    changes = {"phase": "starting", "from_queue": by_queue, "retry_at": None}
    return status.model_copy(update={**changes, **identity(pid)})


def identity(pid: int) -> dict[str, Any]:
    """The fields of a status that tell a process from all others, also from those that get its id later."""
    return {
        "pid": pid,
        "pid_started": psutil.Process(pid).create_time(),
        "pid_ticks": start_ticks(pid),
        "boot": boot_id(),
        "host": socket.gethostname(),
    }


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since the system did. None where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return int(stat.rpartition(b")")[2].split()[19])  # field 22; the name before it may hold anything


@cache
def boot_id() -> str:
    """The same until the system starts anew; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def read_status(run: Path) -> Status | None:
    """None when the file is missing or broken."""
    try:
        return Status.model_validate_json(read_regular(run / files.STATUS, LARGEST))
    except (OSError, ValidationError):
        return None


def write_status(run: Path, status: Status) -> None:
    """On a full disk into the place of the one that is there, so that it can always be told how a run ended.

    Raises:
        ResourceError: it cannot be written even so.
    """
    text = status.model_dump_json()
    try:
        writing.write_text(run, files.STATUS, text)
    except DiskFullError:
        if not (run / files.STATUS).exists() or not writing.overwritten(run, files.STATUS, text.encode()):
            raise
