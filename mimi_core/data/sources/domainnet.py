"""`domainnet:DOMAIN`, six domains of the same 345 classes (Peng et al. 2019, arXiv 1812.01754), as lists of images.

Read from `DOMAIN_train.txt` and `DOMAIN_test.txt`, with lines `painting/t-shirt/painting_328_000001.jpg 327`, and the
domain's folder beside them. Classes are the numbers in the lists, never the order of the folders: painting_train.txt
has no image of class 327, and counting folders would shift all that follow. There are always 345 classes, each called
as its folder in the lists. A seeded tenth of every class's training images is for choices; a class with one image
keeps it for training.
"""

from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig, known_one
from mimi_core.data.checking import Check, decoding, trusting
from mimi_core.data.places import find
from mimi_core.data.places import missing as missing_from
from mimi_core.data.reading.listed import Listed, dataset, read_list
from mimi_core.data.sampling import set_aside
from mimi_core.data.source import Source
from mimi_core.data.types import Dataset, Progress
from mimi_core.errors import ConfigError, DataError

PREFIX = "domainnet:"
DOMAINS = ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")
CLASSES = 345
VAL_SHARE = 0.1
HOW = (
    "Get DomainNet from http://ai.bu.edu/M3SDA/ (the cleaned version): the domain's zip and its two lists of images, "
    "and unpack the zip beside the lists, there"
)


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """Read the lists, draw the validation images, and decode every image once.

    Raises:
        DataError: unknown domain; a list or an image is missing or broken, or the lists contradict each other; the
            message names what. Single images are no reason if `config.skip_bad`.
    """
    return _dataset(config, decoding(on_progress))


def scan(config: DataConfig, seconds: float) -> Dataset:
    """The same, but no image is opened."""
    return _dataset(config, trusting)


def missing(config: DataConfig) -> str | None:
    """What is missing of the domain, and how to get it; None where it is there."""
    for candidates in _places(config):
        if (told := missing_from(config, candidates, HOW)) is not None:
            return told
    return None


def domain(name: str) -> str:
    """Raises a DataError with the nearest known domain."""
    try:
        return known_one(name.removeprefix(PREFIX), DOMAINS, "domain of DomainNet")
    except ConfigError as error:
        raise DataError(str(error)) from None


def _dataset(config: DataConfig, check: Check) -> Dataset:
    files = [find(config, candidates, HOW) for candidates in _places(config)]
    train, test = (read_list(file, file.parent, CLASSES) for file in files[:2])
    class_names = _class_names((train, test))
    kept, drawn = _drawn(train.labels, config.seed)
    lists = {"train": _part(train, kept), "val": _part(train, drawn), "test": test}
    return dataset(config, class_names, {name: listed for name, listed in lists.items() if listed.paths}, check)


def _places(config: DataConfig) -> list[tuple[str, str]]:
    """The two lists and the folder of images, each in a folder domainnet/ or without one."""
    wanted = domain(config.name)
    return [(f"domainnet/{name}", name) for name in (f"{wanted}_train.txt", f"{wanted}_test.txt", wanted)]


def _class_names(lists: tuple[Listed, Listed]) -> tuple[str, ...]:
    """The folder of every class's images; "class 17" where the lists have none."""
    folders: dict[int, tuple[str, Path]] = {}
    for listed in lists:
        for path, label in zip(listed.paths, listed.labels.tolist(), strict=True):
            folder = path.parts[-2]
            name, source = folders.setdefault(label, (folder, listed.source))
            if name != folder:
                raise DataError(
                    f"{listed.source}: class {label} is {folder!r} there and {name!r} in {source}; get the lists again"
                )
    return tuple(folders[label][0] if label in folders else f"class {label}" for label in range(CLASSES))


def _drawn(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted indices of the images that stay for training, and of those for choices."""
    counts = np.bincount(labels, minlength=CLASSES)
    several = np.flatnonzero(counts > 1)
    candidates = np.flatnonzero(counts[labels] > 1)
    dense = np.searchsorted(several, labels[candidates])
    val = (
        candidates[set_aside(dense, [VAL_SHARE], seed, [f"class {label}" for label in several])[0]]
        if len(several)
        else candidates
    )
    return np.setdiff1d(np.arange(len(labels)), val), val


def _part(listed: Listed, indices: np.ndarray) -> Listed:
    return Listed(listed.source, tuple(listed.paths[i] for i in indices), listed.labels[indices])


SOURCES = (
    Source(
        PREFIX,
        "a domain of DomainNet: the same 345 classes in six styles",
        load,
        scan,
        missing,
        tuple(f"{PREFIX}{domain}" for domain in DOMAINS),
        kept=True,
        order=210,
    ),
)
