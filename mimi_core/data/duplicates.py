"""The same picture in two splits, resized or encoded anew: then a test image was trained on, and accuracy says less.

Pictures are compared by a perceptual hash (dHash of N. Krawetz, 2013): whether each of 8 x 8 places is brighter than
its right neighbour, which scaling and compression hardly change. X-rays of one kind, all alike in that, are other
pictures all the same: so those of one hash are looked at, side by side.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from PIL import Image

from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import ArrayImages, Dataset, Images, Progress
from mimi_core.errors import DataError

SPLITS = ("train", "val", "test")
NEAR = 3
"""Bits of 64 in which two hashes of one picture may differ, at most."""
_BLOCKS, _BITS = NEAR + 1, 64
"""Of hashes that differ in no more bits than that, one of so many blocks is the same."""
PLAIN = 8.0
"""A picture whose greys span less has no features to be known by."""
LARGEST_GROUP = 200
"""Of pictures with a block in common; beyond that a block tells nothing, and only equal hashes are compared."""
EDGE, SIDE = 64, 48
"""Pixels: of the pictures that are looked at, and of the squares that are compared."""
DIFFERENT = 0.05
"""Root of the mean squared difference of two standardised pictures. A JPEG of quality 30 differs from its original by
0.04, an X-ray that differs in noise of 2 % by 0.055."""
KEPT = 4096


@dataclass(frozen=True)
class Pair:
    """Two pictures that look the same, in different splits."""

    first: str
    second: str
    splits: tuple[str, str]
    labels: tuple[int, int]

    @property
    def contradict(self) -> bool:
        return self.labels[0] != self.labels[1]


def dhash(image: Image.Image) -> int | None:
    """64 bits, which pictures that look alike share but for a few; None for one that is nearly plain."""
    small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS), dtype=np.int16)
    if np.ptp(small) < PLAIN:
        return None
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def across_splits(dataset: Dataset, on_progress: Progress | None = None) -> list[Pair]:
    """All pairs of pictures of different splits that look the same; in the order of the dataset.

    None of pictures that come from no file: those were drawn or published so, and tiny ones do look alike.
    """
    own = [split for split in SPLITS if not isinstance(getattr(dataset, split).images, ArrayImages)]
    places = [(split, index) for split in own for index in range(len(getattr(dataset, split)))]

    def look(place: tuple[str, int]) -> int | None:
        images: Images = getattr(dataset, place[0]).images
        try:
            return dhash(images.thumbnail(place[1], EDGE)[0])
        except DataError:  # it has become unreadable meanwhile
            return None

    @lru_cache(KEPT)
    def seen(place: tuple[str, int]) -> np.ndarray | None:
        try:
            return _standardised(getattr(dataset, place[0]).images.thumbnail(place[1], EDGE)[0])
        except DataError:
            return None

    def same(one: tuple[str, int], other: tuple[str, int]) -> bool:
        first, second = seen(one), seen(other)
        return first is not None and second is not None and float(np.sqrt(((first - second) ** 2).mean())) < DIFFERENT

    hashes = [one for chunk in in_chunks(look, places, os.cpu_count() or 1, on_progress) for one in chunk]
    pairs = [(places[a], places[b]) for a, b in sorted(_alike(hashes)) if places[a][0] != places[b][0]]
    return [_pair(dataset, one, other) for one, other in pairs if same(one, other)]


def _standardised(image: Image.Image) -> np.ndarray:
    """(48, 48) greys of mean 0 and standard deviation 1."""
    greys = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float32)
    standardised: np.ndarray = (greys - greys.mean()) / max(float(greys.std()), 1e-6)
    return standardised


def in_words(pairs: Sequence[Pair], class_names: Sequence[str], shown: int = 5) -> Iterator[str]:
    """What to beware of, a sentence each; nothing where there are none."""
    for contradict in (False, True):
        those = [pair for pair in pairs if pair.contradict == contradict]
        if not those:
            continue
        some = "; ".join(_named(pair, class_names) for pair in those[:shown])
        more = f"; and {len(those) - shown:,} more" if len(those) > shown else ""
        many = f"{len(those):,} pair{'s' * (len(those) > 1)} of images"
        told = (
            "look the same in different splits and have different classes: one of them may be wrong"
            if contradict
            else "look the same in different splits: what is tested was trained on"
        )
        yield f"{many} {told}: {some}{more}."


def _named(pair: Pair, class_names: Sequence[str]) -> str:
    ends = zip(pair.splits, (pair.first, pair.second), pair.labels, strict=True)
    return " and ".join(f"{split}: {name} ({class_names[label]})" for split, name, label in ends)


def _pair(dataset: Dataset, one: tuple[str, int], other: tuple[str, int]) -> Pair:
    first, second = (getattr(dataset, split) for split, _ in (one, other))
    return Pair(
        first.images.describe(one[1]),
        second.images.describe(other[1]),
        (one[0], other[0]),
        (int(first.labels[one[1]]), int(second.labels[other[1]])),
    )


def _alike(hashes: Sequence[int | None]) -> set[tuple[int, int]]:
    """Places of hashes that differ in at most `NEAR` bits."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    equal: dict[int, list[int]] = defaultdict(list)
    width = _BITS // _BLOCKS
    for place, value in enumerate(hashes):
        if value is not None:
            equal[value].append(place)
            for block in range(_BLOCKS):
                groups[block, value >> block * width & (1 << width) - 1].append(place)
    pairs = {pair for places in equal.values() if len(places) <= LARGEST_GROUP for pair in combinations(places, 2)}
    for places in groups.values():
        if len(places) <= LARGEST_GROUP:
            for a, b in combinations(places, 2):
                one, other = hashes[a], hashes[b]
                if one is not None and other is not None and (one ^ other).bit_count() <= NEAR:
                    pairs.add((a, b))
    return pairs
