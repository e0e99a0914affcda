"""Check a config before it is launched: in a process of its own, so that the app needs no torch and cannot hang."""

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from mimi_core.config import RunConfig, to_yaml
from mimi_core.data.absolute import with_absolute_paths
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.jobs.job import Job
from mimi_core.runs.program import PROGRAM
from mimi_core.runs.queue.slots import slots

TIMEOUT_SECONDS = 300.0


class Checking:
    """A check under way. Its process works under a worker's conditions, and ends at the latest with this object."""

    def __init__(self, configs: Sequence[RunConfig], timeout: float = TIMEOUT_SECONDS) -> None:
        """Starts the process; `timeout` is for each config. One process for all: importing torch takes seconds."""
        self._count = len(configs)
        folder = TemporaryDirectory(prefix="mimi-check-")
        paths = [Path(folder.name) / f"{number}.yaml" for number in range(len(configs))]
        for path, config in zip(paths, configs, strict=True):
            path.write_text(to_yaml(with_absolute_paths(config)), encoding="utf-8")  # it works elsewhere
        self._job = Job(folder, _command(paths), timeout * len(configs), slots()[0].gpu)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._job.seconds

    @property
    def stage(self) -> str:
        """What it is doing, in a few words."""
        return self._job.stage or "starting"

    def cancel(self) -> None:
        self._job.forget()

    def poll(self) -> list[CheckReport] | None:
        """A report for each config, in their order; None while it works. Whatever goes wrong is in the reports."""
        if self._job.state == "running":
            return None
        reports = _reports(self._job.output())[-self._count :]
        failed = CheckReport(ok=False, error=f"the check itself failed: {self._job.complaint()}")
        return reports + [failed] * (self._count - len(reports))


def check_all(configs: Sequence[RunConfig], timeout: float = TIMEOUT_SECONDS) -> list[CheckReport]:
    """Ask the program what these configs would do, and wait for the answers. Never raises for what goes wrong there."""
    if not configs:
        return []
    checking = Checking(configs, timeout)
    try:
        while (reports := checking.poll()) is None:
            time.sleep(0.1)
        return reports
    finally:
        checking.cancel()


def _command(paths: Sequence[Path]) -> list[str]:
    return [*PROGRAM, "check", *map(str, paths), "--json"]


def _reports(output: str) -> list[CheckReport]:
    """One for each line that is one."""
    reports = []
    for line in output.splitlines():
        with contextlib.suppress(ValidationError, ValueError):
            reports.append(CheckReport.model_validate(json.loads(line)))
    return reports
