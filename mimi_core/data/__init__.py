"""Datasets by name. One file per source, one registry, no torch (except in `pixels`, which is for the worker)."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.sampling import few_shot, subset
from mimi_core.data.sources import digits, domainnet, fashion_mnist, folder, hf, sprites, torchvision_sets, vtab
from mimi_core.data.types import Dataset, Progress, Split, joined
from mimi_core.errors import DataError

__all__ = ["Dataset", "Split", "known", "load", "scan"]


@dataclass(frozen=True)
class Source:
    """A dataset, or a family of them where `name` ends with a colon: then the rest of the user's name is free."""

    name: str
    summary: str
    load: Callable[[DataConfig, Progress | None], Dataset]
    scan: Callable[[DataConfig, float], Dataset] | None = None
    """The same within so many seconds, without opening the images; None where `load` is quick."""
    missing: Callable[[DataConfig], str | None] | None = None
    """What of its files is missing, and how to get it; None for what is there. For what lies on the disk by name."""
    members: tuple[str, ...] = ()
    """All names of a family, where they are known; the one that people see otherwise."""

    def answers_to(self, name: str) -> bool:
        return name.startswith(self.name) if self.name.endswith(":") else name == self.name


def _kept(name: str, kept: torchvision_sets.Kept) -> Source:
    return Source(name, kept.summary, torchvision_sets.load, torchvision_sets.scan, torchvision_sets.missing)


SOURCES = (
    Source("digits", "1,797 handwritten digits of 8x8 pixels, 10 classes; comes with the program", digits.load),
    Source(
        "fashion-mnist",
        "70,000 clothes of 28x28 pixels, 10 classes; IDX files",
        fashion_mnist.load,
        missing=fashion_mnist.missing,
    ),
    Source("sprites-location", "drawn here: in which of 16 places is it? 64x64 pixels, 16 classes", sprites.load),
    Source("sprites-orientation", "drawn here: which way does it point? 64x64 pixels, 16 classes", sprites.load),
    Source("sprites-count", "drawn here: how many are there, one to six? 64x64 pixels, 6 classes", sprites.load),
    *(_kept(name, kept) for name, kept in torchvision_sets.SETS.items()),
    Source(
        vtab.PREFIX,
        "a task of VTAB-1k: 800 training and 200 validation images",
        vtab.load,
        vtab.scan,
        vtab.missing,
        tuple(f"{vtab.PREFIX}{task}" for task in vtab.TASKS),
    ),
    Source(
        domainnet.PREFIX,
        "a domain of DomainNet: the same 345 classes in six styles",
        domainnet.load,
        domainnet.scan,
        domainnet.missing,
        tuple(f"{domainnet.PREFIX}{domain}" for domain in domainnet.DOMAINS),
    ),
    Source(
        folder.PREFIX,
        "your own images: a folder per class, or train/ val/ test/ of such folders",
        folder.load,
        folder.scan,
        members=(f"{folder.PREFIX}PATH",),
    ),
    Source(
        hf.PREFIX,
        "a dataset of the Hugging Face Hub, or a folder that its library datasets reads",
        hf.load,
        hf.scan,
        hf.missing,
        members=(f"{hf.PREFIX}NAME",),
    ),
)


def known() -> dict[str, str]:
    """Name -> one line about it, of every dataset there is."""
    return {name: s.summary for s in SOURCES for name in s.members or (s.name,)}


def named() -> list[str]:
    """The names that are whole, and not only how one begins, as `folder:PATH`."""
    return [name for name in known() if not name.startswith((folder.PREFIX, hf.PREFIX))]


def absent(path: Path | None = None) -> dict[str, str]:
    """Name -> what is missing of it and how to get it, of the named datasets that are not on this machine.

    Args:
        path: where to look, as in `data.path`.
    """
    told = {name: missing(DataConfig(name=name, path=path)) for name in named()}
    return {name: what for name, what in told.items() if what}


def missing(config: DataConfig) -> str | None:
    """What of the dataset's files is missing, and how to get it. None where nothing is, or only `load` can tell.

    Raises:
        DataError: unknown name.
    """
    source = _source(config.name)
    return source.missing(config) if source.missing else None


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The dataset that `config` describes: read, checked, and cut down to its shots and its evaluation images.

    When this returns, every image is known to be readable.

    Args:
        on_progress: called with (images checked, images in all) where checking takes a while.

    Raises:
        DataError: unknown name, missing or broken files, or too few images of a class.
        ResourceError: memory does not suffice.
    """
    return _as_asked(_source(config.name).load(config, on_progress), config)


def scan(config: DataConfig, seconds: float) -> Dataset:
    """As `load`, but at once: the images of a folder are listed and not yet opened, so they may be unreadable.

    Args:
        seconds: how long listing a folder may take.

    Raises:
        DataError, ResourceError: as in `load`; or the time did not suffice.
    """
    source = _source(config.name)
    return _as_asked(source.scan(config, seconds) if source.scan else source.load(config, None), config)


def _as_asked(dataset: Dataset, config: DataConfig) -> Dataset:
    """Cut down to the shots and the evaluation images of `config`."""
    if config.train_on_val and len(dataset.val):
        nothing = dataset.val.take(np.zeros(0, dtype=np.int64))
        dataset = replace(dataset, train=joined(dataset.train, dataset.val), val=nothing)
    train = dataset.train
    if config.shots is not None:
        train = train.take(few_shot(train.labels, config.shots, config.seed, dataset.class_names))
    return replace(
        dataset,
        train=train,
        val=_at_most(dataset.val, config.max_eval, config.seed),
        test=_at_most(dataset.test, config.max_eval, config.seed),
    )


def _source(name: str) -> Source:
    for source in SOURCES:
        if source.answers_to(name):
            return source
    close = difflib.get_close_matches(name, known(), n=1, cutoff=0.5)
    families = (f"{s.name}.." if len(s.members) > 1 else (*s.members, s.name)[0] for s in SOURCES)
    hint = f": did you mean {close[0]!r}?" if close else f"; known: {', '.join(families)}"
    raise DataError(f"unknown dataset {name!r}{hint}")


def _at_most(split: Split, size: int | None, seed: int) -> Split:
    return split if size is None else split.take(subset(split.labels, size, seed))
