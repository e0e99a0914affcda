"""Some classes of a dataset are a task of their own: `data.classes`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimi_core.config import DataConfig, make_config
from mimi_core.data.loading import load
from mimi_core.errors import DataError


def test_only_the_classes_asked_for_are_left_and_their_images_are_the_same() -> None:
    whole, some = load(DataConfig(name="digits")), load(DataConfig(name="digits", classes="7 | 2|4"))
    assert some.class_names == ("2", "4", "7"), "in the dataset's order, however they were written"
    for split in ("train", "val", "test"):
        all_of, left = getattr(whole, split), getattr(some, split)
        stay = np.flatnonzero(np.isin(all_of.labels, (2, 4, 7)))
        assert [some.class_names[label] for label in left.labels] == [str(all_of.labels[i]) for i in stay]
        assert all(np.array_equal(left.images[k], all_of.images[int(i)]) for k, i in enumerate(stay[:20]))


def test_shots_and_evaluation_images_are_counted_of_what_is_left() -> None:
    some = load(DataConfig(name="fashion-mnist", classes="Dress|Sneaker", shots=6, max_eval=10))
    assert np.bincount(some.train.labels).tolist() == [6, 6]
    assert (len(some.val), np.bincount(some.test.labels).tolist()) == (10, [5, 5])


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("Dress|Trouser|Sneakers", "no class 'Sneakers'; there is 'Sneaker'"),
        ("Dress, Sneaker", "with a | between them"),
        ("Dress", "names 1 class"),
        (" | ", "names 0 class"),
    ],
)
def test_what_is_no_choice_of_classes_is_refused(classes: str, says: str) -> None:
    with pytest.raises(DataError, match=r"data\.classes") as refused:
        load(DataConfig(name="fashion-mnist", classes=classes))
    assert says in str(refused.value)


def test_a_name_is_the_same_in_whatever_unicode_form(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("caf\u00e9", "the", "eau"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(4):
                Image.new("L", (9, 9), 10 * i).save(tmp_path / split / name / f"{i}.png")
    dataset = load(DataConfig(name=f"folder:{tmp_path}", classes="cafe\u0301|eau"))
    assert dataset.class_names == ("caf\u00e9", "eau")


def test_classes_are_typed_as_they_stand() -> None:
    config = make_config(preset="demo", sets=["data.classes=0|010|3"])
    assert config.data.classes == "0|010|3"
