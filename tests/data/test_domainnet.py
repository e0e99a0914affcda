"""domainnet:DOMAIN: labels are those of the lists, also where a class is missing from them."""

from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import Dataset, load, missing, scan
from mimi_core.errors import DataError
from tests.layouts import DOMAINNET, write_domainnet


def read(root: Path, domain: str = "painting", **options: object) -> Dataset:
    return load(DataConfig(name=f"domainnet:{domain}", path=root, **options))


def test_a_missing_class_shifts_no_label(tmp_path: Path) -> None:
    write_domainnet(tmp_path, "painting")
    data = read(tmp_path)
    assert len(data.class_names) == 345
    assert {label: data.class_names[label] for label in DOMAINNET} == DOMAINNET
    assert data.class_names[2] == "class 2"
    assert 327 not in data.train.labels
    assert (data.test.labels == 327).sum() == 2
    few = read(tmp_path, shots=2)
    assert np.bincount(few.train.labels)[[0, 326]].tolist() == [2, 2]
    assert len(few.train) == 2 * (len(DOMAINNET) - 1)
    for split in (data.train, data.val, data.test):
        for index, label in enumerate(split.labels):
            assert f"/{DOMAINNET[label]}/" in split.images.describe(index)


def test_validation_images_are_a_tenth_of_every_class_and_follow_the_seed(tmp_path: Path) -> None:
    root = write_domainnet(tmp_path, "sketch")
    write_list = root / "sketch_train.txt"
    lines = write_list.read_text().splitlines()
    write_list.write_text("\n".join(line for line in lines if not line.endswith(" 326") or "000000" in line))

    def drawn(seed: int) -> list[str]:
        data = read(root, "sketch", seed=seed)
        assert np.bincount(data.val.labels)[[0, 1, 326, 327]].tolist() == [1, 1, 0, 1]
        assert np.bincount(data.train.labels)[[0, 1, 326, 327]].tolist() == [9, 9, 1, 9]
        return [data.val.images.describe(index) for index in range(len(data.val))]

    assert drawn(0) == drawn(0) != drawn(1)
    everything = read(root, "sketch", train_on_val=True)
    assert (len(everything.train), len(everything.val)) == (51, 0)
    assert everything.train.images.describe(50) in drawn(0)


def test_a_look_is_the_same_without_opening_images(tmp_path: Path) -> None:
    root = write_domainnet(tmp_path, "real")
    for image in (root / "real").rglob("*.jpg"):
        image.write_bytes(b"")
    seen = scan(DataConfig(name="domainnet:real", path=tmp_path), 10.0)
    assert [len(split) for split in (seen.train, seen.val, seen.test)] == [54, 6, 12]
    with pytest.raises(DataError, match=r"not a readable image .*and 71 more"):
        read(tmp_path, "real")


def test_lists_that_contradict_each_other(tmp_path: Path) -> None:
    root = write_domainnet(tmp_path, "clipart")
    text = (root / "clipart_test.txt").read_text()
    (root / "clipart_test.txt").write_text(text.replace(" 328\n", " 327\n"))
    with pytest.raises(
        DataError, match=r"clipart_test\.txt: class 327 is 'table' there and 't-shirt' in .*clipart_train"
    ):
        read(tmp_path, "clipart")


def test_an_image_for_training_and_for_tests(tmp_path: Path) -> None:
    root = write_domainnet(tmp_path, "clipart")
    with (root / "clipart_test.txt").open("a") as file:
        file.write((root / "clipart_train.txt").read_text().splitlines()[0])
    with pytest.raises(DataError, match="test images must not be trained on"):
        read(tmp_path, "clipart")


@pytest.mark.parametrize("gone", ["infograph_train.txt", "infograph_test.txt", "infograph"])
def test_what_is_missing_is_told_with_where_to_get_it(tmp_path: Path, gone: str) -> None:
    root = write_domainnet(tmp_path, "infograph")
    (root / gone).rename(root / "gone")
    config = DataConfig(name="domainnet:infograph", path=tmp_path)
    told = missing(config)
    assert told is not None
    assert told.startswith(
        f"domainnet:infograph: {root / gone} is not there. Get DomainNet from http://ai.bu.edu/M3SDA/"
    )
    with pytest.raises(DataError) as caught:
        load(config)
    assert str(caught.value) == told


def test_an_unknown_domain() -> None:
    with pytest.raises(DataError, match="unknown domain of DomainNet 'sketches': did you mean 'sketch'"):
        load(DataConfig(name="domainnet:sketches"))
