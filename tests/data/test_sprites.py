"""Drawn tasks: the same everywhere, balanced, disjoint, and what the label says is in the picture."""

import hashlib

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.sources.sprites import CELL, EDGE, MARGIN, POINTED, SIZES, TASKS, Sprite, _paint, draw

NAMES = sorted(TASKS)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("sprites-count", "18774d191f07a4f4"),
        ("sprites-location", "32d07fdd0a12bba8"),
        ("sprites-orientation", "2062d8503184789a"),
    ],
)
def test_pictures_are_the_same_on_every_machine(name: str, digest: str) -> None:
    pixels = b"".join(draw(name, split, number).tobytes() for split in SIZES for number in range(4))
    assert hashlib.sha256(pixels).hexdigest()[:16] == digest


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_balanced_and_differ(name: str) -> None:
    dataset = load(DataConfig(name=name))
    classes = len(dataset.class_names)
    for split, size in SIZES.items():
        part = getattr(dataset, split)
        assert len(part) == size
        assert set(np.bincount(part.labels, minlength=classes)) == {size // classes}
    first = [np.asarray(getattr(dataset, split).images[0]) for split in SIZES]
    assert first[0].shape == (EDGE, EDGE, 3)
    assert not any(np.array_equal(a, b) for a, b in ((first[0], first[1]), (first[0], first[2]), (first[1], first[2])))


def test_shots_are_those_of_the_seed() -> None:
    few, again, other = (
        load(DataConfig(name="sprites-count", shots=2, seed=seed, max_eval=16)).train for seed in (1, 1, 2)
    )
    assert np.bincount(few.labels).tolist() == [2] * 6
    assert [few.images.describe(i) for i in range(12)] == [again.images.describe(i) for i in range(12)]
    assert [few.images.describe(i) for i in range(12)] != [other.images.describe(i) for i in range(12)]


@pytest.mark.parametrize("number", range(40))
def test_what_the_label_says_is_in_the_picture(number: int) -> None:
    def of(name: str) -> tuple[int, list]:  # type: ignore[type-arg]
        label = number % len(TASKS[name].class_names)
        return label, TASKS[name].sprites(np.random.RandomState(number), label)

    label, (one,) = of("sprites-location")
    assert (int((one.y - MARGIN) // CELL), int((one.x - MARGIN) // CELL)) == divmod(label, 4)
    label, (one,) = of("sprites-orientation")
    assert round(one.direction / (2 * np.pi / 16)) % 16 == label
    label, many = of("sprites-count")
    assert len(many) == label + 1
    for i, first in enumerate(many):
        assert first.radius <= min(first.x, first.y, EDGE - first.x, EDGE - first.y)
        assert all(np.hypot(first.x - s.x, first.y - s.y) > first.radius + s.radius for s in many[:i])


def test_direction_is_clockwise_from_upwards() -> None:
    """What points east is narrow on its right."""
    for shape in POINTED:
        canvas = np.zeros((EDGE, EDGE, 3))
        _paint(canvas, Sprite(shape, 32, 32, 18, np.pi / 2), np.ones(3))
        rows, columns = np.nonzero(canvas[..., 0] > 0.5)
        assert abs(rows.mean() - 31.5) < 0.5
        assert columns.max() - 31.5 > 16
        spread = [np.ptp(rows[columns == c]) for c in np.unique(columns)]
        assert np.mean(spread[-3:]) < max(spread), "narrower at its tip"
