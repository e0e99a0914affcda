"""How far a run is, told to its recorder: share done, time left, images per second."""

import time

from mimi_core.runs.recorder import AnyRecorder

TRAIN_COST = 3.0
"""Training on an image against evaluating it: one forward and about two more for the backward."""


class Progress:
    """Counts work in evaluated images. `total` is the whole run; `done` what an earlier attempt already did."""

    def __init__(self, recorder: AnyRecorder, total: float, done: float = 0.0) -> None:
        self._recorder, self._total, self._done = recorder, max(total, 1.0), done
        self._done_before, self._started = done, time.monotonic()
        self._rate = 0.0

    def advance(self, images: int, cost: float, seconds: float) -> None:
        """`images` were processed at `cost` each, in `seconds`."""
        self._done += images * cost
        if cost == TRAIN_COST and seconds > 0:
            self._rate += 0.2 * (images / seconds - self._rate) if self._rate else images / seconds
        share = min(self._done / self._total, 1.0)
        worked = self._done - self._done_before
        left = (time.monotonic() - self._started) * (self._total - self._done) / worked if worked else None
        self._recorder.update(
            progress=share, eta_seconds=None if left is None else max(left, 0.0), images_per_second=self._rate or None
        )
