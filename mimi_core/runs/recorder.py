"""The only writer of a run folder while a run is going on. Knows files, numpy arrays and events; no torch."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mimi_core.errors import MimiError, ResourceError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import Event, to_line
from mimi_core.runs.status import Status, identity, read_status, write_status

Arrays = Mapping[str, np.ndarray]
STATUS_PERIOD = 0.5
"""Seconds between two writes of the status."""
STATE_PERIOD = 2.0
"""Least seconds between two safe states, unless one is forced."""
_EVENTS_SIZE = "events_size"


class NoRecorder:
    """Drives a run that leaves nothing behind, as in a notebook: every call is accepted and forgotten."""

    run = Path("unrecorded")

    def update(self, **fields: Any) -> None: ...

    def stop_requested(self) -> bool:
        return False

    def save_adapters(self, cycle: int, tensors: Arrays, metadata: Mapping[str, Any]) -> None: ...

    def save_arrays(self, cycle: int, name: str, arrays: Arrays) -> None: ...

    def save_gallery(self, arrays: Arrays) -> None: ...

    def state_is_due(self, seconds: float = 0.0) -> bool:
        return False

    def save_state(self, tensors: Arrays, metadata: Mapping[str, Any]) -> None: ...

    def load_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        return None


class Recorder:
    """Context manager around one attempt at a run: takes the run's lock, keeps its status fresh, gives the lock back.

    Raises:
        RunError: another worker holds the run.
        ResourceError: the folder cannot be written, on entry or later.
    """

    def __init__(self, run: Path, on_update: Callable[[Status], None] | None = None) -> None:
        self.run = run
        self._on_update = on_update
        self._lock = FileLock(run / files.LOCK)
        status = read_status(run)
        now = time.time()
        self._status = status or Status(created=now, heartbeat=now)
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._failure: MimiError | None = None
        self._last_state = time.monotonic() - STATE_PERIOD
        self._process = psutil.Process()
        self._beat = threading.Thread(target=self._keep_beating, name="status", daemon=True)

    def __enter__(self) -> Self:
        with files.explained(self.run):
            try:
                self._lock.acquire(timeout=0)
            except Timeout as error:  # an OSError, too
                raise RunError(f"{self.run.name} is being worked on by another process; stop it first") from error
        for leftover in self.run.rglob(files.PARTIALS):  # of a worker that was killed
            leftover.unlink(missing_ok=True)
        claimed_for_me = (self._status.phase, self._status.pid) == ("starting", os.getpid())
        if not claimed_for_me:  # else a stop asked for since then is meant for this attempt
            (self.run / files.STOP).unlink(missing_ok=True)
        self.update(
            phase="starting",
            message="",
            **identity(os.getpid()),
            exit_code=None,
            out_of_memory=False,
        )
        self._write_status()
        self._beat.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._beat.join()
        try:
            self._write_status()
        finally:
            self._lock.release()

    # --- what happens -------------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Append one event; on disk before this returns."""
        self._raise_failure()
        path = self.run / files.EVENTS
        with files.explained(path):
            line = to_line(event)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(28, "No space left on device")
            finally:
                os.close(handle)

    def update(self, **fields: Any) -> None:
        """Change the status in memory; a thread writes it. Raises what that thread met."""
        self._raise_failure()
        with self._guard:
            self._status = self._status.model_copy(update=fields)
        if self._on_update is not None:
            self._on_update(self._status)

    @property
    def status(self) -> Status:
        return self._status

    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop at the end of the cycle."""
        return (self.run / files.STOP).exists()

    # --- cycles -------------------------------------------------------------------------------------------------

    def save_adapters(self, cycle: int, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
        folder = self._cycle(cycle)
        with files.replaced(folder / "adapters.safetensors") as partial:
            partial.write_bytes(save(dict(tensors), metadata={k: json.dumps(v) for k, v in metadata.items()}))

    def save_arrays(self, cycle: int, name: str, arrays: Arrays) -> None:
        """`name` is "scores", "end_scores" or "predictions"."""
        self._save_npz(self._cycle(cycle) / f"{name}.npz", arrays)

    def save_gallery(self, arrays: Arrays) -> None:
        self._save_npz(self.run / files.GALLERY, arrays)

    def _cycle(self, cycle: int) -> Path:
        folder = files.cycle_folder(self.run, cycle)
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    @staticmethod
    def _save_npz(path: Path, arrays: Arrays) -> None:
        with files.replaced(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **dict(arrays))

    # --- safe states --------------------------------------------------------------------------------------------

    def state_is_due(self, seconds: float = STATE_PERIOD) -> bool:
        """Whether the last one was kept so long ago."""
        return time.monotonic() - self._last_state >= seconds

    def save_state(self, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
        """Keep a state to resume from, together with how long the event file is now. The one before it stays too."""
        write_state(self.run, tensors, metadata)
        self._last_state = time.monotonic()

    def load_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The last safe state, or None when there is none: the newest that is whole. Events after it are cut off."""
        for name in ("newest", "previous"):
            try:
                with safe_open(self.run / files.RESUME / f"{name}.safetensors", framework="numpy") as file:
                    metadata = json.loads((file.metadata() or {})["state"])
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
            except (OSError, SafetensorError, KeyError, ValueError):
                continue
            self._rewind(int(metadata.pop(_EVENTS_SIZE)))
            return tensors, metadata
        self._rewind(0)
        return None

    def _rewind(self, size: int) -> None:
        """What happened after the safe state will happen again: drop it, so that nothing is told twice."""
        path = self.run / files.EVENTS
        if path.exists():
            with files.explained(path):
                os.truncate(path, min(size, path.stat().st_size))

    def forget_state(self) -> None:
        """A finished run needs no way back."""
        shutil.rmtree(self.run / files.RESUME, ignore_errors=True)

    # --- status -------------------------------------------------------------------------------------------------

    def _keep_beating(self) -> None:
        while not self._closing.wait(STATUS_PERIOD):
            try:
                self._write_status()
            except ResourceError as error:
                self._failure = error
                return

    def _write_status(self) -> None:
        with self._guard:
            self._status = self._status.model_copy(
                update={"heartbeat": time.time(), "memory_bytes": self._process.memory_info().rss}
            )
            write_status(self.run, self._status)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def write_state(run: Path, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
    """A safe state in a run folder, which holds for the events that are there now."""
    folder, events = run / files.RESUME, run / files.EVENTS
    with files.explained(folder):
        folder.mkdir(exist_ok=True)
        size = events.stat().st_size if events.exists() else 0
        newest = folder / "newest.safetensors"
        with files.replaced(newest) as partial:
            # Not safetensors' save_file: with that a full disk is no OSError.
            content = save(dict(tensors), metadata={"state": json.dumps({**metadata, _EVENTS_SIZE: size})})
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if newest.exists():
                os.replace(newest, folder / "previous.safetensors")


AnyRecorder = Recorder | NoRecorder
