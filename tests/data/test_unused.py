"""Every file of a folder is an image that is used, or is counted by reason and ending."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from typer.testing import CliRunner

from mimi_core.cli.data import data
from mimi_core.config import DataConfig
from mimi_core.data import Dataset, load
from mimi_core.data.decode import read_image
from mimi_core.data.intake.preview import preview
from mimi_core.data.unused import in_words
from mimi_core.errors import DataError

Tree = Callable[..., Path]


def total(dataset: Dataset) -> int:
    return len(dataset.train) + len(dataset.val) + len(dataset.test)


def read(root: Path) -> Dataset:
    return load(DataConfig(name=f"folder:{root}"))


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "jp2", "tga", "qoi", "dib", "pcx", "JFIF"])
def test_what_pillow_reads_is_read(tree: Tree, ending: str) -> None:
    root = tree({"ash": 4, "oak": 4})
    picture = Image.new("RGB", (24, 16), (200, 40, 90))
    kinds = {"jfif": "JPEG", "jpe": "JPEG", "jp2": "JPEG2000"}
    picture.save(root / "oak" / f"more.{ending}", kinds.get(ending.lower(), ending.upper()))
    assert total(read(root)) == 9
    pixels = np.asarray(read_image(root / "oak" / f"more.{ending}")).astype(int)
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels - (200, 40, 90)).max() <= 6


def test_a_missing_ending_is_no_reason(tree: Tree) -> None:
    root = tree({"ash": 4, "oak": 4})
    for kind in ("JPEG", "PNG", "WEBP", "AVIF"):
        Image.new("RGB", (9, 9)).save(root / "oak" / f"named-{kind}", kind)
    (root / "oak" / "README").write_text("notes")
    dataset = read(root)
    assert total(dataset) == 12
    assert list(in_words(dataset.unused)) == ["1 file left out: 1 without an ending (no images that can be read)."]


def test_what_is_not_used_is_counted_by_reason_and_ending(tree: Tree) -> None:
    root = tree({"train/ash": 6, "train/oak": 6})
    for name in ("a.HEIC", "b.heic", "c.NEF", "d.zip", "e.txt", "f.txt", "Thumbs.db"):
        (root / "train" / "ash" / name).write_bytes(b"x")
    (root / "train" / "labels.csv").write_text("x")
    (root / "notes.md").write_text("x")
    dataset = read(root)
    counts = {key: count for key, count in dataset.unused.items() if key[0] != "heic"}
    assert counts == {
        ("raw", ".nef"): 1,
        ("other", ".zip"): 1,
        ("other", ".txt"): 2,
        ("other", ".csv"): 1,
        ("other", ".md"): 1,
        ("leftover", ".db"): 1,
    }
    assert total(dataset) + sum(dataset.unused.values()) == sum(path.is_file() for path in root.rglob("*"))
    said = "5 files left out: 2 .txt, 1 .csv, 1 .md, 1 .zip (no images that can be read)."
    assert said in preview(DataConfig(name=f"folder:{root}")).remarks
    assert f"beware: {said}" in CliRunner().invoke(data, ["check", str(root)], env={"COLUMNS": "300"}).stdout.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "@EADIR", ".ipynb_checkpoints", "#recycle", "$RECYCLE.BIN", "__MACOSX", "System Volume Information"],
)
@pytest.mark.parametrize("place", ["", "cat", "cat/deep"])
def test_leftovers_are_neither_images_nor_classes(tree: Tree, folder: str, place: str) -> None:
    root = tree({"cat": 5, "dog": 5})
    inside = root / place / folder / "0.png"
    inside.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(inside / "SYNOPHOTO_THUMB_M.png")
    dataset = read(root)
    assert dataset.class_names == ("cat", "dog")
    assert total(dataset) == 10
    assert dict(dataset.unused) == {("leftover", ".png"): 1}


def test_advice_about_images_of_no_known_class_can_be_followed(tree: Tree) -> None:
    root = tree({"train/cat": 8, "train/dog": 8})
    (root / "test").mkdir()
    Image.new("RGB", (9, 9)).save(root / "test" / "1.png")
    with pytest.raises(DataError, match=r"of no known class.*move .*/test out of .*are drawn from train"):
        read(root)
    (root / "test").rename(root.parent / "elsewhere")
    assert total(read(root)) == 16
    (root / "val" / "images").mkdir(parents=True)
    (root / "val" / "val_annotations.txt").write_text("x")
    Image.new("RGB", (9, 9)).save(root / "val" / "images" / "1.png")
    with pytest.raises(DataError, match=r"val/images: .*does val_annotations.txt say what they show"):
        read(root)


def test_a_long_text_beside_a_picture_is_no_fault(tmp_path: Path) -> None:
    for number, compressed in enumerate((True, False)):
        told = PngImagePlugin.PngInfo()
        told.add_itxt("parameters", "x" * 2_000_000, zip=compressed)
        Image.new("RGB", (8, 6), "red").save(tmp_path / f"{number}.png", pnginfo=told)
        assert read_image(tmp_path / f"{number}.png").getpixel((3, 3)) == (255, 0, 0)
