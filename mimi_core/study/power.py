"""How often the planned study would call a primary different, by made-up studies of a given spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mimi_core.analysis.common.statistics import POWER, SIGNIFICANT, holm
from mimi_core.analysis.common.words import percent, points
from mimi_core.study.primaries import logits, pooled

STUDIES = 1000
EFFECT = 0.015
"""Of accuracy, 0..1, in all tasks: what the plan wants to see in `POWER` of such studies."""
MOST_SEEDS = 200


@dataclass(frozen=True)
class MadeUpTask:
    """What a task is like.

    Attributes:
        accuracy: of all arms, 0..1.
        spread: standard deviation over seeds of the difference of two arms, in accuracy, 0..1.
        images: test images.
    """

    accuracy: float
    spread: float
    images: int


def called(
    tasks: Sequence[MadeUpTask], seeds: int, effect: float = 0.0, contrasts: int = 4, studies: int = STUDIES
) -> np.ndarray:
    """(studies, contrasts) bool: which primaries of made-up studies are called different.

    All contrasts share their first arm, as the plan's do. Accuracies of an arm spread normally and independently over
    tasks and seeds; right answers are whole numbers of images.

    Args:
        effect: by how much the first arm is better than the second of the first contrast, in all tasks. The other arms
            are as good as the first.
    """
    random = np.random.default_rng(0)
    accuracy, spread, images = (np.array(column)[:, None] for column in zip(*map(_columns, tasks), strict=True))
    drawn = random.standard_normal((studies, 1 + contrasts, len(tasks), seeds)) * spread / np.sqrt(2)
    drawn[:, 1] -= effect
    right = np.rint(images * np.clip(accuracy + drawn, 0, 1))
    of_arm = logits(right, images)
    p = pooled(of_arm[:, :1] - of_arm[:, 1:]).p
    return np.array([holm(own) for own in p.tolist()]) < SIGNIFICANT


def seeds_needed(tasks: Sequence[MadeUpTask], effect: float = EFFECT, contrasts: int = 4) -> int | None:
    """The least number of seeds with which an effect is called in `POWER` of the studies; None: above `MOST_SEEDS`."""

    def enough(seeds: int) -> bool:
        return _first(called(tasks, seeds, effect, contrasts)) >= POWER

    low, high = 2, MOST_SEEDS
    if not enough(high):
        return None
    while low < high:  # more seeds show more
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def said(tasks: Sequence[MadeUpTask], seeds: int) -> list[str]:
    """What that means for a study of so many seeds, line by line."""
    spreads = ", ".join(points(task.spread) for task in tasks)
    needed = seeds_needed(tasks)
    enough = f"{needed} seeds" if needed else f"more than {MOST_SEEDS} seeds"
    return [
        f"spread of differences over seeds, task by task, in points: {spreads}",
        f"of {STUDIES:,} made-up studies of {seeds} seeds, {percent(_any(called(tasks, seeds)))} call a primary "
        "different where there is no difference; "
        f"{percent(_first(called(tasks, seeds, EFFECT)))} call one of {points(EFFECT)} "
        "points in all tasks",
        f"for {percent(POWER, 0)} of such calls: {enough}",
    ]


def _any(called: np.ndarray) -> float:
    return float(called.any(axis=1).mean())


def _first(called: np.ndarray) -> float:
    return float(called[:, 0].mean())


def _columns(task: MadeUpTask) -> tuple[float, float, int]:
    return task.accuracy, task.spread, task.images
