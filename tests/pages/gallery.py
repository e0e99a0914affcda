"""A run with predictions of its gallery, as small and as odd as a test wants it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.pages.opening import MakeRun

NAMES = ["cat", "dog", "owl"]
# Classes predicted by cycles 0 .. 4 for six images whose true class is 0.
COURSES = ["00000", "00122", "01000", "11111", "10000", "12020"]
GRADES = [0.9, 0.6, 0.8, 0.5, 0.7]


def probabilities(courses: Sequence[str], classes: int = 3) -> np.ndarray:
    """(cycles, n, classes) float32"""
    found = np.zeros((len(courses[0]), len(courses), classes), np.float32)
    for cycle in range(len(found)):
        grade = GRADES[cycle % len(GRADES)]
        for image, course in enumerate(courses):
            found[cycle, image] = (1 - grade) / (classes - 1)
            found[cycle, image, int(course[cycle])] = grade
    return found


def predicted(
    store: Store, make_run: MakeRun, courses: Sequence[str] = COURSES, names: Sequence[str] = NAMES, **options: object
) -> Path:
    """A finished run with a gallery."""
    folder = store.folder(make_run(class_names=list(names), **options))
    rng = np.random.default_rng(0)
    index = 10 * np.arange(len(courses)) + 3
    said = probabilities(courses, len(names))
    with Recorder(folder) as recorder:
        images = rng.integers(0, 255, (len(courses), 64, 64, 3), np.uint8)
        recorder.save_gallery({"index": index, "label": np.zeros(len(courses), np.int64), "images": images})
        for cycle, shares in enumerate(said):
            recorder.save_arrays(cycle, "predictions", {"index": index, "probabilities": shares})
            recorder.save_adapters(cycle, {"x": np.zeros(1)}, {"cycle": cycle})
        recorder.update(phase="finished")
    return folder
