"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009). Their pickles are read for numbers and text: nothing is ever called."""

from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check
from mimi_core.data.reading.arrays import class_numbers
from mimi_core.data.reading.plain_pickle import read_plain
from mimi_core.data.reading.torchvision_set import BOTH, Read, TorchvisionSet, without_val
from mimi_core.data.types import ArrayImages, Dataset, Split
from mimi_core.errors import DataError


def _cifar(train: tuple[str, ...], test: str, labels: str, meta: str, label_names: str) -> Read:
    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        class_names = read_plain(folder / meta).get(label_names)
        if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
            raise DataError(f"{folder / meta}: has no {label_names}; get the set again")

        def split(files: tuple[str, ...], what: str) -> Split:
            parts = [_batch(folder / file, labels, len(class_names)) for file in files]
            pixels = np.concatenate([pixels for pixels, _ in parts])
            return Split(ArrayImages(pixels, f"{config.name} {what}"), np.concatenate([part for _, part in parts]))

        return without_val(config, tuple(class_names), split(train, "train"), split((test,), "test"))

    return read


def _batch(file: Path, key: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 32, 32, 3) uint8 and (n,) int64 of one file of CIFAR's."""
    content = read_plain(file)
    pixels, labels = content.get("data"), content.get(key)
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != 3 * 32 * 32:
        raise DataError(f"{file}: has no pictures of 32x32 pixels; get the set again")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise DataError(f"{file}: has not one label for each picture under {key!r}; get the set again")
    pictures = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return pictures, class_numbers(np.array(labels, dtype=object), classes, file)


SOURCES = (
    TorchvisionSet(
        "cifar10",
        "60,000 things and animals of 32x32 pixels, 10 classes",
        "CIFAR10",
        BOTH,
        ("cifar-10-batches-py",),
        170,
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        _cifar(tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "labels", "batches.meta", "label_names"),
    ).source(order=40),
    TorchvisionSet(
        "cifar100",
        "60,000 things and animals of 32x32 pixels, 100 classes",
        "CIFAR100",
        BOTH,
        ("cifar-100-python",),
        169,
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        _cifar(("train",), "test", "fine_labels", "meta", "fine_label_names"),
    ).source(order=41),
)
