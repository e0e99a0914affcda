"""Runs through the queue, one after the other, while somebody lists and looks: memory, handles, threads stay flat."""

import gc
import time
from pathlib import Path
from random import Random

import numpy as np
import psutil

from mimi_core.runs import control
from mimi_core.runs.store import Store
from tests.pages.opening import opened
from tests.torture import working
from tests.torture.part import Budget, Outcome

PAGES = ("home", "monitor")
MEASURES = ("MB", "handles", "threads")
MOST = {"MB": 60.0, "handles": 10.0, "threads": 5.0}
"""That a straight line through the looks may rise from the first to the last. What is loaded or kept once is not in it:
the first third does not count."""
FEWEST = 12
"""Looks that a line can be laid through."""
RUNS = 50


def soak(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome()
    looks: list[list[float]] = []
    with working.queue(place / "runs", "cpu") as store:
        for number in budget:
            run_id = control.submit(store, working.CONFIG)
            deadline = time.monotonic() + working.PATIENCE
            while store.summary(run_id).phase not in ("finished", "failed", "died") and time.monotonic() < deadline:
                looks.append(_look(Store(store.directory), PAGES[len(looks) % len(PAGES)], run_id))
            outcome.counts["runs"] += 1
            if number + 1 >= RUNS:
                break
        outcome.failures += working.wrong_in(store, outcome.counts["runs"])
    outcome.counts["looks"] = len(looks)
    counted = np.array(looks[len(looks) // 3 :])
    if len(counted) < FEWEST:
        outcome.left_out = f"{len(looks)} looks are too few to say whether anything grows"
        return outcome
    for name, rise in zip(MEASURES, rises(counted), strict=True):
        outcome.counts[f"rise of {name}"] = round(float(rise))
        if rise > MOST[name]:
            outcome.failures.append(
                f"{name} rose by {rise:.1f} over {len(counted)} looks: {counted[0]} to {counted[-1]}"
            )
    return outcome


def rises(looks: np.ndarray) -> np.ndarray:
    """(looks, measures) -> (measures,): how much a straight line through each rises from the first look to the last."""
    slopes = np.polyfit(np.arange(len(looks)), looks, 1)[0]
    return np.asarray(slopes * (len(looks) - 1))


def _look(store: Store, page: str, run_id: str) -> list[float]:
    store.list()
    opened(page, **({"run": run_id} if page == "monitor" else {}))
    gc.collect()
    me = psutil.Process()
    return [me.memory_info().rss / 2**20, float(me.num_fds()), float(me.num_threads())]
