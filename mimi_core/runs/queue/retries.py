"""A run whose worker died in the queue goes on by itself: a few times, after growing pauses, as its status remembers.

Not what ended by itself, with a word or an exit code: that would only fail again. Nor what a person stopped.
MIMI_RETRIES says how often; 2 unless it is set.
"""

import os
import time

from mimi_core.errors import ConfigError
from mimi_core.runs.status import Status

RETRIES = 2
PAUSES = (5.0, 30.0, 180.0, 600.0)
"""Seconds before the first, second, .. retry; the last holds for all that follow."""


def allowed() -> int:
    """How often a run goes on by itself. Raises ConfigError where MIMI_RETRIES says something else than a number."""
    text = os.environ.get("MIMI_RETRIES", "").strip()
    if not text:
        return RETRIES
    if not text.isdecimal():
        raise ConfigError(f"MIMI_RETRIES: {text!r} is not a number of retries; 0 leaves dead runs to you")
    return int(text)


def is_due(status: Status) -> bool:
    """Whether a queued run may start. A clock that was set back never makes it wait for longer than its pause."""
    if status.retry_at is None:
        return True
    left = status.retry_at - time.time()
    return left <= 0 or left > _pause(status.deaths)


def after_death(status: Status, retries: int, stop_was_asked: bool) -> Status:
    """What becomes of a run of the queue whose worker is gone: it waits for its retry, or is left to a person."""
    alone = {"from_queue": False, "retry_at": None}
    if stop_was_asked:
        return status.model_copy(update={**alone, "message": "its worker died before the stop that was asked for"})
    again = {"phase": "queued", "message": "", "pid": None, "position": None, "resumes": status.resumes + 1}
    if status.phase == "stopped":  # told to end while the system went down: no fault of the run
        return status.model_copy(update={**again, **alone})
    if status.exit_code is not None and status.exit_code >= 0:  # it ended by itself, and would again
        return status.model_copy(update=alone)
    deaths = status.deaths + 1
    if deaths > retries:
        message = f"gave up after {retries} {'retry' if retries == 1 else 'retries'}" if retries else ""
        return status.model_copy(update={**alone, "deaths": deaths, "message": message})
    return status.model_copy(update={**again, **alone, "deaths": deaths, "retry_at": time.time() + _pause(deaths)})


def _pause(deaths: int) -> float:
    return PAUSES[min(max(deaths, 1), len(PAUSES)) - 1]
