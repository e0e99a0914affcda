"""What a run's model said of every test image: `test_images.npz`, and `test_<stage>.npz` of each cycle.

`test_images.npz` holds what is the same throughout: `label`, (n,) true classes, and `name`, what each image is called.
`cycles/<k>/test_trained.npz` is of the end of cycle k, `test_cut.npz` of the moment right after cut k: `predicted`,
(n,) classes, with `log_predicted` and `log_true`, (n,) natural logarithms of the probabilities of the predicted and of
the true class, in float16: about three digits of a probability wherever it lies. That is at most 8 bytes an image and
moment before it is compressed, however many classes there are. Row i is place i of the test split.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import numpy as np

from mimi_core.runs import files
from mimi_core.runs.events import Stage
from mimi_core.runs.formats import npz

IMAGES: Final = "test_images.npz"
MOST_IMAGES = 10_000_000
_LOWEST = -60_000.0
"""A logarithm that float16 can hold, far below any that a model gives."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class ImageList:
    """The test split.

    Attributes:
        label: (n,) int64 true classes.
        name: of each image: its file without the folder that all share, or its number in its source.
    """

    label: np.ndarray
    name: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of all test images at one moment.

    Attributes:
        predicted: (n,) int64 classes.
        log_predicted, log_true: (n,) float32 logarithms of the probabilities of the predicted and of the true class.
    """

    predicted: np.ndarray
    log_predicted: np.ndarray
    log_true: np.ndarray


def name_of(stage: Stage) -> str:
    """Of the file, without its ending."""
    return f"test_{stage}"


NAMES = tuple(name_of(stage) for stage in get_args(Stage))


def path_of(run: Path, cycle: int, stage: Stage = "trained") -> Path:
    return files.cycle_folder(run, cycle) / f"{name_of(stage)}.npz"


def image_arrays(images: ImageList) -> Arrays:
    return {"label": images.label, "name": npz.as_bytes(images.name)}


def arrays(answers: Answers, classes: int) -> Arrays:
    """What is written: classes in the smallest whole numbers that hold them."""
    return {
        "predicted": answers.predicted.astype(np.min_scalar_type(max(classes - 1, 0))),
        "log_predicted": np.clip(answers.log_predicted, _LOWEST, 0).astype(np.float16),
        "log_true": np.clip(answers.log_true, _LOWEST, 0).astype(np.float16),
    }


def read_images(run: Path) -> ImageList:
    """Raises RunError where they are missing, as in runs of earlier versions, or broken."""
    with npz.opened(run / IMAGES, "the list of test images", "is") as archive:
        label, names = npz.array(archive, "label", "iu"), npz.texts(archive, "name")
        if label.shape != (len(names),) or not 0 < len(names) <= MOST_IMAGES or (label < 0).any():
            raise ValueError("labels and names do not go together")
    return ImageList(label.astype(np.int64), names)


def read(run: Path, cycle: int, stage: Stage, images: int, classes: int) -> Answers:
    """What was said of so many test images at the end of a cycle, or right after its cut.

    Raises:
        RunError: it is missing, as in runs of earlier versions, broken, or of another split.
    """
    moment = "at the end of cycle" if stage == "trained" else "after cut"
    with npz.opened(path_of(run, cycle, stage), f"the predictions {moment} {cycle}") as archive:
        predicted = npz.array(archive, "predicted", "u")
        logs = [npz.vector(archive, name, images).astype(np.float32) for name in ("log_predicted", "log_true")]
        if predicted.shape != (images,) or (predicted >= classes).any():
            raise ValueError("classes that are not there")
        if not all(np.isfinite(log).all() and (log <= 0).all() for log in logs):
            raise ValueError("no probabilities")
    return Answers(predicted.astype(np.int64), *logs)
