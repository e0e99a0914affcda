"""How far a run is, told to its recorder: share done, time left, images per second."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from mimi_core.runs.recorder import AnyRecorder

TRAIN_COST = 3.0
"""Training on an image against evaluating it: one forward and about two more for the backward. Until both were seen."""
WARM_BATCHES = 2
"""The first batches of an attempt take longer than all others: libraries load, and memory is taken."""
STEADY_BATCHES, STEADY_SECONDS = 5, 3.0
"""No time left is told from fewer batches, or from less time than this."""
HALF_LIFE = 300.0
"""Seconds after which what was seen counts half: others may come and go on this machine."""


@dataclass(frozen=True)
class Work:
    """Images that are trained on, and images that are evaluated."""

    trained: float = 0.0
    evaluated: float = 0.0

    @property
    def cost(self) -> float:
        """In evaluated images."""
        return self.trained * TRAIN_COST + self.evaluated


@dataclass
class BatchPace:
    """What images of one kind took, what is long ago counting less."""

    images: float = 0.0
    seconds: float = 0.0

    def add(self, images: int, seconds: float) -> None:
        kept = 0.5 ** (seconds / HALF_LIFE)
        self.images, self.seconds = kept * self.images + images, kept * self.seconds + seconds

    @property
    def per_image(self) -> float | None:
        """Seconds; None before any was seen."""
        return self.seconds / self.images if self.images else None


class Progress:
    """Counts work, and tells from the time that it took so far how long the rest will take.

    Time is what passes from one batch to the next of its kind. What passes where training and evaluating take turns,
    with a cut or a safe state between them, says nothing about a batch: it comes on top, in proportion to the work.
    What came before the first batch, as loading, does not count.
    """

    def __init__(
        self,
        recorder: AnyRecorder,
        total: Work,
        done: Work | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            total: of the whole run.
            done: what an earlier attempt did of it.
        """
        self._recorder, self._total, self._done, self._clock = recorder, total, done or Work(), clock
        self._training, self._evaluating = BatchPace(), BatchPace()
        self._batches, self._last = 0, clock()
        self._last_pace: BatchPace | None = None
        self._between, self._done_before = 0.0, self._done
        self._rate = 0.0

    def trained(self, images: int, seconds: float) -> None:
        """A step was made, which took so long by itself."""
        self._done = Work(self._done.trained + images, self._done.evaluated)
        if seconds > 0:
            self._rate += 0.2 * (images / seconds - self._rate) if self._rate else images / seconds
        self._tell(self._training, images)

    def evaluated(self, images: int) -> None:
        self._done = Work(self._done.trained, self._done.evaluated + images)
        self._tell(self._evaluating, images)

    def seconds_left(self) -> float | None:
        """None while it cannot be told yet."""
        seen = self._training.seconds + self._evaluating.seconds
        if self._batches < WARM_BATCHES + STEADY_BATCHES or seen < STEADY_SECONDS:
            return None
        training, evaluating = self._training.per_image, self._evaluating.per_image
        if training is None:
            training = (evaluating or 0.0) * TRAIN_COST
        if evaluating is None:
            evaluating = training / TRAIN_COST
        trained = max(self._total.trained - self._done.trained, 0.0)
        evaluated = max(self._total.evaluated - self._done.evaluated, 0.0)
        between = self._between * Work(trained, evaluated).cost / (self._done.cost - self._done_before.cost)
        return trained * training + evaluated * evaluating + between

    def _tell(self, pace: BatchPace, images: int) -> None:
        now = self._clock()
        self._batches += 1
        took, again = now - self._last, pace is self._last_pace
        if self._batches > WARM_BATCHES and again:
            pace.add(images, took)
        elif self._batches > WARM_BATCHES:
            self._between += max(took - images * (pace.per_image or 0.0), 0.0)
        self._last, self._last_pace = now, pace
        self._recorder.update(
            progress=min(self._done.cost / max(self._total.cost, 1.0), 1.0),
            eta_seconds=self.seconds_left(),
            images_per_second=self._rate or None,
        )
