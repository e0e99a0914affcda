"""The time left that a run tells, with a clock that the test sets."""

from typing import Any

import pytest

from mimi_core.runs.recorder import NoRecorder
from mimi_core.train.progress import STEADY_BATCHES, WARM_BATCHES, Progress, Work

STEP, LOOK = 1.0, 0.5
"""Seconds that a batch takes, trained and evaluated."""
IMAGES = 10


class Told(NoRecorder):
    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}

    def update(self, **fields: Any) -> None:
        self.fields = fields


class Run:
    """Four rounds of 20 training batches and 10 of evaluation."""

    def __init__(self, done: Work | None = None) -> None:
        self.now, self.told = 100.0, Told()
        self.progress = Progress(self.told, Work(4 * 200, 4 * 100), done, lambda: self.now)

    def train(self, batches: int, seconds: float = STEP) -> None:
        for _ in range(batches):
            self.now += seconds
            self.progress.trained(IMAGES, seconds)

    def evaluate(self, batches: int = 10) -> None:
        for _ in range(batches):
            self.now += LOOK
            self.progress.evaluated(IMAGES)

    @property
    def left(self) -> float | None:
        return self.told.fields["eta_seconds"]


def test_nothing_is_told_until_it_is_steady_and_loading_does_not_count() -> None:
    run = Run()
    run.now += 1000  # loading, and scores before training
    run.train(WARM_BATCHES, seconds=30)
    assert run.left is None
    run.train(STEADY_BATCHES - 1)
    assert run.left is None
    run.train(1)
    assert run.left == pytest.approx(4 * 20 - 7 + 4 * 100 * STEP / IMAGES / 3)


def test_few_moments_are_too_few_to_tell_from() -> None:
    run = Run()
    run.train(40, seconds=0.05)
    assert run.left is None
    run.train(40, seconds=0.05)
    assert run.left is not None


def test_an_evaluation_is_reckoned_by_what_the_last_one_took() -> None:
    run = Run()
    run.train(20)
    run.evaluate()
    assert run.left == pytest.approx(3 * (20 * STEP + 10 * LOOK), rel=0.03)
    for _ in range(3):
        run.train(20)
        run.evaluate()
    assert run.left == 0
    assert run.told.fields["progress"] == 1


def test_what_passes_between_training_and_evaluating_is_no_batch() -> None:
    run = Run()
    run.train(20)
    run.now += 30  # a safe state on a slow disk
    run.evaluate()
    assert run.left == pytest.approx(3 * (20 * STEP + 10 * LOOK + 30), rel=0.05)


def test_a_resumed_run_has_only_the_rest_to_do_and_measures_anew() -> None:
    run = Run(Work(400, 200))
    run.train(WARM_BATCHES)
    assert run.left is None
    run.train(10)
    assert run.told.fields["progress"] == pytest.approx((3 * 520 + 200) / (3 * 800 + 400))
    assert run.left == pytest.approx(28 * STEP + 200 * STEP / IMAGES / 3)


def test_a_machine_that_becomes_slower_is_noticed() -> None:
    run = Run()
    run.progress = Progress(run.told, Work(100_000, 0), None, lambda: run.now)
    run.train(1000, seconds=0.5)
    run.train(1000, seconds=2)
    assert run.left == pytest.approx(8000 * 2, rel=0.05)
