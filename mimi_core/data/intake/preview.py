"""A look at a dataset before a run: how many images there are of each class, some of them, and what to beware of.

Nothing is decoded but the images that are shown, so that a folder of many thousands takes a second or two.
"""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data.catalogue import answering
from mimi_core.data.decode import Decoding
from mimi_core.data.levels import chosen
from mimi_core.data.loading import scan
from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import Dataset, InFiles, Split, decoded_by
from mimi_core.data.unused import in_words
from mimi_core.errors import DataError

SECONDS = 10.0
"""How long listing a folder may take."""
EDGE = 96
"""Pixels of a sample's longer side, at most."""
FEW_IMAGES, FEW_TESTS = 5, 100
UNEQUAL = 5.0
NARROW = 2.0


@dataclass(frozen=True)
class Sample:
    """One training image. `png` is a whole file."""

    label: int
    png: bytes
    size: tuple[int, int]
    """(width, height) of the picture itself, in pixels."""


@dataclass(frozen=True)
class Preview:
    """What `DataConfig` gives a run.

    Attributes:
        counts: split ("train", "val", "test") -> images of every class, in the order of `class_names`; after
            `shots` and `max_eval`.
        samples: some training images of the classes that were asked for, class by class.
        grey: whether all images are known to be grey.
        remarks: what to beware of, one sentence each.
    """

    class_names: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    samples: tuple[Sample, ...]
    grey: bool
    remarks: tuple[str, ...]

    def total(self, split: str) -> int:
        return sum(self.counts[split])


def preview(config: DataConfig, first_class: int = 0, classes: int = 10, each: int = 8) -> Preview:
    """Count the images of a dataset, and draw samples: the same at every look.

    Args:
        first_class, classes: which classes to show samples of.
        each: samples of a class, at most.

    Raises:
        DataError: the dataset is missing or broken, or an image that would be shown cannot be read.
        ResourceError: memory does not suffice.
    """
    dataset = scan(config, SECONDS)
    names = dataset.class_names
    counts = counts_of(dataset)
    labels = range(first_class, min(first_class + classes, len(names)))
    shown = [i for label in labels for i in _some(np.flatnonzero(dataset.train.labels == label), each, label)]
    train, about_levels = _with_levels(dataset.train, config, shown)
    samples, unreadable = _samples(train, shown)
    if unreadable and not config.skip_bad:
        raise DataError(f"{unreadable[0]}; repair or remove it, or set data.skip_bad=true to leave such images out")
    remarks = [*_left_out(dataset, unreadable), *in_words(dataset.unused), *about_levels, *balance(names, counts)]
    remarks += _shapes(samples)
    return Preview(names, counts, tuple(samples), dataset.train.images.channels == 1, tuple(remarks))


def counts_of(dataset: Dataset) -> dict[str, tuple[int, ...]]:
    """Split -> images of every class, as in `Preview`."""
    return {
        split: tuple(np.bincount(getattr(dataset, split).labels, minlength=len(dataset.class_names)).tolist())
        for split in ("train", "val", "test")
    }


def stamp(config: DataConfig) -> tuple[int, ...]:
    """Something cheap that changes when the files do: what a cached preview hangs on."""
    source = answering(config.name)
    if source and source.stamp:
        return source.stamp(config)
    try:
        return (os.stat(os.path.expanduser(config.path)).st_mtime_ns,) if config.path else ()
    except OSError:
        return ()


def _with_levels(train: Split, config: DataConfig, shown: list[int]) -> tuple[Split, list[str]]:
    """The images as they will be read, as far as those that are shown tell of how many bits they are; and in words."""
    images = train.images
    if not isinstance(images, InFiles):
        return train, []

    def peak(index: int) -> int | None:
        try:
            return images.peak(index)
        except DataError:  # told where it is shown
            return None

    peaks = [one for chunk in in_chunks(peak, shown, os.cpu_count() or 1) for one in chunk if one is not None]
    levels, remarks = chosen(config.range, peaks)
    return decoded_by(train, Decoding(levels, config.max_pixels)), remarks


def _samples(train: Split, shown: list[int]) -> tuple[list[Sample], list[str]]:
    """Images of some classes, and a line about each that could not be read."""

    def sample(index: int) -> Sample | str:
        try:
            image, size = train.images.thumbnail(index, EDGE)
        except DataError as error:
            return str(error)
        return Sample(int(train.labels[index]), _png(image), size)

    decoded = [one for chunk in in_chunks(sample, shown, os.cpu_count() or 1) for one in chunk]
    return [one for one in decoded if isinstance(one, Sample)], [one for one in decoded if isinstance(one, str)]


def _some(indices: np.ndarray, count: int, seed: int) -> list[int]:
    return sorted(np.random.RandomState(seed).permutation(indices)[:count].tolist())


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


# --- what to beware of ------------------------------------------------------------------------------------------------


def _left_out(dataset: Dataset, unreadable: list[str]) -> Iterator[str]:
    faults = [*dataset.skipped, *unreadable]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        yield f"Left out: {faults[0]}{more}."


def balance(names: tuple[str, ...], counts: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """What to beware of in the numbers of images, a sentence each; `counts` as in `Preview`."""
    train, tests = counts["train"], sum(counts["test"])
    fewest, most = int(np.argmin(train)), int(np.argmax(train))
    if train[fewest] < FEW_IMAGES:
        others = sum(count < FEW_IMAGES for count in train) - 1
        more = f", and {others} more class{'es' * (others > 1)} fewer than {FEW_IMAGES}" if others else ""
        yield f"{names[fewest]!r} has {train[fewest]} training image{'s' * (train[fewest] != 1)}{more}."
    if train[most] > UNEQUAL * train[fewest] > 0:
        yield (
            f"{names[most]!r} has {train[most] / train[fewest]:.0f} times as many training images as "
            f"{names[fewest]!r}: the accuracy tells little about the small classes; data.shots makes them equal."
        )
    if tests < FEW_TESTS:
        yield f"Only {tests} test images: one more or less that is right is {100 / tests:.1f} percentage points."


def _shapes(samples: list[Sample]) -> Iterator[str]:
    narrow = [max(sample.size) / min(sample.size) for sample in samples]
    if narrow and max(narrow) > NARROW:
        yield (
            f"Pictures are squeezed into squares, and some of these are {max(narrow):.1f} times as long as wide: "
            "crop them if shapes matter."
        )
