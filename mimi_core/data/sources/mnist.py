"""MNIST (LeCun et al. 1998) and KMNIST (Clanuwat et al. 2018, arXiv 1812.01718): IDX files."""

from pathlib import Path

from mimi_core.config import DataConfig
from mimi_core.data import names
from mimi_core.data.checking import Check
from mimi_core.data.reading.idx import read_split
from mimi_core.data.reading.torchvision_set import BOTH, Read, TorchvisionSet, without_val
from mimi_core.data.types import ArrayImages, Dataset, Split

_KUZUSHIJI = tuple("お き す つ な は ま や れ を".split())


def _idx(class_names: tuple[str, ...]) -> Read:
    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        train, test = (
            Split(ArrayImages(images, f"{config.name} {split}"), labels)
            for split in ("train", "test")
            for images, labels in [read_split(folder, split, "Get the set again")]
        )
        return without_val(config, class_names, train, test)

    return read


SOURCES = (
    TorchvisionSet(
        "mnist",
        "70,000 handwritten digits of 28x28 pixels, 10 classes",
        "MNIST",
        BOTH,
        ("MNIST/raw",),
        12,
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        _idx(names.DIGITS),
    ).source(order=50),
    TorchvisionSet(
        "kmnist",
        "70,000 handwritten Japanese characters of 28x28 pixels, 10 classes",
        "KMNIST",
        BOTH,
        ("KMNIST/raw",),
        21,
        "http://codh.rois.ac.jp/kmnist/",
        _idx(_KUZUSHIJI),
    ).source(order=51),
)
