"""Fashion-MNIST: 70,000 real 28x28 grey images of clothes in ten classes (Xiao et al. 2017, arXiv 1708.07747).

Read from the four IDX files, gzipped or not, in the folder of Debian's package `dataset-fashion-mnist`, in `data.path`,
or where torchvision unpacks them. The 10,000 test images are the test; a fixed, stratified twelfth of the 60,000 others
is for choices.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig, datasets_folder
from mimi_core.data.sampling import stratified_order
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
_FILES = {"train": "train", "test": "t10k"}


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
    images, labels = read_split(folder, split)
    return Split(ArrayImages(images, f"fashion-mnist {split}"), labels)


def missing(config: DataConfig) -> str | None:
    """What is missing, and how to get it; None where all four files are there."""
    folder = Path(os.path.expanduser(config.path)) if config.path else _usual_folder()
    try:
        for stem in _FILES.values():
            for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
                _find(folder, f"{stem}-{kind}", HOW)
    except DataError as error:
        return str(error)
    return None


def _usual_folder() -> Path:
    kept = datasets_folder() / KEPT_FOLDER
    return kept if kept.is_dir() and not DEBIAN_FOLDER.is_dir() else DEBIAN_FOLDER


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or plain.

    Returns:
        uint8 array with the shape that the file's header states.

    Raises:
        DataError: the file is not IDX, is cut short, or has bytes left over.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content: bytes = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); download the file again") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path}: not an IDX file of unsigned bytes; expected the original files")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:header]) if len(content) >= header else ()
    if len(content) != header + math.prod(shape):
        raise DataError(f"{path}: holds {len(content)} bytes where its header promises {header + math.prod(shape)}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def read_split(folder: Path, split: str, how: str = HOW) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) uint8 and labels (n,) int64 of `split`, "train" (60,000) or "test" (10,000).

    Args:
        how: to get the files, for messages.

    Raises:
        DataError: a file is missing or broken, or images and labels do not match.
    """
    images, labels = (
        read_idx(_find(folder, f"{_FILES[split]}-{kind}", how)) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )
    if images.ndim != 3 or not images.size or labels.shape != images.shape[:1]:
        raise DataError(f"{folder}: {split} has images of shape {images.shape} but labels of shape {labels.shape}")
    if labels.max() >= len(CLASS_NAMES):
        raise DataError(f"{folder}: {split} has the label {labels.max()}; expected 0 to {len(CLASS_NAMES) - 1}")
    return images, labels.astype(np.int64)


def _find(folder: Path, stem: str, how: str) -> Path:
    try:
        for path in (folder / f"{stem}.gz", folder / stem):
            if path.is_file():
                return path
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    raise DataError(f"{folder}/{stem}.gz not found. {how}")
