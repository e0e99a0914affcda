"""Check a config before it is launched: in a process of its own, so that the app needs no torch and cannot hang."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mimi_core.config import RunConfig, to_yaml

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 120.0


class CycleEstimate(BaseModel):
    cycle: int
    neurons: int
    adapter_parameters: int
    trained_parameters: int


class CheckReport(BaseModel):
    """What `python -m mimi_core check --json` prints. `error` says in one line why the run would fail."""

    ok: bool
    error: str | None = None
    sites: int = 0
    initial_neurons: int = 0
    cycles: list[CycleEstimate] = []
    memory_bytes: int | None = None
    seconds: float | None = None
    images_per_second: float | None = None
    device: str = ""
    split_sizes: dict[str, int] = {}
    warnings: list[str] = []


def check(config: RunConfig, timeout: float = TIMEOUT_SECONDS) -> CheckReport:
    """Ask the program what this config would do. Never raises: whatever goes wrong is in the report."""
    return check_all([config], timeout)[0]


def check_all(configs: Sequence[RunConfig], timeout: float = TIMEOUT_SECONDS) -> list[CheckReport]:
    """The same for many, in one process: importing torch takes seconds. `timeout` is for each of them."""
    if not configs:
        return []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.yaml" for number in range(len(configs))]
        for path, config in zip(paths, configs, strict=True):
            path.write_text(to_yaml(config), encoding="utf-8")
        command = [sys.executable, "-m", "mimi_core", "check", *map(str, paths), "--json"]
        limit = timeout * len(configs)
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            error = f"the check took longer than {limit:.0f} s and was ended"
            return [CheckReport(ok=False, error=error) for _ in configs]
    found = _reports(done.stdout)[-len(configs) :]
    return found + [parse_report("", done.stderr) for _ in configs[len(found) :]]


def parse_report(output: str, errors: str = "") -> CheckReport:
    """The last report in the output; without one, the last line that the program complained with."""
    found = _reports(output)
    complaint = next((line for line in reversed(errors.splitlines()) if line.strip()), "it printed nothing")
    return found[-1] if found else CheckReport(ok=False, error=f"the check itself failed: {complaint.strip()[:500]}")


def _reports(output: str) -> list[CheckReport]:
    """One for each line that is one, in their order."""
    found = []
    for line in output.splitlines():
        with contextlib.suppress(ValidationError, ValueError):
            found.append(CheckReport.model_validate(json.loads(line)))
    return found
