"""Which images: seeded draws that respect the classes. Pure functions of labels and a seed.

`RandomState` and not `default_rng`, because its stream is frozen: a split must be the same in every numpy to come.
"""

from collections.abc import Sequence

import numpy as np

from mimi_core.errors import DataError


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """A shuffled order in which the classes are spread evenly.

    Every prefix, and so every stretch, holds the classes in their overall proportion: classes of one size to within one
    image, and each class at most half an image before or behind its even spacing.

    Args:
        labels: (n,) int64.

    Returns:
        (n,) int64 permutation.
    """
    random = np.random.RandomState(seed)
    quantile = np.empty(len(labels))
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        quantile[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((random.random_sample(len(labels)), quantile))


def subset(labels: np.ndarray, size: int | None, seed: int) -> np.ndarray:
    """Sorted indices of at most `size` images (None: all), the classes in proportion."""
    return np.sort(stratified_order(labels, seed)[:size])


def set_aside(labels: np.ndarray, shares: Sequence[float], seed: int, class_names: Sequence[str]) -> list[np.ndarray]:
    """Draw parts out of every class, at least one image of each class into each part.

    Args:
        labels: (n,) int64.
        shares: share of every class that goes into each part.

    Returns:
        One array of sorted indices per share, then one with what is left; they are disjoint and hold everything.

    Raises:
        DataError: a class has fewer images than there are parts.
    """
    random = np.random.RandomState(seed)
    parts: list[list[np.ndarray]] = [[] for _ in range(len(shares) + 1)]
    for label, name in enumerate(class_names):
        members = random.permutation(np.flatnonzero(labels == label))
        if len(members) < len(parts):
            raise DataError(
                f"class {name!r} has {len(members)} image(s), too few to split into {len(parts)} parts; "
                "add images, remove the class, or sort the images into train, val and test folders yourself"
            )
        sizes = [max(1, int(share * len(members) + 0.5)) for share in shares]
        for part, piece in zip(parts, np.split(members, np.cumsum(sizes)), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def few_shot(labels: np.ndarray, shots: int, seed: int, class_names: Sequence[str]) -> np.ndarray:
    """Sorted indices of `shots` images of every class. More shots with the same seed contain the fewer.

    A class without any image, as there is one in DomainNet's paintings, cannot be learned and stays so.

    Raises:
        DataError: a class has too few images.
    """
    random = np.random.RandomState(seed)
    chosen: list[np.ndarray] = []
    for label, name in enumerate(class_names):
        members = random.permutation(np.flatnonzero(labels == label))
        if 0 < len(members) < shots:
            raise DataError(
                f"data.shots is {shots}, but class {name!r} has only {len(members)} training image(s); lower data.shots"
            )
        chosen.append(members[:shots])
    return np.sort(np.concatenate(chosen))
