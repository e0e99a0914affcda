"""folder:PATH: both layouts, and every trap on the way with its own message."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import Dataset, Split, load
from mimi_core.data.types import FileImages
from mimi_core.errors import DataError

Tree = Callable[..., Path]
FLAT = {"cat": 20, "dog": 10, "emu": 4}
SPLIT = {
    f"{split}/{name}": count for split, count in (("train", 4), ("val", 2), ("test", 3)) for name in ("cat", "dog")
}


def read(root: Path, **options: object) -> Dataset:
    return load(DataConfig(name=f"folder:{root}", **options))


def fault(root: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files(split: Split) -> list[str]:
    return [split.images.describe(index) for index in range(len(split))]


def counts(split: Split) -> list[int]:
    return np.bincount(split.labels).tolist()


def test_a_folder_per_class_is_split_by_class(tree: Tree) -> None:
    data = read(tree(FLAT))
    assert data.class_names == ("cat", "dog", "emu")
    assert [counts(split) for split in (data.train, data.val, data.test)] == [[14, 6, 2], [3, 2, 1], [3, 2, 1]]
    everything = files(data.train) + files(data.val) + files(data.test)
    assert len(set(everything)) == sum(FLAT.values())
    for split in (data.train, data.val, data.test):
        assert [Path(name).parent.name for name in files(split)] == [data.class_names[i] for i in split.labels]
        assert split.labels.dtype == np.int64


def test_the_split_follows_the_seed_alone(tree: Tree) -> None:
    root = tree(FLAT)
    assert files(read(root).test) == files(read(root).test)
    assert files(read(root, seed=1).test) != files(read(root).test)


def test_given_splits_are_kept(tree: Tree) -> None:
    root = tree(SPLIT)
    data = read(root)
    assert [counts(split) for split in (data.train, data.val, data.test)] == [[4, 4], [2, 2], [3, 3]]
    for name, split in (("train", data.train), ("val", data.val), ("test", data.test)):
        assert {Path(path).parent.parent for path in files(split)} == {root / name}


@pytest.mark.parametrize(
    ("name", "other"),
    [("val", "valid"), ("val", "validation"), ("val", "Val"), ("train", "training"), ("test", "TESTING")],
)
def test_other_names_of_splits(tree: Tree, name: str, other: str) -> None:
    root = tree(SPLIT)
    (root / name).rename(root / other)
    data = read(root)
    assert [len(split) for split in (data.train, data.val, data.test)] == [8, 4, 6]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(("train", "test"), [17, 3, 20]), (("train", "val"), [17, 20, 3]), (("train",), [14, 3, 3])],
)
def test_missing_splits_are_drawn_from_train(tree: Tree, given: tuple[str, ...], expected: list[int]) -> None:
    data = read(tree({f"{split}/{name}": 20 for split in given for name in ("cat", "dog")}))
    splits = (data.train, data.val, data.test)
    assert [counts(split) for split in splits] == [[count, count] for count in expected]
    assert len({name for split in splits for name in files(split)}) == sum(map(len, splits))


def test_classes_may_be_called_like_splits(tree: Tree) -> None:
    assert read(tree({"train": 4, "car": 4, "test": 4})).class_names == ("car", "test", "train")


def test_pictures_arrive_as_grey_only_if_all_are(tree: Tree, image: Callable[..., Path]) -> None:
    root = tree({"cat": 3, "dog": 3}, "L")
    assert read(root).train.images.channels == 1
    assert read(root).train.images[0].mode == "L"
    image(root / "cat" / "colour.png", "RGB", seed=99)
    data = read(root)
    assert {split.images[i].mode for split in (data.train, data.val, data.test) for i in range(len(split))} == {"RGB"}


def test_other_files_do_not_matter(tree: Tree, image: Callable[..., Path]) -> None:
    root = tree(FLAT)
    clean = read(root)
    for name in ("README.txt", "cat/labels.csv", "cat/Thumbs.db", ".DS_Store", "cat/._000.png", ".hidden/x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"not an image")
    (root / "__MACOSX" / "cat").mkdir(parents=True)
    data = read(root)
    assert (data.class_names, files(data.train), data.skipped) == (clean.class_names, files(clean.train), ())


def test_images_are_found_at_any_depth(tree: Tree) -> None:
    data = read(tree({"cat/2023/may": 2, "cat": 1, "dog/a": 2, "dog/b": 2}))
    assert sum(len(split) for split in (data.train, data.val, data.test)) == 7


def test_links_to_images_and_to_class_folders_are_followed(tree: Tree, tmp_path: Path) -> None:
    root = tree({"cat": 3, "dog": 3})
    (root / "dog").rename(tmp_path / "elsewhere")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "link.png").symlink_to(tmp_path / "elsewhere" / "000.png")
    data = read(root)
    assert data.class_names == ("cat", "dog")
    assert sum(len(split) for split in (data.train, data.val, data.test)) == 7


def test_home_and_relative_paths(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(FLAT)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(read(Path("~/pictures")).train) == 22
    monkeypatch.chdir(tmp_path)
    assert len(read(Path("pictures")).train) == 22
    assert "~nobody-here" in fault(Path("~nobody-here/pictures"))
    assert fault(Path("nowhere")) == f"nowhere: no such folder in {tmp_path}"


def test_progress_is_told(tree: Tree) -> None:
    told: list[tuple[int, int]] = []
    load(DataConfig(name=f"folder:{tree({'cat': 60, 'dog': 40})}"), lambda done, total: told.append((done, total)))
    assert told == [(64, 100), (100, 100)]


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "pictures.zip").write_bytes(b"PK")
    assert "no such folder" in fault(tmp_path / "missing")
    assert "pictures.zip: a file, not a folder; unpack it" in fault(tmp_path / "pictures.zip")
    with pytest.raises(DataError, match="needs a path"):
        load(DataConfig(name="folder:"))


def test_too_few_classes(tmp_path: Path, tree: Tree) -> None:
    assert f"{tmp_path}: has no class folders" in fault(tmp_path)
    root = tree({"cat": 3})
    assert fault(root) == f"{root}: has only one class folder, 'cat'; at least two are needed"
    assert f"did you mean folder:{root}?" in fault(root.parent)


def test_unclear_splits(tree: Tree) -> None:
    root = tree(SPLIT)
    (root / "valid").mkdir()
    assert f"{root}: val and valid are for the same split" in fault(root)
    (root / "valid").rename(root / "test1")
    assert f"{root / 'test1'}: neither train, val nor test; rename it, or move it out of {root}" in fault(root)
    (root / "test1").rmdir()
    (root / "train").rename(root.parent / "aside")
    assert f"{root}: has no folder train with a folder per class in it" in fault(root)


def test_test_images_without_class_folders(tree: Tree, image: Callable[..., Path]) -> None:
    root = tree({"train/cat": 3, "train/dog": 3})
    image(root / "test" / "1.png")
    assert f"{root / 'test'}: holds images of no known class" in fault(root)


@pytest.mark.parametrize(("extra", "lacking"), [("train", "test"), ("test", "train"), ("val", "train")])
def test_splits_must_have_the_same_classes(tree: Tree, extra: str, lacking: str) -> None:
    root = tree({**SPLIT, f"{extra}/emu": 3})
    message = fault(root)
    assert f"class 'emu' is in {root / extra} but not in {root}" in message
    assert extra == "train" or lacking in message


@pytest.mark.parametrize("tree_of", [{**FLAT, "fox": 0}, {**SPLIT, "test/dog": 0}])
def test_an_empty_class(tree: Tree, tree_of: dict[str, int]) -> None:
    root = tree(tree_of)
    empty = next(name for name, count in tree_of.items() if count == 0)
    assert f"{root / empty}: a class without images" in fault(root, skip_bad=True)


def test_too_few_to_split(tree: Tree) -> None:
    assert "class 'dog' has 2 image(s), too few to split into 3 parts" in fault(tree({"cat": 5, "dog": 2}))


def test_links_in_circles(tree: Tree) -> None:
    root = tree(FLAT)
    (root / "fox").symlink_to(root)
    assert fault(root, skip_bad=True) == f"{root / 'fox'}: a link to a folder that contains it; remove it"
    (root / "fox").unlink()
    (root / "fox").symlink_to("fox")
    assert fault(root, skip_bad=True) == f"{root / 'fox'}: a link that leads nowhere; remove it"


def test_a_name_too_long(tmp_path: Path) -> None:
    assert "cannot be read (File name too long)" in fault(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("mode", [0, 0o400])
def test_a_folder_without_permission(tree: Tree, mode: int) -> None:
    root = tree(FLAT)
    (root / "cat").chmod(mode)
    try:
        message = fault(root)
    finally:
        (root / "cat").chmod(0o700)
    assert message.startswith(str(root / "cat"))
    assert "cannot be read (Permission denied); check its permissions" in message


def junk(path: Path) -> None:
    path.write_bytes(b"junk")


def truncated(path: Path) -> None:
    content = (path.parent / "000.png").read_bytes()
    path.write_bytes(content[: len(content) // 2])


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def linked_folder(path: Path) -> None:
    path.symlink_to(path.parent)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (junk, "not a readable image (its format is not recognised)"),
        (truncated, "not a readable image (image file is truncated"),
        (loop, "not a readable image (Too many levels of symbolic links)"),
        (linked_folder, "a link to a folder inside a class folder is not followed"),
    ],
)
def test_a_bad_image_stops_the_load_or_is_listed(tree: Tree, make: Callable[[Path], None], reason: str) -> None:
    root = tree(FLAT)
    bad = root / "dog" / "bad.png"
    make(bad)
    message = fault(root)
    assert message.startswith(f"{bad}: {reason}")
    assert message.endswith("; repair or remove it, or set data.skip_bad=true to leave such images out")

    data = read(root, skip_bad=True)
    assert len(data.skipped) == 1
    assert data.skipped[0].startswith(f"{bad}: {reason}")
    assert sum(len(split) for split in (data.train, data.val, data.test)) == sum(FLAT.values())


def test_several_bad_images_make_one_message(tree: Tree, image: Callable[..., Path]) -> None:
    root = tree(FLAT)
    for name in ("cat/0.png", "dog/1.jpg"):
        junk(root / name)
    image(root / "loose.png")
    message = fault(root)
    assert message.startswith(f"{root / 'loose.png'}: an image outside the class folders (and 2 more")
    assert [Path(line.split(": ")[0]).name for line in read(root, skip_bad=True).skipped] == [
        "loose.png",
        "0.png",
        "1.jpg",
    ]


def test_labels_stay_true_when_images_are_skipped(tree: Tree) -> None:
    root = tree(SPLIT)
    junk(root / "train" / "cat" / "000.png")
    data = read(root, skip_bad=True)
    assert counts(data.train) == [3, 4]
    assert [Path(name).parent.name for name in files(data.train)] == ["cat"] * 3 + ["dog"] * 4


def test_a_class_with_nothing_left(tree: Tree) -> None:
    root = tree(SPLIT)
    for path in (root / "val" / "dog").iterdir():
        junk(path)
    assert f"{root / 'val' / 'dog'}: a class without a readable image; the first: {root}" in fault(root, skip_bad=True)


def test_a_file_that_changes_later_is_named(tree: Tree) -> None:
    images = read(tree(FLAT)).train.images
    assert isinstance(images, FileImages)
    images.paths[3].unlink()
    with pytest.raises(DataError, match=f"{images.paths[3]}: not a readable image \\(No such file"):
        images[3]
