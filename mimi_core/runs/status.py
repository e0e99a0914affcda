"""Where a run is now: `status.json`, replaced atomically about every half second while its worker lives."""

import socket
import time
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from mimi_core.runs import files

Phase = Literal["queued", "starting", "loading", "training", "scoring", "evaluating", "finished", "stopped", "failed"]
ShownPhase = Phase | Literal["died", "broken"]
ENDED: tuple[ShownPhase, ...] = ("finished", "stopped", "failed", "died", "broken")
FOREIGN_HEARTBEAT_LIMIT = 60.0
"""Seconds of silence after which a worker on another host counts as dead."""


class Status(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    phase: Phase = "queued"
    message: str = ""
    created: float
    heartbeat: float
    cycle: int = 0
    cycles: int = 0
    """K, the number of cuts."""
    epoch: int = 0
    epochs: int = 0
    progress: float = 0.0
    """Of the whole run, 0..1."""
    eta_seconds: float | None = None
    images_per_second: float | None = None
    memory_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    device: str = ""
    pid: int | None = None
    pid_started: float | None = None
    host: str = ""
    resumes: int = 0
    position: float | None = None
    """In the queue: it waits as if it had been created at this time. None: nobody moved it."""
    exit_code: int | None = None
    """Of a worker that ended without a word, negative for a signal. Only the dispatcher can know it."""
    out_of_memory: bool = False
    """While that worker was there, the system killed a process beside or in it because memory ran out."""

    @property
    def shown_phase(self) -> ShownPhase:
        """The phase, or "died" when a worker should be there and is not."""
        return self.phase if self.phase in ENDED or self.phase == "queued" or worker_is_alive(self) else "died"


def worker_is_alive(status: Status) -> bool:
    """Told by process id and start time, because ids are reused; on another host by the heartbeat."""
    if status.pid is None:
        return False
    if status.host != socket.gethostname():
        return time.time() - status.heartbeat < FOREIGN_HEARTBEAT_LIMIT
    try:
        process = psutil.Process(status.pid)
        same = status.pid_started is None or abs(process.create_time() - status.pid_started) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def claimed(status: Status, pid: int) -> Status:
    """The status of a run that process `pid` is about to work on."""
    started = psutil.Process(pid).create_time()
    return status.model_copy(
        update={"phase": "starting", "pid": pid, "pid_started": started, "host": socket.gethostname()}
    )


def read_status(run: Path) -> Status | None:
    """None when the file is missing or broken."""
    try:
        return Status.model_validate_json((run / files.STATUS).read_bytes())
    except (OSError, ValidationError):
        return None


def write_status(run: Path, status: Status) -> None:
    files.write_text(run / files.STATUS, status.model_dump_json())
