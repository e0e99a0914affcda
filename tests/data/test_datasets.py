"""Datasets by name, the digits, shots and evaluation subsets, and what a dataset is made of."""

import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import Dataset, Split, known, load
from mimi_core.data.catalogue import in_order, source_of
from mimi_core.data.types import ArrayImages
from mimi_core.errors import DataError


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(DataConfig(name="digits"))


def rows(split: Split) -> list[int]:
    """The images' numbers in their source."""
    return [int(split.images.describe(index).split()[-1]) for index in range(len(split))]


def test_digits_are_all_there_once(digits: Dataset) -> None:
    assert digits.class_names == tuple("0123456789")
    assert [len(split) for split in (digits.train, digits.val, digits.test)] == [797, 200, 800]
    assert sorted(rows(digits.train) + rows(digits.val) + rows(digits.test)) == list(range(1797))


def test_digits_are_stratified(digits: Dataset) -> None:
    everything = np.concatenate([digits.train.labels, digits.val.labels, digits.test.labels])
    for split in (digits.train, digits.val, digits.test):
        expected = np.bincount(everything) * len(split) / 1797
        assert np.abs(np.bincount(split.labels) - expected).max() <= 1


def test_digits_are_split_once_and_for_all(digits: Dataset) -> None:
    """Golden: published numbers refer to this very split."""
    assert rows(load(DataConfig(name="digits", seed=3)).test) == rows(digits.test)
    assert zlib.crc32(np.array(rows(digits.test), dtype="<i8").tobytes()) == 618214277


def test_digits_use_the_whole_range(digits: Dataset) -> None:
    """Image 0 of the source is a zero; its first row is 0 0 5 13 9 1 0 0 of 16."""
    split = next(s for s in (digits.train, digits.val, digits.test) if 0 in rows(s))
    index = rows(split).index(0)
    picture = split.images[index]
    assert (picture.mode, picture.size, split.labels[index]) == ("L", (8, 8), 0)
    assert np.asarray(picture)[0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]
    assert max(np.asarray(split.images[i]).max() for i in range(len(split))) == 255


def test_shots(digits: Dataset) -> None:
    few = load(DataConfig(name="digits", shots=7, seed=1))
    assert np.bincount(few.train.labels).tolist() == [7] * 10
    assert set(rows(few.train)) <= set(rows(digits.train))
    assert rows(few.test) == rows(digits.test)
    assert rows(load(DataConfig(name="digits", shots=7, seed=1)).train) == rows(few.train)
    assert rows(load(DataConfig(name="digits", shots=7, seed=2)).train) != rows(few.train)
    with pytest.raises(DataError, match=r"data.shots is 80, but class '\d' has only 7\d training image"):
        load(DataConfig(name="digits", shots=80))


def test_max_eval(digits: Dataset) -> None:
    small = load(DataConfig(name="digits", max_eval=50))
    assert [len(split) for split in (small.train, small.val, small.test)] == [797, 50, 50]
    assert set(rows(small.test)) <= set(rows(digits.test))
    assert np.bincount(small.test.labels).min() >= 4
    assert rows(load(DataConfig(name="digits", max_eval=50, seed=1)).test) != rows(small.test)
    assert len(load(DataConfig(name="digits", max_eval=500)).val) == 200


def test_known_names() -> None:
    names = list(known())
    assert names[:2] == ["digits", "fashion-mnist"]
    assert {"cifar10", "vtab:kitti", "domainnet:sketch", "folder:PATH"} <= set(names)
    assert len([name for name in names if name.startswith("vtab:")]) == 19
    assert all(known().values())


def test_validation_images_can_be_trained_on(digits: Dataset) -> None:
    """Then there are none, and nothing is lost or there twice."""
    both = load(DataConfig(name="digits", train_on_val=True))
    assert rows(both.train) == rows(digits.train) + rows(digits.val)
    assert (len(both.val), rows(both.test)) == (0, rows(digits.test))
    for index in (0, 796, 797, 996):
        source, number = (digits.train, index) if index < 797 else (digits.val, index - 797)
        assert np.array_equal(np.asarray(both.train.images[index]), np.asarray(source.images[number]))
        assert both.train.labels[index] == source.labels[number]
    few = load(DataConfig(name="digits", train_on_val=True, shots=75))  # more than the training images have of each
    assert np.bincount(few.train.labels).tolist() == [75] * 10
    assert few.train.images.thumbnail(0, 4)[0].size == (4, 4)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digit", "did you mean 'digits'?"),
        ("fashion_mnist", "did you mean 'fashion-mnist'?"),
        ("folder", "did you mean 'folder:PATH'?"),
        ("imagenet", "known: digits, fashion-mnist, "),
        ("imagenet", "vtab:.., domainnet:.., folder:PATH"),
        ("vtab-cifar", "did you mean 'vtab:cifar'?"),
    ],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(DataError, match=f"unknown dataset '{name}'") as caught:
        load(DataConfig(name=name))
    assert hint in str(caught.value)


def test_loading_needs_no_torch_and_not_all_of_scikit_learn() -> None:
    """The app's process draws previews with this."""
    program = (
        "import sys; from mimi_core.config import DataConfig; from mimi_core.data import load; "
        "load(DataConfig(name='digits')); print([name for name in ('torch', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_images_are_taken_by_number() -> None:
    array = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    images = ArrayImages(array, "test").take(np.array([4, 0, 2])).take(np.array([2, 0]))
    assert (len(images), images.channels) == (2, 1)
    assert images.describe(0) == "test image 2"
    assert np.array_equal(np.asarray(images[1]), array[4])


def test_colour_arrays() -> None:
    images = ArrayImages(np.zeros((2, 4, 5, 3), dtype=np.uint8), "test")
    assert (images.channels, images[0].mode, images[0].size) == (3, "RGB", (5, 4))


def test_labels_must_fit_the_images() -> None:
    with pytest.raises(ValueError, match="2 images but labels of shape"):
        Split(ArrayImages(np.zeros((2, 4, 4), dtype=np.uint8), "test"), np.zeros(3, dtype=np.int64))


def test_no_two_datasets_answer_to_one_name() -> None:
    vtab, digits = source_of("vtab:cifar"), source_of("digits")
    for twice in ([digits, digits], [vtab, replace(digits, name="vtab:mine")]):
        with pytest.raises(ValueError, match="two datasets answer to"):
            in_order(twice)
