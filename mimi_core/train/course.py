"""Where a run is on its way, and how much of the whole that is."""

from dataclasses import dataclass

from mimi_core.budget import Plan
from mimi_core.train.progress import Work


@dataclass(frozen=True)
class Cursor:
    """How far a run is. Epoch 0 of a cycle k > 0 is right after cut k.

    Attributes:
        epoch: epochs of the cycle that are done.
        seconds: time spent so far, all attempts added up.
        step: batches of the epoch after these that are done.
    """

    cycle: int = 0
    epoch: int = 0
    seconds: float = 0.0
    step: int = 0


@dataclass(frozen=True)
class Course:
    """The work of a whole run.

    Attributes:
        trained: images of an epoch.
        evaluated: images of one evaluation, of all splits.
        batch: images of a step.
        measured: images that are looked at before a cut, to measure what each adapter is worth.
    """

    plan: Plan
    trained: int
    evaluated: int
    batch: int
    measured: int = 0

    @property
    def whole(self) -> Work:
        return self.up_to(Cursor(len(self.plan.keep), self.plan.epochs[-1]))

    def up_to(self, cursor: Cursor) -> Work:
        """Work up to a point of the run; evaluations count when their cycle's epochs are done."""
        last = cursor.cycle == len(self.plan.keep) and cursor.epoch > 0
        evaluations = cursor.cycle * (1 if self.plan.one_training else 2) + last
        epochs = sum(self.plan.epochs[: cursor.cycle]) + cursor.epoch
        trained = epochs * self.trained + cursor.step * self.batch
        return Work(trained, evaluations * self.evaluated + cursor.cycle * self.measured)
