"""Oxford Flowers 102 (Nilsback and Zisserman 2008): photos, with labels and splits in MATLAB files."""

from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data import names
from mimi_core.data.checking import Check
from mimi_core.data.reading.arrays import class_numbers, read_mat
from mimi_core.data.reading.listed import Listed, dataset
from mimi_core.data.reading.torchvision_set import ONE, TorchvisionSet
from mimi_core.data.types import Dataset
from mimi_core.errors import DataError


def _flowers102(config: DataConfig, folder: Path, check: Check) -> Dataset:
    """1,020 images to train, 1,020 for choices, 6,149 to test."""
    where = folder / "imagelabels.mat"
    numbers = read_mat(where).get("labels")
    if not isinstance(numbers, np.ndarray):
        raise DataError(f"{where}: has no labels; get the file again")
    labels = class_numbers(numbers.ravel().astype(np.int64) - 1, len(names.FLOWERS102), where)
    ids, source = read_mat(folder / "setid.mat"), folder / "setid.mat"
    lists: dict[str, Listed] = {}
    for split, key in {"train": "trnid", "val": "valid", "test": "tstid"}.items():
        chosen = ids.get(key)
        if not isinstance(chosen, np.ndarray) or not chosen.size:
            raise DataError(f"{source}: has no {key}; get the file again")
        if chosen.min() < 1 or chosen.max() > len(labels):
            raise DataError(f"{source}: {key} names image {chosen.max()} of {len(labels)}; get both files again")
        images = chosen.ravel().astype(np.int64)
        paths = tuple(folder / "jpg" / f"image_{image:05d}.jpg" for image in images)
        lists[split] = Listed(source, paths, labels[images - 1])
    return dataset(config, names.FLOWERS102, lists, check)


SOURCES = (
    TorchvisionSet(
        "flowers102",
        "8,189 photos of flowers, 102 classes",
        "Flowers102",
        ONE,
        ("flowers-102",),
        345,
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        _flowers102,
    ).source(order=70),
)
