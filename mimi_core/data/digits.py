"""Digits: 1,797 real handwritten digits of 8x8 pixels (UCI, 1998), inside scikit-learn's package: always there.

One fixed split: 797 to train, 200 for choices, 800 to test, whatever the seeds of a run.
"""

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.sampling import stratified_order
from mimi_core.data.types import ArrayImages, Dataset, Progress, Split, split_at

SIZES = (797, 200, 800)


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The whole dataset with its fixed split; pixel values 0..16 become 0..255."""
    from sklearn.datasets import load_digits  # costs a second: not for processes that only ask for names

    source = load_digits()
    pixels = np.rint(source.images * (255 / 16)).astype(np.uint8)
    labels = source.target.astype(np.int64)
    everything = Split(ArrayImages(pixels, "digits"), labels)
    train, val, test = split_at(everything, SIZES, stratified_order(labels, seed=0))
    return Dataset(config.name, tuple(str(name) for name in source.target_names), train, val, test)
