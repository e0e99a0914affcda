"""Draws are disjoint, complete, deterministic and fair to the classes, whatever the labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimi_core.data.sampling import few_shot, set_aside, stratified_order, subset
from mimi_core.errors import DataError

NAMES = ("ant", "bee", "cat", "dog")
seeds = st.integers(0, 2**31 - 1)
shares = st.lists(st.floats(0.01, 0.3), max_size=2)


@st.composite
def labels(draw: st.DrawFn, at_least: int = 1) -> np.ndarray:
    counts = draw(st.lists(st.integers(at_least, 30), min_size=len(NAMES), max_size=len(NAMES)))
    return np.array(draw(st.permutations(np.repeat(np.arange(len(NAMES)), counts).tolist())))


@given(labels(), seeds)
def test_every_prefix_of_a_stratified_order_is_fair(labels: np.ndarray, seed: int) -> None:
    order = stratified_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    assert np.array_equal(order, stratified_order(labels, seed))
    for label in np.unique(labels):
        share = np.mean(labels == label)
        so_far = np.cumsum(labels[order] == label)
        # every class is at most half an image ahead or behind, which moves the others' shares a little, too
        bound = 0.5 * (1 - share) + 0.5 * share * (len(NAMES) - 1)
        assert np.abs(so_far - share * np.arange(1, len(labels) + 1)).max() <= bound + 1e-9


@given(labels(), st.integers(1, 150), seeds)
def test_a_subset_has_the_size_asked_for(labels: np.ndarray, size: int, seed: int) -> None:
    chosen = subset(labels, size, seed)
    assert len(chosen) == min(size, len(labels))
    assert np.all(np.diff(chosen) > 0)


@given(labels(at_least=3), shares, seeds)
def test_parts_are_disjoint_complete_and_hold_every_class(labels: np.ndarray, shares: list[float], seed: int) -> None:
    parts = set_aside(labels, shares, seed, NAMES)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert all(np.array_equal(a, b) for a, b in zip(parts, set_aside(labels, shares, seed, NAMES), strict=True))
    for part in parts:
        assert set(labels[part]) == set(range(len(NAMES)))
    for share, part in zip(shares, parts, strict=False):
        for label in range(len(NAMES)):
            asked = share * np.sum(labels == label)
            assert np.sum(labels[part] == label) == max(1, int(asked + 0.5))


@given(labels(at_least=5), st.integers(1, 5), seeds)
def test_shots_are_exact_and_nested(labels: np.ndarray, shots: int, seed: int) -> None:
    chosen = few_shot(labels, shots, seed, NAMES)
    assert np.all(np.diff(chosen) > 0)
    assert np.bincount(labels[chosen]).tolist() == [shots] * len(NAMES)
    assert set(few_shot(labels, max(1, shots - 1), seed, NAMES)) <= set(chosen)


@settings(max_examples=20)
@given(seeds)
def test_another_seed_draws_other_images(seed: int) -> None:
    labels = np.repeat(np.arange(4), 50)
    for draw in (lambda s: few_shot(labels, 20, s, NAMES), lambda s: set_aside(labels, [0.5], s, NAMES)[0]):
        assert not np.array_equal(draw(seed), draw(seed ^ 1))


def test_golden_draws() -> None:
    """The stream of RandomState is frozen, so these may never change: runs are compared across versions."""
    labels = np.arange(40) % 4
    assert few_shot(labels, 2, 0, NAMES).tolist() == [7, 8, 10, 13, 14, 21, 27, 32]
    assert stratified_order(labels, 7)[:8].tolist() == [5, 10, 39, 32, 20, 13, 18, 23]


def test_too_few_images_are_named() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
    with pytest.raises(DataError, match=r"data\.shots is 3, but class 'cat' has only 2"):
        few_shot(labels, 3, 0, NAMES)
    with pytest.raises(DataError, match=r"class 'cat' has 2 image\(s\), too few to split into 3 parts"):
        set_aside(labels, [0.1, 0.1], 0, NAMES)
