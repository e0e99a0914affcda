"""What a run's models say about images: the stored gallery and its predictions, and the answer of `predict`.

Files come from a run folder, which may be old, half-copied or not ours: nothing in them is believed unchecked.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel

from mimi_core.data.levels import FULL, GreyLevels
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights, npz

PREDICTIONS = "predictions"
LEVELS = "levels"
"""Name of the array that says how 16-bit pictures are read: what becomes black, and what white."""
MOST_IMAGES, MOST_EDGE = 1024, 256


@dataclass(frozen=True, eq=False)
class Gallery:
    """A fixed draw of n test images.

    Attributes:
        index: (n,) places in the test split, each once.
        label: (n,) true classes.
        images: (n, e, e, 3) uint8, small.
    """

    index: np.ndarray
    label: np.ndarray
    images: np.ndarray

    @property
    def is_grey(self) -> bool:
        """Whether no picture has a colour: the run learned from grey ones."""
        return bool((self.images == self.images[..., :1]).all())


class SavedCycle(NamedTuple):
    """The file with the weights of a cycle: its time and its size tell whether it has changed."""

    cycle: int
    mtime_ns: int
    size: int


class CyclePrediction(BaseModel):
    """What the model of one cycle says: probabilities (classes,), or why it cannot say."""

    cycle: int
    probabilities: list[float] = []
    error: str | None = None


class Prediction(BaseModel):
    """What `python -m mimi_core predict --json` prints. `error` says in one line why there is no answer at all."""

    ok: bool
    error: str | None = None
    class_names: list[str] = []
    cycles: list[CyclePrediction] = []
    seen: str = ""
    """The picture as the model saw it, at most 256 pixels wide: PNG in base64."""
    image_size: int = 0
    seconds: float = 0.0


def gallery_path(run: Path) -> Path:
    return run / files.GALLERY


def predictions_path(run: Path, cycle: int) -> Path:
    return files.cycle_folder(run, cycle) / f"{PREDICTIONS}.npz"


def predicted_cycles(run: Path, last: int) -> list[int]:
    """Those of the cycles 0 .. `last` that have predictions of the gallery."""
    return [cycle for cycle in range(last + 1) if predictions_path(run, cycle).exists()]


def saved_files(run: Path, last: int) -> list[SavedCycle]:
    """Those of the cycles 0 .. `last` whose weights were saved."""
    saved = []
    for cycle in range(last + 1):
        with suppress(OSError):
            file = cycle_weights.path_of(run, cycle).stat()
            saved.append(SavedCycle(cycle, file.st_mtime_ns, file.st_size))
    return saved


def read_gallery(run: Path) -> Gallery:
    """Raises RunError when it is missing or broken."""
    path = gallery_path(run)
    with npz.opened(path, "the gallery of test images", "is") as archive:
        index, label = npz.array(archive, "index", "iu"), npz.array(archive, "label", "iu")
        images = npz.array(archive, "images", "u")
        count = len(index) if index.ndim == 1 else 0
        if not 0 < count <= MOST_IMAGES or label.shape != (count,) or len(np.unique(index)) != count:
            raise ValueError("index and label do not go together")
        edge = images.shape[1] if images.ndim == 4 else 0
        if not 0 < edge <= MOST_EDGE or images.shape != (count, edge, edge, 3) or images.dtype != np.uint8:
            raise ValueError("these are no images")
        if (index < 0).any() or (label < 0).any():
            raise ValueError("negative numbers")
    return Gallery(index.astype(np.int64), label.astype(np.int64), images)


def kept_levels(run: Path) -> GreyLevels | None:
    """How 16-bit pictures were read when the run began; None where it has not begun. A run of before that was kept read
    them by their upper 8 bits.

    Raises:
        RunError: what was kept makes no sense.
    """
    path = gallery_path(run)
    if not path.exists():
        return None
    with npz.opened(path, "the gallery of test images", "is") as archive:
        if LEVELS not in npz.names(archive):
            return FULL
        levels = npz.array(archive, LEVELS, "iu")
        if levels.shape != (2,) or not 0 <= int(levels[0]) < int(levels[1]) <= FULL.white:
            raise ValueError("no levels")
        return GreyLevels(int(levels[0]), int(levels[1]))


def read_probabilities(run: Path, cycle: int, gallery: Gallery, classes: int) -> np.ndarray:
    """Class probabilities of the gallery at the end of a cycle, (n, classes).

    Raises:
        RunError: they are missing, broken, or not of this gallery.
    """
    path = predictions_path(run, cycle)
    with npz.opened(path, f"the predictions of cycle {cycle}") as archive:
        index, stored = npz.array(archive, "index", "iu"), npz.array(archive, "probabilities", "f")
        if not np.array_equal(index, gallery.index) or stored.shape != (len(gallery.index), classes):
            raise ValueError("of another gallery")
        probabilities = stored.astype(np.float64)
        if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
            raise ValueError("no probabilities")
        if not np.allclose(probabilities.sum(1), 1, atol=1e-2):
            raise ValueError("they do not add up to one")
    return probabilities
