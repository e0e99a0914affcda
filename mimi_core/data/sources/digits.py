"""Digits: 1,797 real handwritten digits of 8x8 pixels (UCI, 1998), inside scikit-learn's package: always there.

One fixed split: 797 to train, 200 for choices, 800 to test, whatever the seeds of a run.
"""

import importlib.util
from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.sampling import stratified_order
from mimi_core.data.source import Source
from mimi_core.data.types import ArrayImages, Dataset, Progress, Split, split_at
from mimi_core.errors import DataError

SIZES = (797, 200, 800)


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The whole dataset with its fixed split; pixel values 0..16 become 0..255.

    Raises:
        DataError: scikit-learn is not installed, or without its data.
    """
    table = _table()
    pixels = np.rint(table[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = table[:, 64]
    everything = Split(ArrayImages(pixels, "digits"), labels)
    train, val, test = split_at(everything, SIZES, stratified_order(labels, seed=0))
    return Dataset(config.name, tuple(str(digit) for digit in range(10)), train, val, test)


def _table() -> np.ndarray:
    """(1797, 65) int64: 64 pixels and the digit. Read without importing scikit-learn, which costs a second."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("digits: comes with scikit-learn, which is not installed; pip install scikit-learn")
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        return np.loadtxt(file, delimiter=",", dtype=np.int64)
    except (OSError, ValueError) as error:
        raise DataError(f"digits: {file} cannot be read ({error}); install scikit-learn anew") from error


SOURCES = (
    Source("digits", "1,797 handwritten digits of 8x8 pixels, 10 classes; comes with the program", load, order=10),
)
