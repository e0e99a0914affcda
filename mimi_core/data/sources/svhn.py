"""SVHN, digits of house numbers in Street View (Netzer et al. 2011): MATLAB files."""

from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data import names
from mimi_core.data.checking import Check
from mimi_core.data.reading.arrays import class_numbers, read_mat
from mimi_core.data.reading.torchvision_set import TRAIN_TEST, TorchvisionSet, without_val
from mimi_core.data.types import ArrayImages, Dataset, Split
from mimi_core.errors import DataError


def _svhn(config: DataConfig, train: Path, check: Check) -> Dataset:
    def split(what: str) -> Split:
        file = train.with_name(f"{what}_32x32.mat")
        content = read_mat(file)
        pixels, labels = content.get("X"), content.get("y")
        if not isinstance(pixels, np.ndarray) or pixels.shape[:3] != (32, 32, 3) or pixels.ndim != 4:
            raise DataError(f"{file}: has no pictures of 32x32 pixels under X; get the file again")
        if not isinstance(labels, np.ndarray) or labels.size != pixels.shape[3] or pixels.dtype != np.uint8:
            raise DataError(f"{file}: has not one label for each picture; get the file again")
        digits = class_numbers(labels.ravel(), 11, file) % 10  # the files call the digit 0 "10"
        return Split(ArrayImages(pixels.transpose(3, 0, 1, 2), f"svhn {what}"), digits)

    return without_val(config, names.DIGITS, split("train"), split("test"))


SOURCES = (
    TorchvisionSet(
        "svhn",
        "99,289 digits of house numbers, 32x32 pixels, 10 classes",
        "SVHN",
        TRAIN_TEST,
        ("train_32x32.mat", "test_32x32.mat"),
        246,
        "http://ufldl.stanford.edu/housenumbers/",
        _svhn,
    ).source(order=60),
)
