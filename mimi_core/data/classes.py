"""Some of a dataset's classes, as a task of its own: what `data.classes` asks for."""

from dataclasses import replace

import numpy as np

from mimi_core.data.spelling import alike, normal
from mimi_core.data.types import Dataset, Split
from mimi_core.errors import DataError

BETWEEN = "|"
_MOST_LISTED = 20


def only(dataset: Dataset, classes: str) -> Dataset:
    """The dataset without its other classes; those that stay are numbered anew, in the order that they had.

    Args:
        classes: their names, with a `|` between them.

    Raises:
        DataError: one is none of the dataset's, or fewer than two are asked for.
    """
    known = {normal(name): name for name in dataset.class_names}
    asked = [normal(name.strip()) for name in classes.split(BETWEEN) if name.strip()]
    if unknown := next((name for name in asked if name not in known), None):
        listed = f" {BETWEEN} ".join(dataset.class_names[:_MOST_LISTED])
        more = f" {BETWEEN} .." if len(dataset.class_names) > _MOST_LISTED else ""
        raise DataError(
            f"data.classes: {dataset.name} has no class {unknown!r}{alike(unknown, list(known))}. "
            f"Write some of its names with a {BETWEEN} between them, out of: {listed}{more}"
        )
    names = tuple(name for key, name in known.items() if key in asked)
    if len(names) < 2:
        raise DataError(f"data.classes names {len(names)} class: name two or more, with a {BETWEEN} between them")
    number = np.full(len(dataset.class_names), -1)
    for new, name in enumerate(names):
        number[dataset.class_names.index(name)] = new
    train, val, test = (_only(split, number) for split in (dataset.train, dataset.val, dataset.test))
    return replace(dataset, class_names=names, train=train, val=val, test=test)


def _only(split: Split, number: np.ndarray) -> Split:
    """`number`: (classes,) new label of each class, -1 of those that go."""
    labels = number[split.labels]
    stay = np.flatnonzero(labels >= 0)
    return Split(split.images.take(stay), labels[stay])
