"""Fashion-MNIST: 70,000 real 28x28 grey images of clothes in ten classes (Xiao et al. 2017, arXiv 1708.07747).

Read from the four IDX files, gzipped or not, in the folder of Debian's package `dataset-fashion-mnist`, in `data.path`,
or where torchvision unpacks them. The 10,000 test images are the test; a fixed, stratified twelfth of the 60,000 others
is for choices.
"""

import os
from pathlib import Path

from mimi_core.config import DataConfig, datasets_folder
from mimi_core.data.reading.idx import FILES, KINDS, find_file, read_split
from mimi_core.data.sampling import stratified_order
from mimi_core.data.source import Download, Source
from mimi_core.data.types import ArrayImages, Dataset, Progress, Split, split_at
from mimi_core.errors import DataError

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
VAL_SHARE = 12  # 5,000 of 60,000
KEPT_FOLDER = "FashionMNIST/raw"
HOW = (
    "Install the Debian package dataset-fashion-mnist, or put the four original IDX files into a folder and set "
    "data.path to it"
)


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The whole dataset with its fixed split: 55,000 to train, 5,000 for choices, 10,000 to test.

    Raises:
        DataError: a file is missing or broken.
    """
    folder = Path(os.path.expanduser(config.path)) if config.path else _usual_folder()
    rest, test = (_as_split(folder, split) for split in ("train", "test"))
    val_size = len(rest) // VAL_SHARE
    val, train = split_at(rest, (val_size, len(rest) - val_size), stratified_order(rest.labels, seed=0))
    return Dataset(config.name, CLASS_NAMES, train, val, test)


def _as_split(folder: Path, split: str) -> Split:
    images, labels = read_split(folder, split, HOW)
    return Split(ArrayImages(images, f"fashion-mnist {split}"), labels)


def missing(config: DataConfig) -> str | None:
    """What is missing, and how to get it; None where all four files are there."""
    folder = Path(os.path.expanduser(config.path)) if config.path else _usual_folder()
    try:
        for stem in FILES.values():
            for kind in KINDS:
                find_file(folder, f"{stem}-{kind}", HOW)
    except DataError as error:
        return str(error)
    return None


def _usual_folder() -> Path:
    kept = datasets_folder() / KEPT_FOLDER
    return kept if kept.is_dir() and not DEBIAN_FOLDER.is_dir() else DEBIAN_FOLDER


SOURCES = (
    Source(
        "fashion-mnist",
        "70,000 clothes of 28x28 pixels, 10 classes; IDX files",
        load,
        missing=missing,
        download=Download("FashionMNIST", ({"train": True},), (KEPT_FOLDER,), into_path=False),
        order=20,
    ),
)
