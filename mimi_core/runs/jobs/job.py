"""Work that needs torch: `python -m mimi_core` in processes of its own. The app starts them, looks, and never waits.

A job has a temporary folder for what it reads and writes. It is kept for a while after its end, under a key that says
all that its answer depends on, so that nothing is asked twice.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import ValidationError

from mimi_core.errors import ResourceError
from mimi_core.runs.describe import describe_exit
from mimi_core.runs.formats.gallery import Prediction
from mimi_core.runs.jobs.check_report import STAGE
from mimi_core.runs.program import IMPORT_ROOT, PROGRAM
from mimi_core.runs.queue.memory import is_more, oom_kills
from mimi_core.runs.queue.slots import worker_environment

MOST_RUNNING, MOST_KEPT = 2, 24
_MOST_OUTPUT = 32 * 2**20
State = Literal["running", "done", "failed", "cancelled", "too long"]


class Job:
    """One process. Its state is looked up whenever somebody asks; nothing watches it in between.

    It ends with this object at the latest, and with it all that it started; and its folder is gone then.
    """

    def __init__(
        self, folder: "TemporaryDirectory[str]", command: Sequence[str], timeout: float, gpu: str | None = None
    ) -> None:
        """Starts it; `gpu` None: on the CPU, for a GPU belongs to the runs."""
        self._folder, self._timeout, self._started = folder, timeout, time.monotonic()
        self._ended: State | None = None
        self._oom_kills = oom_kills()
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                cwd=IMPORT_ROOT,
                env=worker_environment(gpu),
                start_new_session=True,  # a group of its own, so that what it starts goes with it
            )
        self._release = weakref.finalize(self, _release, self._process, folder)

    @property
    def folder(self) -> Path:
        return Path(self._folder.name)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def state(self) -> State:
        if self._ended is None:
            code = self._process.poll()
            if code is not None:
                self._ended = "done" if code == 0 else "failed"
            elif self.seconds > self._timeout:
                self.end("too long")
        return self._ended or "running"

    def end(self, why: State = "cancelled") -> None:
        if self._ended is None:
            _kill(self._process)
            self._ended = why

    def output(self) -> str:
        """What it said so far."""
        return self._read("out")

    def errors(self) -> str:
        """What it said so far on stderr."""
        return self._read("err")

    @property
    def stage(self) -> str:
        """What it says that it is doing; empty where it has not said."""
        told = [line.removeprefix(STAGE) for line in self.errors().splitlines() if line.startswith(STAGE)]
        return told[-1] if told else ""

    def complaint(self) -> str:
        """Why there is no result, in one line."""
        if self.state == "too long":
            return f"this took longer than {self._timeout:.0f} s and was ended"
        if self.state == "cancelled":
            return "cancelled"
        code = self._process.returncode
        if code is not None and code < 0:
            return describe_exit(code, is_more(self._oom_kills, oom_kills())).rstrip(".")
        said = [line for line in self.errors().splitlines() if line.strip() and not line.startswith(STAGE)]
        line = said[-1] if said else "it said nothing"
        return line.strip().removeprefix("error: ")[:500]

    def forget(self) -> None:
        self.end()
        self._release()

    def _read(self, name: str) -> str:
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(_MOST_OUTPUT).decode("utf-8", errors="replace")
        except OSError:
            return ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _release(process: "subprocess.Popen[bytes]", folder: "TemporaryDirectory[str]") -> None:
    if process.poll() is None:
        _kill(process)
    folder.cleanup()


class Jobs:
    """All jobs of a server. Thread-safe.

    Args:
        program: what gets the arguments.
    """

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._jobs: dict[Hashable, Job] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable) -> Job | None:
        with self._guard:
            return self._jobs.get(key)

    def start(self, key: Hashable, prepare: Callable[[Path], Sequence[str]], timeout: float) -> Job:
        """Start a job, in the place of one that ended under the same key.

        Args:
            prepare: puts what is needed into the job's folder, and gives the arguments.
            timeout: seconds after which the job is ended.

        Raises:
            ResourceError: the machine has enough to do with the jobs of others, or no room on its disk.
        """
        with self._guard:
            job = self._jobs.get(key)
            if job is not None and job.state in ("running", "done"):
                return job
            if sum(job.state == "running" for job in self._jobs.values()) >= MOST_RUNNING:
                raise ResourceError("other pictures or exports are being worked on; try again in a moment")
            ended = [known for known, job in self._jobs.items() if job.state != "running"]
            for old in {key, *ended[:-MOST_KEPT]} & set(ended):
                self._jobs.pop(old).forget()
            try:
                folder = TemporaryDirectory(prefix="mimi-")
                self._jobs[key] = Job(folder, [*self._program, *prepare(Path(folder.name))], timeout)
            except OSError as error:
                raise ResourceError(f"this cannot be started: {error.strerror or error}") from error
            return self._jobs[key]


def answer(job: Job) -> Prediction:
    """What `predict --json` said. Never raises: whatever went wrong is in the answer."""
    for line in reversed(job.output().splitlines()):
        try:
            prediction = Prediction.model_validate_json(line)
        except (ValidationError, ValueError):
            continue
        classes = len(prediction.class_names)
        sound = [one for one in prediction.cycles if one.error or len(one.probabilities) == classes > 0]
        return prediction.model_copy(update={"cycles": sound})
    return Prediction(ok=False, error=job.complaint())
