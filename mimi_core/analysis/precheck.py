"""Check a config before it is launched: in a process of its own, so that the app needs no torch and cannot hang."""

import json
import subprocess
import sys
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(to_yaml(config), encoding="utf-8")
        command = [sys.executable, "-m", "mimi_core", "check", str(path), "--json"]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return CheckReport(ok=False, error=f"the check took longer than {timeout:.0f} s and was ended")
    return parse_report(done.stdout, done.stderr)


def parse_report(output: str, errors: str = "") -> CheckReport:
    """The report on the last line of the output; without one, the last line that the program complained with."""
    for line in reversed(output.splitlines()):
        try:
            return CheckReport.model_validate(json.loads(line))
        except (ValidationError, ValueError):
            continue
    complaint = next((line for line in reversed(errors.splitlines()) if line.strip()), "it printed nothing")
    return CheckReport(ok=False, error=f"the check itself failed: {complaint.strip()[:500]}")
