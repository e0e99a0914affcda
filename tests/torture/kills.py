"""SIGKILL for workers, at any moment and at every kind of system call, and for dispatchers: nothing is lost."""

import time
from collections import Counter
from pathlib import Path
from random import Random

from mimi_core.runs import control
from mimi_core.runs.store import Store
from tests import warm
from tests.torture import working
from tests.torture.part import Budget, Outcome

CALLS = "write,fsync,renameat,unlinkat,mkdirat,openat"
KINDS = ("moment", "call", "moment", "call", "dispatcher")
MOST = 4
"""Kills of one run, before it is left alone."""


def kills(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome(left_out="" if working.STRACE else working.NO_STRACE)
    calm = working.created(place / "calm")
    if working.STRACE:
        first = working.traced(calm, CALLS)
        code, calls = first.exit_code, first.calls
    else:
        code, calls = working.worked(calm), Counter()
    if code != 0:
        return Outcome(failures=[f"the undisturbed run ended with {code}: {working.told(calm)[:300]}"])
    seconds = (Store(calm.parent).summary(calm.name).seconds or 0) + 1
    for number in budget:
        kind = KINDS[number % len(KINDS)]
        where = place / str(number)
        if kind == "dispatcher":
            wrong = with_dead_dispatchers(where, random, outcome.counts, seconds)
        else:
            wrong = _killed(where, calm, random, outcome.counts, calls if kind == "call" else Counter(), seconds)
        outcome.counts["runs"] += 1
        outcome.failures += [f"case {number}, {wrong}"] if wrong else []
    return outcome


def _killed(place: Path, calm: Path, random: Random, counts: Counter[str], calls: Counter[str], seconds: float) -> str:
    """One run with up to `MOST` kills. `calls`: at one of these; at a random moment where there are none."""
    run = working.created(place)
    history: list[str] = []
    for _ in range(random.randint(1, MOST)):
        if calls:
            call = random.choice(sorted(calls))
            inject = f"{call}:signal=KILL:when={random.randint(1, calls[call])}"
            history.append(inject)
            code = working.traced(run, CALLS, inject).exit_code
            counts[f"kills at {call}"] += code == -9
        else:
            worker = warm.start("work", str(run))
            pause = random.uniform(0, 1.2 * seconds)
            history.append(f"after {pause:.2f} s")
            worker.join(pause)
            code = -9 if working.kill(worker) else worker.exitcode
            counts["kills at a moment"] += code == -9
        if code != -9:
            break
        phase = Store(place).summary(run.name).phase
        if phase not in ("died", "queued", "finished"):  # finished: killed behind the last word
            return f"{history}: shown as {phase} after a kill"
    else:
        if Store(place).summary(run.name).phase != "finished":
            code = working.worked(run)
    if Store(place).summary(run.name).phase != "finished":
        return f"{history}: ended with {code}: {working.told(run)[:300]}"
    different = working.differences(run, calm)
    return f"{history}: {different}" if different else ""


def with_dead_dispatchers(place: Path, random: Random, counts: Counter[str], seconds: float) -> str:
    """A run through the queue whose dispatchers and workers die; whoever looks at the queue has it go on."""
    with working.queue(place, MIMI_RETRIES="99") as store:
        control.submit(store, working.CONFIG)
        for victim in random.sample(("dispatch", "work", "dispatch"), 2):
            time.sleep(random.uniform(0, seconds))
            for process in working.processes(place, victim):
                process.kill()
                counts[f"kills of {victim}"] += 1
        until = time.monotonic() + working.PATIENCE
        while time.monotonic() < until and store.list()[0].phase != "finished":
            warm.mimi("queue", "--runs", str(place))
            time.sleep(1)
        wrong = working.wrong_in(store, 1)
    return "; ".join(wrong)
