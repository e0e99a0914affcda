"""The classic sets that torchvision knows, by name, read from the files that its downloaders unpack.

Torchvision itself is not needed to read them, and so not in the app: see docs/architecture.md. Splits are the official
ones, whatever the seeds. Where there is no official validation split, a fixed, stratified tenth of the training images
is for choices; EuroSAT has no split at all, and is drawn like a folder of images. CIFAR's files are pickles, of which
only numbers and text are taken: nothing in them is ever called.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mimi_core.config import FOLDER_PREFIX, DataConfig
from mimi_core.data import names
from mimi_core.data.checking import Check, decoding, trusting
from mimi_core.data.places import find
from mimi_core.data.places import missing as missing_from
from mimi_core.data.sampling import stratified_order
from mimi_core.data.sources.fashion_mnist import read_split
from mimi_core.data.sources.folder import read as read_folder
from mimi_core.data.sources.listed import Listed, below, dataset, lines_of
from mimi_core.data.sources.plain_pickle import read_plain
from mimi_core.data.types import ArrayImages, Dataset, Progress, Split, split_at
from mimi_core.errors import DataError

VAL_SHARE = 10
Read = Callable[[DataConfig, Path, Check], Dataset]
"""From the first place in `Kept.places`. Train and test; and val, empty where there is no official one."""


@dataclass(frozen=True)
class Kept:
    """One set.

    Attributes:
        torchvision: its class in torchvision.datasets.
        splits: what to ask that class for, one download each.
        places: of its files, below the folder of all datasets; without the first part if data.path is that part.
        megabytes: of the download, about.
        url: where it comes from.
    """

    summary: str
    torchvision: str
    splits: tuple[dict[str, Any], ...]
    places: tuple[str, ...]
    megabytes: int
    url: str
    read: Read


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """Read a set.

    Raises:
        DataError: a file is missing or broken; the message names it.
    """
    return _dataset(config, decoding(on_progress))


def scan(config: DataConfig, seconds: float) -> Dataset:
    """The same, but no image file is opened."""
    return _dataset(config, trusting)


def missing(config: DataConfig) -> str | None:
    """What is missing of the set, and how to get it; None where it is there."""
    kept = SETS[config.name]
    told = (missing_from(config, _candidates(place), how(config.name)) for place in kept.places)
    return next((what for what in told if what), None)


def how(name: str) -> str:
    kept = SETS[name]
    return (
        f"A run downloads it, about {kept.megabytes:,} MB, where the network allows; "
        f"or get it from {kept.url} and unpack it so that it lies there"
    )


def _dataset(config: DataConfig, check: Check) -> Dataset:
    kept = SETS[config.name]
    found = [find(config, _candidates(place), how(config.name)) for place in kept.places]
    data = kept.read(config, found[0], check)
    if len(data.val):
        return data
    sizes = len(data.train) // VAL_SHARE, len(data.train) - len(data.train) // VAL_SHARE
    val, train = split_at(data.train, sizes, stratified_order(data.train.labels, seed=0))
    return replace(data, train=train, val=val)


def _candidates(place: str) -> tuple[str, ...]:
    _, _, inside = place.partition("/")
    return (place, inside) if inside else (place,)


# --- sets in arrays ---------------------------------------------------------------------------------------------------


def _cifar(train: tuple[str, ...], test: str, labels: str, meta: str, label_names: str) -> Read:
    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        class_names = read_plain(folder / meta).get(label_names)
        if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
            raise DataError(f"{folder / meta}: has no {label_names}; get the set again")

        def split(files: tuple[str, ...], what: str) -> Split:
            parts = [_batch(folder / file, labels, len(class_names)) for file in files]
            pixels = np.concatenate([pixels for pixels, _ in parts])
            return Split(ArrayImages(pixels, f"{config.name} {what}"), np.concatenate([part for _, part in parts]))

        return _without_val(config, tuple(class_names), split(train, "train"), split((test,), "test"))

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
    return pictures, _labels(np.array(labels, dtype=object), classes, file)


def _svhn(config: DataConfig, train: Path, check: Check) -> Dataset:
    def split(what: str) -> Split:
        file = train.with_name(f"{what}_32x32.mat")
        content = _read_mat(file)
        pixels, labels = content.get("X"), content.get("y")
        if not isinstance(pixels, np.ndarray) or pixels.shape[:3] != (32, 32, 3) or pixels.ndim != 4:
            raise DataError(f"{file}: has no pictures of 32x32 pixels under X; get the file again")
        if not isinstance(labels, np.ndarray) or labels.size != pixels.shape[3] or pixels.dtype != np.uint8:
            raise DataError(f"{file}: has not one label for each picture; get the file again")
        digits = _labels(labels.ravel(), 11, file) % 10  # the files call the digit 0 "10"
        return Split(ArrayImages(pixels.transpose(3, 0, 1, 2), f"svhn {what}"), digits)

    return _without_val(config, names.DIGITS, split("train"), split("test"))


def _idx(class_names: tuple[str, ...]) -> Read:
    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        train, test = (
            Split(ArrayImages(images, f"{config.name} {split}"), labels)
            for split in ("train", "test")
            for images, labels in [read_split(folder, split, "Get the set again")]
        )
        return _without_val(config, class_names, train, test)

    return read


def _without_val(config: DataConfig, class_names: tuple[str, ...], train: Split, test: Split) -> Dataset:
    return Dataset(config.name, class_names, train, train.take(np.zeros(0, dtype=np.int64)), test)


# --- sets of image files ----------------------------------------------------------------------------------------------


def _flowers102(config: DataConfig, folder: Path, check: Check) -> Dataset:
    """1,020 images to train, 1,020 for choices, 6,149 to test."""
    where = folder / "imagelabels.mat"
    numbers = _read_mat(where).get("labels")
    if not isinstance(numbers, np.ndarray):
        raise DataError(f"{where}: has no labels; get the file again")
    labels = _labels(numbers.ravel().astype(np.int64) - 1, len(names.FLOWERS102), where)
    ids, source = _read_mat(folder / "setid.mat"), folder / "setid.mat"
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


def _pets(config: DataConfig, folder: Path, check: Check) -> Dataset:
    lists = {}
    for split, stem in {"train": "trainval", "test": "test"}.items():
        file = folder / "annotations" / f"{stem}.txt"
        entries = []
        for number, line in lines_of(file):
            name, _, rest = line.partition(" ")
            label = rest.split(" ")[0]
            if not label.isdigit() or not 1 <= int(label[:9]) <= len(names.PETS):
                raise DataError(f"{file} line {number}: expected an image and its class 1 to {len(names.PETS)}")
            entries.append((below(folder / "images", f"{name}.jpg", f"{file} line {number}"), int(label) - 1))
        lists[split] = _listed(file, entries)
    return dataset(config, names.PETS, lists, check)


def _class_slash_image(lists: dict[str, str], suffix: str = "") -> Read:
    """Lists of `class/image`, below a folder of images; split -> file. Classes are in alphabetical order."""

    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        lines = {split: lines_of(folder / file) for split, file in lists.items()}
        found = sorted({line.split("/")[0] for numbered in lines.values() for _, line in numbered})
        made: dict[str, Listed] = {}
        for split, numbered in lines.items():
            file = folder / lists[split]
            entries = []
            for number, line in numbered:
                where = f"{file} line {number}"
                if line.count("/") != 1:
                    raise DataError(f"{where}: expected class/image, got {line[:200]!r}")
                path = below(folder / "images", line + suffix, where)
                entries.append((path, found.index(line.split("/")[0])))
            made[split] = _listed(file, entries)
        return dataset(config, found, made, check)

    return read


def _eurosat(config: DataConfig, place: Path, check: Check) -> Dataset:
    inside = config.model_copy(update={"name": f"{FOLDER_PREFIX}{place}"})
    return replace(read_folder(inside, check), name=config.name)


def _listed(file: Path, entries: list[tuple[Path, int]]) -> Listed:
    paths, labels = zip(*entries, strict=True)
    return Listed(file, paths, np.array(labels, dtype=np.int64))


# --- what they share --------------------------------------------------------------------------------------------------


def _labels(values: np.ndarray, classes: int, file: Path) -> np.ndarray:
    """Whole numbers 0 .. classes - 1 as int64."""
    try:
        labels = values.astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{file}: its labels are no numbers; get the set again") from error
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        worst = labels.max() if labels.max() >= classes else labels.min()
        raise DataError(f"{file}: has the label {worst}; expected 0 to {classes - 1}")
    return labels


def _read_mat(file: Path) -> dict[str, Any]:
    """The variables of a MATLAB file. Raises a DataError for a file that is missing or broken."""
    from scipy.io import loadmat

    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        return dict(loadmat(file))
    except Exception as error:  # on broken input it raises nearly everything there is
        raise DataError(f"{file}: not a readable MATLAB file ({' '.join(str(error).split())[:200]})") from error


_TRAIN_TEST: tuple[dict[str, Any], ...] = ({"split": "train"}, {"split": "test"})
_BOTH: tuple[dict[str, Any], ...] = ({"train": True},)  # one archive
_ONE: tuple[dict[str, Any], ...] = ({},)
_VGG = "https://www.robots.ox.ac.uk/~vgg/data"
_KUZUSHIJI = tuple("お き す つ な は ま や れ を".split())

SETS: dict[str, Kept] = {
    "cifar10": Kept(
        "60,000 things and animals of 32x32 pixels, 10 classes", "CIFAR10", _BOTH, ("cifar-10-batches-py",), 170,
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        _cifar(tuple(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "labels", "batches.meta", "label_names"),
    ),
    "cifar100": Kept(
        "60,000 things and animals of 32x32 pixels, 100 classes", "CIFAR100", _BOTH, ("cifar-100-python",), 169,
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        _cifar(("train",), "test", "fine_labels", "meta", "fine_label_names"),
    ),
    "mnist": Kept(
        "70,000 handwritten digits of 28x28 pixels, 10 classes", "MNIST", _BOTH, ("MNIST/raw",), 12,
        "https://ossci-datasets.s3.amazonaws.com/mnist/", _idx(names.DIGITS),
    ),
    "kmnist": Kept(
        "70,000 handwritten Japanese characters of 28x28 pixels, 10 classes", "KMNIST", _BOTH, ("KMNIST/raw",), 21,
        "http://codh.rois.ac.jp/kmnist/", _idx(_KUZUSHIJI),
    ),
    "svhn": Kept(
        "99,289 digits of house numbers, 32x32 pixels, 10 classes", "SVHN", _TRAIN_TEST,
        ("train_32x32.mat", "test_32x32.mat"), 246, "http://ufldl.stanford.edu/housenumbers/", _svhn,
    ),
    "flowers102": Kept(
        "8,189 photos of flowers, 102 classes", "Flowers102", _ONE, ("flowers-102",), 345,
        f"{_VGG}/flowers/102/", _flowers102,
    ),
    "oxford-pets": Kept(
        "7,349 photos of cats and dogs, 37 breeds", "OxfordIIITPet", _ONE, ("oxford-iiit-pet",), 811,
        f"{_VGG}/pets/", _pets,
    ),
    "dtd": Kept(
        "5,640 photos of textures, 47 classes", "DTD", _ONE, ("dtd/dtd",), 625,
        f"{_VGG}/dtd/", _class_slash_image({s: f"labels/{s}1.txt" for s in ("train", "val", "test")}),
    ),
    "eurosat": Kept(
        "27,000 satellite images of 64x64 pixels, 10 classes", "EuroSAT", _ONE, ("eurosat/2750",), 94,
        "https://github.com/phelber/EuroSAT", _eurosat,
    ),
    "food101": Kept(
        "101,000 photos of dishes, 101 classes", "Food101", _ONE, ("food-101",), 4996,
        "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
        _class_slash_image({"train": "meta/train.txt", "test": "meta/test.txt"}, ".jpg"),
    ),
}  # fmt: skip
