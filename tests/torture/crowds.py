"""Many at once: launches, dispatchers, sweeps of one file, deletions of what is at work. Each run is done once."""

from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from mimi_core.errors import MimiError
from mimi_core.runs import control
from mimi_core.sweeps.sweep import make_sweep, to_yaml
from tests import warm
from tests.torture import working
from tests.torture.part import Budget, Outcome


def crowd(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome()
    kinds = (launches, sweeps, deletions)
    for number in budget:
        kind = kinds[number % len(kinds)]
        wrong = kind(place / str(number), budget.crowd)
        outcome.counts[kind.__name__] += 1
        outcome.failures += [f"{kind.__name__}: {what}" for what in wrong]
    return outcome


def _settings(seed: int) -> list[str]:
    return ["--preset", "quick", *(part for one in (*working.SETS, f"seed={seed}") for part in ("--set", one))]


def launches(runs: Path, count: int) -> list[str]:
    """So many at the same moment, with as many that look at the queue and two dispatchers too many."""
    runs.mkdir(parents=True)
    with working.queue(runs) as store:
        there = ["--runs", str(runs)]
        asked = [
            warm.start("submit", *_settings(seed), *there, out=runs.parent / f"launch-{seed}") for seed in range(count)
        ]
        looking = [["dispatch", str(runs)]] * 2 + [["queue", *there]] * count
        others = [warm.start(*words, out=runs.parent / f"other-{n}") for n, words in enumerate(looking)]
        codes = [_code(one) for one in asked]
        working.until(lambda: all(run.phase in ("finished", "failed", "died") for run in store.list()))
        wrong = working.wrong_in(store, count)
        statuses = [store.status(run.id) for run in store.list()]
        twice = [status for status in statuses if status is None or status.resumes or status.deaths]
        for one in others:
            working.kill(one)
    wrong += [f"`submit` ended with {code}" for code in codes if code]
    return wrong + [f"{len(twice)} runs were begun more than once"] * bool(twice)


def sweeps(runs: Path, count: int) -> list[str]:
    """Two of the same file at the same moment."""
    runs.mkdir(parents=True)
    file = runs.parent / f"{runs.name}.yaml"
    seeds = max(count // 4, 1)
    base = [f"base.{one}" for one in working.SETS]
    file.write_text(
        to_yaml(make_sweep({"name": "twice", "seeds": [*range(seeds)]}, None, ["base.preset=quick", *base]))
    )
    with working.queue(runs) as store:
        both = [warm.start("sweep", str(file), "--runs", str(runs), out=runs.parent / f"sweep-{n}") for n in (0, 1)]
        codes = [_code(one) for one in both]
        wrong = working.wrong_in(store, seeds)
    return wrong + [f"`sweep` ended with {code}" for code in codes if code]


def deletions(runs: Path, count: int) -> list[str]:
    """While one works: it is not deleted, those that wait are, and it ends as if nothing had been."""
    with working.queue(runs, "cpu") as store:
        first = control.submit(store, working.CONFIG)
        working.until(lambda: store.summary(first).phase not in ("queued",))
        waiting = [control.submit(store, working.CONFIG) for _ in range(count)]
        words = [["delete", one, "--yes", "--runs", str(runs)] for one in (*waiting, *waiting)]
        both = [warm.start(*line, out=runs.parent / f"deletion-{n}") for n, line in enumerate(words)]
        wrong = []
        if store.summary(first).phase != "finished":
            try:
                control.delete(store, first)
                wrong.append("a run at work was deleted")
            except MimiError:
                pass
        for one in both:
            _code(one)
        working.until(lambda: all(run.phase in ("finished", "failed", "died") for run in store.list()))
        wrong += working.wrong_in(store, 1)
        left = [path.name for path in runs.iterdir() if path.name.endswith(".deleted")]
    return wrong + [f"left behind: {left}"] * bool(left)


def _code(process: BaseProcess) -> int | None:
    process.join(working.PATIENCE)
    return process.exitcode
