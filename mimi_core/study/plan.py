"""The planned study, docs/study-plan.md: its arms, tasks and runs, in the order in which they are made.

What a stage needs of earlier ones, learning rates and runs whose widths are taken, it finds among the finished runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from mimi_core.config import RunConfig, make_config
from mimi_core.config.settings import nested
from mimi_core.errors import RunError
from mimi_core.runs.store import Store
from mimi_core.sweeps.matching import compare

TUNING_SEEDS = (100, 101)
"""Used for nothing but learning rates."""
SEEDS = tuple(range(20, 32))
RATES = (0.0025, 0.005, 0.01)
COURSES, EPOCHS = 5, 12
START, END = 2, 32
"""Compression of MiMi's adapters."""
TUNING, STUDY = "plan: learning rates", "plan"
"""Groups of runs."""


@dataclass(frozen=True)
class Arm:
    """One way to fine-tune, as the plan compares them."""

    name: str
    settings: Mapping[str, Any]
    widths: Literal["fresh", "rewound", "shuffled"] | None = None
    """Taken from the MiMi run of the same task and seed."""


@dataclass(frozen=True)
class Task:
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


_CUT = {"method": "mimi", "adapter.sigma_0": START, "prune.sigma_target": END, "train.epochs": EPOCHS}
_UNCUT = {"method": "adapter", "train.epochs": EPOCHS, "train.cycles": COURSES}
MIMI = Arm("MiMi", _CUT)
RANDOM = Arm("random score", {**_CUT, "prune.score": "random"})
GRADIENT = Arm("gradient score", {**_CUT, "prune.score": "gradient"})
SMALL = Arm("small, restarts", {**_UNCUT, "adapter.sigma_0": END})
FRESH = Arm("MiMi's widths, fresh", _UNCUT, "fresh")
PRIMARY = (MIMI, RANDOM, GRADIENT, SMALL, FRESH)
SECONDARY = (
    Arm("MiMi's widths, rewound", _UNCUT, "rewound"),
    Arm("MiMi's widths, shuffled", _UNCUT, "shuffled"),
    Arm("small, one course", {"method": "adapter", "adapter.sigma_0": END, "train.epochs": COURSES * EPOCHS}),
    Arm("wide, uncut", {**_UNCUT, "adapter.sigma_0": START}),
)
CONTRASTS = ((MIMI, SMALL), (MIMI, FRESH), (MIMI, RANDOM), (MIMI, GRADIENT))
"""The primaries."""
TASKS = (
    Task("digits", {"data.name": "digits", "data.shots": 30}),
    Task(
        "clothes",
        {
            "data.name": "fashion-mnist",
            "data.classes": "T-shirt/top|Dress|Coat|Sneaker|Ankle boot",
            "data.shots": 30,
            "data.max_eval": 1000,
        },
    ),
    Task("location", {"data.name": "sprites-location", "data.shots": 30, "data.max_eval": 1000}),
    Task("count", {"data.name": "sprites-count", "data.shots": 100, "data.max_eval": 1000}),
    Task("orientation", {"data.name": "sprites-orientation", "data.shots": 30, "data.max_eval": 1000}),
)
Place = tuple[str, int]
"""Task and seed."""
Rates = Mapping[tuple[str, str], float]
"""(arm, task) -> the learning rate that was chosen."""


def config(arm: Arm, task: Task, seed: int, rate: float, group: str, mimi: str = "") -> RunConfig:
    """One run of the plan.

    Args:
        mimi: id of the run whose widths are taken, where the arm takes them.
    """
    values = {**arm.settings, **task.settings, "backbone.name": f"demo-half-{seed % 2}", "train.lr": rate}
    if arm.widths:
        how = {"fresh": "", "rewound": ",weights:rewound", "shuffled": f",shuffle:{seed}"}[arm.widths]
        values["adapter.widths"] = f"from:{mimi}{how}"
    values |= {"seed": seed, "data.seed": seed, "name": f"{arm.name}, {task.name}", "group": group}
    return make_config(nested(values), preset="demo")


@dataclass(frozen=True)
class Stage:
    """Runs that can be made at once, when the stages before have finished."""

    name: str
    runs: Callable[[Store], list[RunConfig]]


def stages() -> list[Stage]:
    """All of the plan that there are arms for, in its order."""
    listed = []
    for arms in (PRIMARY, SECONDARY):
        own, taking = ([arm for arm in arms if bool(arm.widths) == taken] for taken in (False, True))
        for what, some in (("", own), (", widths taken", taking)):
            listed.append(Stage(f"learning rates{what}", _tuning(some)))
        for seed in SEEDS:
            for what, some in (("", own), (", widths taken", taking)):
                listed.append(Stage(f"seed {seed}{what}", _proper(some, seed)))
    return listed


def _tuning(arms: Sequence[Arm]) -> Callable[[Store], list[RunConfig]]:
    def runs(store: Store) -> list[RunConfig]:
        return [one for arm in arms for _, _, one in _of_tuning(store, arm)]

    return runs


def _of_tuning(store: Store, arm: Arm) -> list[tuple[Task, float, RunConfig]]:
    """All runs that decide an arm's learning rates."""
    mimi = _mimi(store, TASKS, TUNING_SEEDS, chosen(store, [MIMI]), TUNING) if arm.widths else {}
    return [
        (task, rate, config(arm, task, seed, rate, TUNING, mimi.get((task.name, seed), "")))
        for seed in TUNING_SEEDS
        for task in TASKS
        for rate in RATES
    ]


def _proper(arms: Sequence[Arm], seed: int) -> Callable[[Store], list[RunConfig]]:
    def runs(store: Store) -> list[RunConfig]:
        rates = chosen(store, [*arms, MIMI])
        taken = any(arm.widths for arm in arms)
        mimi = _mimi(store, TASKS, [seed], rates, STUDY) if taken else {}
        return [
            config(arm, task, seed, rates[arm.name, task.name], STUDY, mimi.get((task.name, seed), ""))
            for task in TASKS
            for arm in arms
        ]

    return runs


def chosen(store: Store, arms: Sequence[Arm]) -> dict[tuple[str, str], float]:
    """By mean validation accuracy of the last epoch over the tuning seeds; at a tie the lower one.

    Raises:
        RunError: a run that decides has not finished.
    """
    rates: dict[tuple[str, str], float] = {}
    for arm in {arm.name: arm for arm in arms}.values():
        wanted = _of_tuning(store, arm)
        reached: dict[tuple[str, float], list[float]] = {}
        for (task, rate, _), run in zip(wanted, _finished(store, [one for _, _, one in wanted]), strict=True):
            reached.setdefault((task.name, rate), []).append(_validation_accuracy(store, run))
        for task in TASKS:
            rates[arm.name, task.name] = max(RATES, key=lambda rate: (fmean(reached[task.name, rate]), -rate))
    return rates


def _validation_accuracy(store: Store, run_id: str) -> float:
    state = store.state(run_id)
    of_val = [event.accuracy for event in state.evaluations if event.split == "val" and event.stage == "trained"]
    if not of_val:
        raise RunError(f"the run {run_id} does not tell its validation accuracy")
    return of_val[-1]


def _mimi(store: Store, tasks: Sequence[Task], seeds: Sequence[int], rates: Rates, group: str) -> dict[Place, str]:
    """Ids of MiMi's finished runs by task and seed."""
    places = [(task, seed) for task in tasks for seed in seeds]
    configs = [config(MIMI, task, seed, rates[MIMI.name, task.name], group) for task, seed in places]
    return {(task.name, seed): run for (task, seed), run in zip(places, _finished(store, configs), strict=True)}


def _finished(store: Store, configs: Sequence[RunConfig]) -> list[str]:
    """Ids.

    Raises:
        RunError: one has not finished.
    """
    ids = []
    for planned in compare(store, configs):
        if planned.run is None or planned.phase != "finished":
            wanted = planned.config
            raise RunError(f"{wanted.name}, seed {wanted.seed}, learning rate {wanted.train.lr:g}: not finished yet")
        ids.append(planned.run.id)
    return ids
