"""The clock of the system is set while a run is at work: it is neither called dead nor deleted, and ends equal."""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random
from unittest import mock

from mimi_core.errors import RunError
from mimi_core.runs import control
from mimi_core.runs.store import Store
from tests import warm
from tests.torture import working
from tests.torture.part import Budget, Outcome

STEPS = (-86_400 * 365, -3600, -61, -1, 1, 61, 3600, 86_400 * 365)
"""Seconds."""


def clock_steps(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome()
    calm = working.created(place / "calm")
    if (code := working.worked(calm)) != 0:
        return Outcome(failures=[f"the undisturbed run ended with {code}: {working.told(calm)[:300]}"])
    for number in budget:
        own, readers = random.choice(STEPS), random.choice(STEPS)
        run = working.created(place / str(number))
        worker = warm.process(work_with_a_step, str(run), own)
        store, wrong = Store(run.parent), ""
        while worker.is_alive() and store.summary(run.name).phase in ("queued", "starting"):
            time.sleep(0.005)
        while worker.is_alive() and not wrong:
            os.kill(worker.pid or 0, signal.SIGSTOP)  # so that it cannot end between two looks
            try:
                wrong = _seen(store, run.name, readers) if store.summary(run.name).phase != "finished" else ""
            finally:
                os.kill(worker.pid or 0, signal.SIGCONT)
            outcome.counts["looks"] += 1
            time.sleep(0.05)
        worker.join(working.PATIENCE)
        wrong = wrong or (f"ended with {worker.exitcode}" if worker.exitcode else working.differences(run, calm))
        outcome.counts["runs"] += 1
        outcome.failures += [f"worker {own:+} s, reader {readers:+} s: {wrong}"] if wrong else []
    return outcome


def _seen(store: Store, run_id: str, step: float) -> str:
    """What somebody gets wrong whose clock is `step` seconds from that of the moment at which the worker began."""
    real = time.time
    with mock.patch("time.time", side_effect=lambda: real() + step):
        phase = Store(store.directory).summary(run_id).phase
        if phase in ("died", "broken"):
            return f"a run at work is shown as {phase}"
        try:
            control.delete(store, run_id)
        except RunError:
            return ""
        return "a run at work was deleted"


def work_with_a_step(run: str, step: float) -> None:
    """A worker whose clock is set a second after it began, and back another second later."""
    os.setsid()
    real, begun = time.time, time.monotonic()
    time.time = lambda: real() + (step if 1 < time.monotonic() - begun < 2 else 0)
    sys.argv = ["mimi", "work", run]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from mimi_core.cli.main import main

    main()
