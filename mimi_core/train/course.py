"""Where a run is on its way, and how much of the whole that is."""

from dataclasses import dataclass

from mimi_core.budget import Plan
from mimi_core.train.progress import TRAIN_COST


@dataclass(frozen=True)
class Position:
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
    """The work of a whole run, in evaluated images.

    Attributes:
        trained: images of an epoch.
        evaluated: images of one evaluation, of all splits.
        batch: images of a step.
    """

    plan: Plan
    trained: int
    evaluated: int
    batch: int

    @property
    def whole(self) -> float:
        return self.up_to(Position(len(self.plan.keep), self.plan.epochs[-1]))

    def up_to(self, position: Position) -> float:
        """Work up to a position; evaluations count when their cycle's epochs are done."""
        last = position.cycle == len(self.plan.keep) and position.epoch > 0
        evaluations = position.cycle * (1 if self.plan.one_training else 2) + last
        epochs = sum(self.plan.epochs[: position.cycle]) + position.epoch
        images = epochs * self.trained + position.step * self.batch
        return images * TRAIN_COST + evaluations * self.evaluated
