"""The only writer of a run folder while a run is going on. Knows files, numpy arrays and events; no torch."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from filelock import FileLock, Timeout

from mimi_core.errors import MimiError
from mimi_core.runs import files, writing
from mimi_core.runs.events import Event, to_line, whole_until
from mimi_core.runs.formats import answers, cycle_weights, npz, safe_state
from mimi_core.runs.status import Phase, Status, identity, read_status, write_status

_log = logging.getLogger("mimi")
Arrays = Mapping[str, np.ndarray]
STATUS_PERIOD = 0.5
"""Seconds between two writes of the status."""
STATE_PERIOD = 2.0
"""Least seconds between two safe states, unless one is forced."""
PATIENCE = 1.0
"""Seconds to wait for a run's lock."""
PATIENCE_OF_THE_QUEUE = 600.0
"""The same for a worker that the queue started because nobody worked on the run: then it is `fsck` that looks at it."""


class NoRecorder:
    """Drives a run that leaves nothing behind, as in a notebook: every call is accepted and forgotten."""

    run = Path("unrecorded")

    def update(self, **fields: Any) -> None: ...

    def stop_requested(self) -> bool:
        return False

    def save_adapters(self, cycle: int, tensors: Arrays, metadata: Mapping[str, Any]) -> None: ...

    def save_arrays(self, cycle: int, name: str, arrays: Arrays) -> None: ...

    def save_gallery(self, arrays: Arrays) -> None: ...

    def save_test_images(self, arrays: Arrays) -> None: ...

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
        self._claimed_for_me = (self._status.phase, self._status.pid) == ("starting", os.getpid())
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._failure: MimiError | None = None
        self._last_state = time.monotonic() - STATE_PERIOD
        self._process = psutil.Process()
        self._beat = threading.Thread(target=self._keep_beating, name="status", daemon=True)

    def __enter__(self) -> Self:
        writing.refuse_links(self.run)
        with files.explained(self.run):
            try:
                by_queue = self._claimed_for_me and self._status.from_queue
                self._lock.acquire(timeout=PATIENCE_OF_THE_QUEUE if by_queue else PATIENCE)
            except Timeout as error:  # an OSError, too
                raise files.worked_on(self.run) from error
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _begin(self) -> None:
        writing.remove_partials(self.run)
        if not self._claimed_for_me:  # else a stop asked for since then is meant for this attempt
            writing.remove(self.run, files.STOP)
        self.update(
            phase="starting",
            message="",
            **identity(os.getpid()),
            exit_code=None,
            out_of_memory=False,
            eta_seconds=None,
            began=None,
            **({} if self._claimed_for_me else {"from_queue": False, "retry_at": None}),
        )
        self._write_status()
        self._beat.start()

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._beat.join()
        try:
            self._write_status()
        except MimiError as error:
            if exc[0] is None:
                raise
            _log.error("how it ended could not be kept: %s", error)  # and what ended it is on its way to be told
        finally:
            self._lock.release()

    # --- what happens -------------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Append one event; on disk before this returns."""
        self._raise_failure()
        writing.append(self.run, files.EVENTS, to_line(event))

    def update(self, **fields: Any) -> None:
        """Change the status in memory; a thread writes it. Raises what that thread met."""
        self._raise_failure()
        with self._guard:
            self._status = self._status.model_copy(update=fields)
        if self._on_update is not None:
            self._on_update(self._status)

    def end(self, phase: Phase, message: str) -> None:
        """How it ended, for the last status. Raises nothing: whatever ended it is to be told."""
        with self._guard:
            self._status = self._status.model_copy(update={"phase": phase, "message": message})

    @property
    def status(self) -> Status:
        return self._status

    def stop_requested(self) -> bool:
        """Whether somebody asked for a stop at the end of the cycle."""
        return (self.run / files.STOP).exists()

    # --- cycles -------------------------------------------------------------------------------------------------

    def save_adapters(self, cycle: int, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
        writing.make_folder(self.run, files.in_cycle(cycle))
        cycle_weights.write(self.run, cycle, tensors, metadata)

    def save_arrays(self, cycle: int, name: str, arrays: Arrays) -> None:
        """`name` is that of a file in `formats`, without its ending."""
        writing.make_folder(self.run, files.in_cycle(cycle))
        npz.write(self.run, files.in_cycle(cycle, f"{name}.npz"), arrays)

    def save_gallery(self, arrays: Arrays) -> None:
        npz.write(self.run, files.GALLERY, arrays)

    def save_test_images(self, arrays: Arrays) -> None:
        npz.write(self.run, answers.IMAGES, arrays)

    # --- safe states --------------------------------------------------------------------------------------------

    def state_is_due(self, seconds: float = STATE_PERIOD) -> bool:
        """Whether the last one was kept so long ago."""
        return time.monotonic() - self._last_state >= seconds

    def save_state(self, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
        """Keep a state to resume from, together with how long the event file is now. The one before it stays too."""
        safe_state.write(self.run, tensors, metadata)
        self._last_state = time.monotonic()

    def load_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The last safe state, or None when there is none: the newest that is whole. Events after it are cut off."""
        for state, events_size in safe_state.candidates(self.run):
            if whole_until(self.run / files.EVENTS, events_size):
                self._rewind(events_size)
                return state
            _log.warning("events before a safe state were lost, as when the power failed: that state is not used")
        if (self.run / files.RESUME).is_dir():
            _log.warning("no safe state can be used: the run starts over")
        self._rewind(0)
        return None

    def _rewind(self, size: int) -> None:
        """What happened after the safe state will happen again: drop it, so that nothing is told twice."""
        writing.shorten(self.run, files.EVENTS, size)

    def forget_state(self) -> None:
        """A finished run needs no way back."""
        writing.remove_folder(self.run, files.RESUME)

    def tidy_finished(self) -> None:
        """Of a run that was killed after its last word: its status says so too, and its way back goes."""
        self.forget_state()
        with self._guard:
            self._status = self._status.model_copy(update={"phase": "finished", "message": "", "progress": 1.0})

    # --- status -------------------------------------------------------------------------------------------------

    def _keep_beating(self) -> None:
        while not self._closing.wait(STATUS_PERIOD):
            try:
                self._write_status()
            except MimiError as error:
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


AnyRecorder = Recorder | NoRecorder
