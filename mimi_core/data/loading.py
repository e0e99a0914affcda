"""From a config to the dataset that it describes, cut down to its shots and its evaluation images."""

from dataclasses import replace

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.catalogue import source_of
from mimi_core.data.classes import only
from mimi_core.data.sampling import few_shot, subset
from mimi_core.data.types import Dataset, Progress, Split, joined


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """The dataset that `config` describes: read, checked, and cut down to its shots and its evaluation images.

    When this returns, every image is known to be readable.

    Args:
        on_progress: called with (images checked, images in all) where checking takes a while.

    Raises:
        DataError: unknown name or class, missing or broken files, or too few images of a class.
        ResourceError: memory does not suffice.
    """
    return _as_asked(source_of(config.name).load(config, on_progress), config)


def scan(config: DataConfig, seconds: float) -> Dataset:
    """As `load`, but at once: the images of a folder are listed and not yet opened, so they may be unreadable.

    Args:
        seconds: how long listing a folder may take.

    Raises:
        DataError, ResourceError: as in `load`; or the time did not suffice.
    """
    source = source_of(config.name)
    return _as_asked(source.scan(config, seconds) if source.scan else source.load(config, None), config)


def _as_asked(dataset: Dataset, config: DataConfig) -> Dataset:
    """Cut down to the classes, the shots and the evaluation images of `config`."""
    if config.classes is not None:
        dataset = only(dataset, config.classes)
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


def _at_most(split: Split, size: int | None, seed: int) -> Split:
    return split if size is None else split.take(subset(split.labels, size, seed))
