"""The classic sets that torchvision knows, read from the files that its downloaders unpack.

Torchvision itself is not needed to read them, and so not in the app: see docs/architecture.md. Splits are the official
ones, whatever the seeds. Where there is no official validation split, a fixed, stratified tenth of the training images
is for choices.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check, decoding, trusting
from mimi_core.data.places import find
from mimi_core.data.places import missing as missing_from
from mimi_core.data.sampling import stratified_order
from mimi_core.data.source import Download, Source
from mimi_core.data.types import Dataset, Progress, Split, split_at

VAL_SHARE = 10
Read = Callable[[DataConfig, Path, Check], Dataset]
"""From the first place in `TorchvisionSet.places`. Train and test; and val, empty where there is no official one."""
TRAIN_TEST: tuple[dict[str, Any], ...] = ({"split": "train"}, {"split": "test"})
BOTH: tuple[dict[str, Any], ...] = ({"train": True},)
"""One archive holds all."""
ONE: tuple[dict[str, Any], ...] = ({},)


@dataclass(frozen=True)
class TorchvisionSet:
    """One set.

    Attributes:
        torchvision: its class in torchvision.datasets.
        splits: what to ask that class for, one download each.
        places: of its files, below the folder of all datasets; without the first part if data.path is that part.
        megabytes: of the download, about.
        url: where it comes from.
    """

    name: str
    summary: str
    torchvision: str
    splits: tuple[dict[str, Any], ...]
    places: tuple[str, ...]
    megabytes: int
    url: str
    read: Read

    def source(self, order: int) -> Source:
        """Its entry in the catalogue."""
        download = Download(self.torchvision, self.splits, self.places)
        return Source(
            self.name, self.summary, self.load, self.scan, self.missing, kept=True, download=download, order=order
        )

    def load(self, config: DataConfig, on_progress: Progress | None = None) -> Dataset:
        """Read a set.

        Raises:
            DataError: a file is missing or broken; the message names it.
        """
        return self._dataset(config, decoding(on_progress))

    def scan(self, config: DataConfig, seconds: float) -> Dataset:
        """The same, but no image file is opened."""
        return self._dataset(config, trusting)

    def missing(self, config: DataConfig) -> str | None:
        """What is missing of the set, and how to get it; None where it is there."""
        told = (missing_from(config, _candidates(place), self._how) for place in self.places)
        return next((what for what in told if what), None)

    @property
    def _how(self) -> str:
        return (
            f"A run downloads it, about {self.megabytes:,} MB, where the network allows; "
            f"or get it from {self.url} and unpack it so that it lies there"
        )

    def _dataset(self, config: DataConfig, check: Check) -> Dataset:
        places = [find(config, _candidates(place), self._how) for place in self.places]
        data = self.read(config, places[0], check)
        if len(data.val):
            return data
        sizes = len(data.train) // VAL_SHARE, len(data.train) - len(data.train) // VAL_SHARE
        val, train = split_at(data.train, sizes, stratified_order(data.train.labels, seed=0))
        return replace(data, train=train, val=val)


def without_val(config: DataConfig, class_names: tuple[str, ...], train: Split, test: Split) -> Dataset:
    """A set that has no official validation split."""
    return Dataset(config.name, class_names, train, train.take(np.zeros(0, dtype=np.int64)), test)


def _candidates(place: str) -> tuple[str, ...]:
    _, _, inside = place.partition("/")
    return (place, inside) if inside else (place,)
