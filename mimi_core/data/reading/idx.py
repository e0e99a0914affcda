"""MNIST's IDX files, and those of the sets that were made to take its place: 28x28 grey pictures of ten classes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from mimi_core.errors import DataError

CLASSES = 10
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
FILES = {"train": "train", "test": "t10k"}
"""Split -> how the names of its files begin."""


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


def read_split(folder: Path, split: str, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 28, 28) uint8 and labels (n,) int64 of `split`, "train" (60,000) or "test" (10,000).

    Args:
        how: to get the files, for messages.

    Raises:
        DataError: a file is missing or broken, or images and labels do not match.
    """
    images, labels = (read_idx(find_file(folder, f"{FILES[split]}-{kind}", how)) for kind in KINDS)
    if images.ndim != 3 or not images.size or labels.shape != images.shape[:1]:
        raise DataError(f"{folder}: {split} has images of shape {images.shape} but labels of shape {labels.shape}")
    if labels.max() >= CLASSES:
        raise DataError(f"{folder}: {split} has the label {labels.max()}; expected 0 to {CLASSES - 1}")
    return images, labels.astype(np.int64)


def find_file(folder: Path, stem: str, how: str) -> Path:
    """One of the files, gzipped or not. Raises a DataError that ends with `how` to get it."""
    try:
        for path in (folder / f"{stem}.gz", folder / stem):
            if path.is_file():
                return path
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    raise DataError(f"{folder}/{stem}.gz not found. {how}")
