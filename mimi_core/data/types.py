"""What every dataset is made of: images, labels, splits. No torch, so that the app can show previews."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from PIL import Image

from mimi_core.data.decode import USUAL, Decoding, bytes_of, peak_of, read_image, read_thumbnail
from mimi_core.data.unused import Unused

Channels = Literal[1, 3]
Progress = Callable[[int, int], None]  # (images done, images in all)


class Images(Protocol):
    """A sequence of pictures that are decoded on access, and safe to read from several threads."""

    @property
    def channels(self) -> Channels:
        """1: every picture is grey (mode L); 3: every picture comes as RGB."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image.Image:
        """The picture, upright, in mode L or RGB.

        Raises:
            DataError: its file has become unreadable since the dataset was loaded.
        """

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        """The picture with at most `edge` pixels a side, never enlarged, and its real (width, height). For previews.

        Raises:
            DataError: its file cannot be read.
        """

    def take(self, indices: np.ndarray) -> Self:
        """The pictures at `indices` (k,), in that order; nothing is copied or decoded."""

    def describe(self, index: int) -> str:
        """The picture's file, or its number in its source: for messages."""


@dataclass(frozen=True)
class InFiles(ABC):
    """Images that are decoded from files, all in one way, which `decoding` says."""

    decoding: Decoding = field(default=USUAL, kw_only=True)

    @abstractmethod
    def peak(self, index: int) -> int | None:
        """Of a 16-bit picture the largest value; None for any other. Errors as in `Images.thumbnail`."""

    @abstractmethod
    def content(self, index: int) -> bytes:
        """The picture's file as it is; nothing where it cannot be read."""


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Pictures held in memory.

    Args:
        array: (n, H, W) or (n, H, W, 3) uint8; shared by everything taken from it.
        source: what `describe` calls the array.
        indices: (k,) which rows of `array` these pictures are; None: all of them.
    """

    array: np.ndarray
    source: str
    indices: np.ndarray | None = None

    @property
    def channels(self) -> Channels:
        return 1 if self.array.ndim == 3 else 3

    def __len__(self) -> int:
        return len(self.array) if self.indices is None else len(self.indices)

    def __getitem__(self, index: int) -> Image.Image:
        return Image.fromarray(self.array[self._row(index)])

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        image = self[index]
        size = image.size
        image.thumbnail((edge, edge))
        return image, size

    def take(self, indices: np.ndarray) -> "ArrayImages":
        return replace(self, indices=indices if self.indices is None else self.indices[indices])

    def describe(self, index: int) -> str:
        return f"{self.source} image {self._row(index)}"

    def _row(self, index: int) -> int:
        return index if self.indices is None else int(self.indices[index])


@dataclass(frozen=True)
class FileImages(InFiles):
    """Pictures in files, already known to be readable.

    Args:
        paths: one file each.
        channels: 1 only if every file is grey.
    """

    paths: tuple[Path, ...]
    channels: Channels

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image.Image:
        picture = read_image(self.paths[index], decoding=self.decoding)
        return picture.convert("L" if self.channels == 1 else "RGB")

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        return read_thumbnail(self.paths[index], edge, self.decoding)

    def peak(self, index: int) -> int | None:
        return peak_of(self.paths[index], self.decoding)

    def content(self, index: int) -> bytes:
        return bytes_of(self.paths[index])

    def take(self, indices: np.ndarray) -> "FileImages":
        return replace(self, paths=tuple(self.paths[i] for i in indices))

    def describe(self, index: int) -> str:
        return str(self.paths[index])


@dataclass(frozen=True)
class JoinedImages:
    """Pictures of one source, and then those of another.

    Args:
        numbers: (k,) which pictures these are: below `len(first)` of the one, from there on of the other.
    """

    first: Images
    second: Images
    numbers: np.ndarray

    @property
    def channels(self) -> Channels:
        return max(self.first.channels, self.second.channels)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Image.Image:
        source, number = self._at(index)
        return source[number].convert("L" if self.channels == 1 else "RGB")

    def thumbnail(self, index: int, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        source, number = self._at(index)
        return source.thumbnail(number, edge)

    def take(self, indices: np.ndarray) -> "JoinedImages":
        return replace(self, numbers=self.numbers[indices])

    def describe(self, index: int) -> str:
        source, number = self._at(index)
        return source.describe(number)

    def content(self, index: int) -> bytes | None:
        """As `InFiles.content`; None for a picture from no file."""
        source, number = self._at(index)
        return source.content(number) if isinstance(source, InFiles) else None

    def _at(self, index: int) -> tuple[Images, int]:
        number = int(self.numbers[index])
        beyond = number - len(self.first)
        return (self.first, number) if beyond < 0 else (self.second, beyond)


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, (n,) int64 into the dataset's `class_names`."""

    images: Images
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.images),):
            raise ValueError(f"{len(self.images)} images but labels of shape {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Split":
        """The part at `indices` (k,), in that order."""
        return Split(self.images.take(indices), self.labels[indices])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three disjoint splits.

    Attributes:
        skipped: says of every image that was left out, which and why.
        unused: what else lies in its folder, and is no image of a class.
        decoding: how its files are read, where it has any.
        remarks: what should be known of that, a sentence each.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    skipped: tuple[str, ...] = ()
    unused: Unused = field(default_factory=dict)
    decoding: Decoding = USUAL
    remarks: tuple[str, ...] = ()


def decoded_by(split: Split, decoding: Decoding) -> Split:
    """The same images, read from their files in that way."""
    assert isinstance(split.images, InFiles)
    images: Images = replace(split.images, decoding=decoding)
    return Split(images, split.labels)


def joined(first: Split, second: Split) -> Split:
    """Both, one after the other. Nothing is copied or decoded."""
    numbers = np.arange(len(first) + len(second))
    images = JoinedImages(first.images, second.images, numbers)
    return Split(images, np.concatenate([first.labels, second.labels]))


def split_at(split: Split, sizes: Sequence[int], order: np.ndarray) -> tuple[Split, ...]:
    """Consecutive stretches of `split` in `order`, of the given sizes."""
    ends = np.cumsum(sizes)
    return tuple(split.take(order[end - size : end]) for size, end in zip(sizes, ends, strict=True))
