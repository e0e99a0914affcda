"""Jobs for tests: a script gets the arguments that `mimi_core` would get, so that nobody waits for torch."""

import sys
import time

import pytest

from mimi_core.runs.jobs.job import Job, Jobs


def pretend(monkeypatch: pytest.MonkeyPatch, script: str) -> Jobs:
    pretended = Jobs([sys.executable, "-S", "-c", script])
    monkeypatch.setattr("pages.widgets.waiting.jobs", lambda: pretended)
    return pretended


def ended(pretended: Jobs) -> Job:
    """The one job, when it has ended."""
    (job,) = pretended._jobs.values()
    while job.state == "running":
        time.sleep(0.01)
    return job
