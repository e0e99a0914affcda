"""Check a config before it is launched: in a process of its own, so that the app needs no torch and cannot hang."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from mimi_core.config import RunConfig, to_yaml
from mimi_core.runs.check_report import STAGE, CheckReport
from mimi_core.runs.dispatcher import gpu_indices, worker_environment

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 300.0


class Checking:
    """A check under way. Its process works under a worker's conditions, and ends at the latest with this object."""

    def __init__(self, configs: Sequence[RunConfig], timeout: float = TIMEOUT_SECONDS) -> None:
        """Starts the process; `timeout` is for each config. One process for all: importing torch takes seconds."""
        self.count, self.limit, self._started = len(configs), timeout * len(configs), time.monotonic()
        self._files = tempfile.TemporaryDirectory(prefix="mimi-check-")
        folder = Path(self._files.name)
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        paths = [folder / f"{number}.yaml" for number in range(len(configs))]
        for path, config in zip(paths, configs, strict=True):
            path.write_text(to_yaml(config), encoding="utf-8")
        gpus = gpu_indices()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                _command(paths),
                cwd=ROOT,
                env=worker_environment(gpus[0] if gpus else None),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # a group of its own, so that loaders of images go with it
            )
        self.cancel = weakref.finalize(self, _end, self._process, self._files)
        """End it now. Also called when nothing refers to this object any more: a page that was left."""

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def stage(self) -> str:
        """What it is doing, in a few words."""
        told = [line.removeprefix(STAGE) for line in _lines(self._err) if line.startswith(STAGE)]
        return told[-1] if told else "starting"

    def poll(self) -> list[CheckReport] | None:
        """A report for each config, in their order; None while it works. Whatever goes wrong is in the reports."""
        if self._process.poll() is None:
            if self.seconds < self.limit:
                return None
            self.cancel()
            return self._failed(f"the check took longer than {self.limit:.0f} s and was ended")
        if not self.cancel.alive:
            return self._failed("the check was cancelled")
        found = _reports(_lines(self._out))[-self.count :]
        complaint = _complaint(_lines(self._err))
        self.cancel()
        return found + self._failed(f"the check itself failed: {complaint}")[len(found) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _failed(self, error: str) -> list[CheckReport]:
        return [CheckReport(ok=False, error=error)] * self.count


def check(config: RunConfig, timeout: float = TIMEOUT_SECONDS) -> CheckReport:
    return check_all([config], timeout)[0]


def check_all(configs: Sequence[RunConfig], timeout: float = TIMEOUT_SECONDS) -> list[CheckReport]:
    """Ask the program what these configs would do, and wait for the answers. Never raises."""
    if not configs:
        return []
    with Checking(configs, timeout) as checking:
        while (found := checking.poll()) is None:
            time.sleep(0.1)
        return found


def _command(paths: Sequence[Path]) -> list[str]:
    return [sys.executable, "-m", "mimi_core", "check", *map(str, paths), "--json"]


def _end(process: "subprocess.Popen[bytes]", files: "tempfile.TemporaryDirectory[str]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    files.cleanup()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _reports(lines: Sequence[str]) -> list[CheckReport]:
    """One for each line that is one."""
    found = []
    for line in lines:
        with contextlib.suppress(ValidationError, ValueError):
            found.append(CheckReport.model_validate(json.loads(line)))
    return found


def _complaint(lines: Sequence[str]) -> str:
    """The last thing that the program said."""
    said = [line.strip() for line in lines if line.strip() and not line.startswith(STAGE)]
    return said[-1][:500] if said else "it printed nothing"
