"""The disk fills at any write: it is said, and the run goes on equal once there is room."""

import shutil
from collections import Counter
from pathlib import Path
from random import Random

from mimi_core.runs.store import Store
from tests.torture import working
from tests.torture.part import Budget, Outcome

CALLS = "write"


def full_disk(place: Path, random: Random, budget: Budget) -> Outcome:
    """The first case says how many writes there are; then some in no order, or all where there is the time."""
    if not working.STRACE:
        return Outcome(left_out=working.NO_STRACE)
    outcome = Outcome()
    calm = working.created(place / "calm")
    first = working.traced(calm, CALLS)
    if first.exit_code != 0:
        return Outcome(failures=[f"the undisturbed run ended with {first.exit_code}: {working.told(calm)[:300]}"])
    writes = first.calls["write"]
    numbers = random.sample(range(1, writes + 1), writes)
    for number, write in zip(budget, numbers, strict=False):
        wrong = _filled(place / str(number), calm, write, number % 2 == 0, outcome.counts)
        outcome.failures += [f"write {write}: {wrong}"] if wrong else []
        shutil.rmtree(place / str(number))
    if outcome.counts.total() < writes:
        outcome.left_out = f"{outcome.counts.total()} of {writes} writes were tried, drawn by the seed"
    return outcome


def _filled(place: Path, calm: Path, write: int, for_good: bool, counts: Counter[str]) -> str:
    """From this write on, or for this one alone."""
    run = working.created(place)
    code = working.traced(run, CALLS, f"write:error=ENOSPC:when={write}{'+' if for_good else ''}").exit_code
    if code is None or code < 0:
        return f"ended with {code}"
    said = working.told(run)
    if code != 0 and "disk is full" not in said:
        return f"ended with {code} and did not say why: {said[-300:]}"
    counts["told" if code else "went on"] += 1
    if Store(place).summary(run.name).phase != "finished" and (code := working.worked(run)) != 0:
        return f"did not go on ({code}): {working.told(run)[-300:]}"
    return working.differences(run, calm)
