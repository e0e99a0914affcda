"""vtab:TASK, from lists in the real layout. What a list may have wrong is tested here for all sets that have lists."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import Dataset, load, missing, scan
from mimi_core.data.intake.preview import preview
from mimi_core.data.sources import vtab
from mimi_core.data.types import FileImages, Split
from mimi_core.errors import DataError
from tests.layouts import write_vtab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_vtab(tmp_path, "kitti")


def read(folder: Path, how: Callable[..., Dataset] = load, **options: object) -> Dataset:
    return how(DataConfig(name="vtab:kitti", path=folder.parents[1], **options), *([10.0] if how is scan else []))


def fault(folder: Path, how: Callable[..., Dataset] = load, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, how, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files(split: Split) -> list[str]:
    return [split.images.describe(index) for index in range(len(split))]


def test_the_table_of_tasks() -> None:
    """Tasks, groups and classes as published."""
    groups = [task.group for task in vtab.TASKS.values()]
    assert [groups.count(group) for group in ("natural", "specialised", "structured")] == [7, 4, 8]
    classes = {name: len(task.class_names) for name, task in vtab.TASKS.items()}
    assert classes == {
        "cifar": 100, "caltech101": 102, "dtd": 47, "oxford_flowers102": 102, "oxford_iiit_pet": 37, "svhn": 10,
        "sun397": 397, "patch_camelyon": 2, "eurosat": 10, "resisc45": 45, "diabetic_retinopathy": 5, "clevr_count": 8,
        "clevr_dist": 6, "dmlab": 6, "kitti": 4, "dsprites_loc": 16, "dsprites_ori": 16, "smallnorb_azi": 18,
        "smallnorb_ele": 9,
    }  # fmt: skip
    assert all(len(set(task.class_names)) == len(task.class_names) for task in vtab.TASKS.values())
    assert vtab.TASKS["oxford_flowers102"].class_names[6] == "moon orchid"


def test_splits_and_labels_are_those_of_the_lists(folder: Path) -> None:
    data = read(folder)
    assert data.class_names == ("below 8 m", "8 to 20 m", "above 20 m", "no vehicle")
    assert [len(split) for split in (data.train, data.val, data.test)] == [24, 12, 12]
    assert data.val.labels.tolist() == [(24 + i) % 4 for i in range(12)]
    assert files(data.test)[3] == str(folder / "images/test/000003.jpg")
    assert data.train.images[0].size == (12, 10)


def test_the_published_protocol_trains_on_both_and_has_no_validation_images(folder: Path) -> None:
    for stem in ("train800", "val200"):
        (folder / f"{stem}.txt").unlink()  # not needed then
    data = read(folder, train_on_val=True)
    assert [len(split) for split in (data.train, data.val, data.test)] == [36, 0, 12]
    assert {Path(name).parent.name for name in files(data.train)} == {"train800val200"}


def test_the_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vtab-1k itself, what holds it, or MIMI_DATA."""
    assert len(load(DataConfig(name="vtab:kitti", path=folder.parent)).train) == 24
    monkeypatch.setenv("MIMI_DATA", str(folder.parents[1]))
    assert len(load(DataConfig(name="vtab:kitti")).train) == 24
    assert missing(DataConfig(name="vtab:kitti")) is None
    told = missing(DataConfig(name="vtab:dtd"))
    assert told is not None
    assert told.startswith(f"vtab:dtd: {folder.parents[1]}/vtab-1k/dtd is not there")
    assert "NOAH" in told
    assert missing(DataConfig(name="digits")) is None


def test_a_look_counts_without_opening_images(folder: Path) -> None:
    for image in (folder / "images/test").iterdir():
        image.unlink()
    assert [len(s) for s in (read(folder, scan).train, read(folder, scan).test)] == [24, 12]
    seen = preview(DataConfig(name="vtab:kitti", path=folder.parents[1]))
    assert seen.counts["train"] == (6, 6, 6, 6)
    assert "missing, though" in fault(folder)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vtab:cifr", "unknown task of VTAB-1k 'cifr': did you mean 'cifar'?"),
        ("vtab:", "unknown task of VTAB-1k ''; known: cifar, caltech101"),
        ("vtab:../kitti", "unknown task of VTAB-1k '../kitti': did you mean 'kitti'?"),
    ],
)
def test_an_unknown_task(name: str, hint: str) -> None:
    with pytest.raises(DataError, match=re.escape(hint)):
        load(DataConfig(name=name))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("images/a.jpg 4", "line 1: has the label 4; expected 0 to 3"),
        ("images/a.jpg 1\n\nimages/b.jpg 99999999999999999999", "line 3: has the label 99999999999999999999; expected"),
        ("images/a.jpg -1", "line 1: expected an image's path and its class number, got 'images/a.jpg -1'"),
        ("images/a.jpg", "line 1: expected an image's path"),
        ("images/a.jpg\t1", "line 1: expected an image's path"),
        ("images/a.jpg one", "line 1: expected an image's path"),
        ("3", "line 1: expected an image's path"),
        ("images/a.jpg ³", "line 1: expected an image's path"),
        ("../../etc/passwd 1", "line 1: '../../etc/passwd' does not stay inside"),
        ("/etc/passwd 1", "line 1: '/etc/passwd' does not stay inside"),
        ("images/../../../x.jpg 1", "does not stay inside"),
        ("images\\..\\x.jpg 1", "does not stay inside"),
        ("images/\x00.jpg 1", "does not stay inside"),
        ("", "test.txt: has no lines"),
        ("\n \n", "test.txt: has no lines"),
        ("images/test/000000.jpg 1\nimages/test/000000.jpg 2", "000000.jpg: is twice in"),
        ("images/train800/000000.jpg 1", "000000.jpg: is in"),
    ],
)
@pytest.mark.parametrize("how", [load, scan])
def test_a_list_with_a_mistake(tmp_path: Path, lines: str, told: str, how: Callable[..., Dataset]) -> None:
    folder = write_vtab(tmp_path, "kitti", images=False)
    (folder / "test.txt").write_text(lines)
    message = fault(folder, how, skip_bad=True)
    assert told in message
    assert str(folder / "test.txt") in message


def test_a_list_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    folder = write_vtab(tmp_path, "kitti", images=False)
    (folder / "test.txt").write_bytes(b"\xff\xd8\xff")
    assert f"{folder / 'test.txt'}: not a text file" in fault(folder)
    (folder / "test.txt").unlink()
    assert f"{folder / 'test.txt'}: no such file" in fault(folder)


def test_windows_line_ends_do_not_matter(folder: Path) -> None:
    text = (folder / "test.txt").read_text()
    (folder / "test.txt").write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    assert len(read(folder).test) == 12


def test_bad_images_stop_the_load_or_are_listed(folder: Path) -> None:
    (folder / "images/train800/000001.jpg").unlink()
    (folder / "images/val200/000002.jpg").write_bytes(b"junk")
    image = folder / "images/test/000003.jpg"
    image.write_bytes(image.read_bytes()[:200])
    message = fault(folder)
    assert message.startswith(
        f"{folder / 'images/train800/000001.jpg'}: missing, though {folder / 'train800.txt'} lists"
    )
    assert "(and 2 more that cannot be used)" in message
    data = read(folder, skip_bad=True)
    assert [len(split) for split in (data.train, data.val, data.test)] == [23, 11, 11]
    assert data.train.labels.tolist() == [i % 4 for i in range(24) if i != 1]
    assert [Path(line.split(": ")[0]).parent.name for line in data.skipped] == ["train800", "val200", "test"]


def test_a_split_with_nothing_left(folder: Path) -> None:
    for path in (folder / "images/val200").iterdir():
        path.write_bytes(b"junk")
    assert f"{folder / 'val200.txt'}: not one image in it can be read" in fault(folder, skip_bad=True)


def test_progress_and_shots_and_draws(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    data = load(
        DataConfig(name="vtab:kitti", path=folder.parents[1], shots=3, max_eval=5),
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (48, 48)
    assert np.bincount(data.train.labels).tolist() == [3] * 4
    assert (len(data.val), len(data.test)) == (5, 5)
    assert isinstance(data.train.images, FileImages)
