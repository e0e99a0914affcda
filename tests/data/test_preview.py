"""A look at a dataset: the counts are those of the run, and only what is shown is opened."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.decode import read_thumbnail
from mimi_core.data.intake.preview import EDGE, Preview, preview, stamp
from mimi_core.errors import DataError

Tree = Callable[..., Path]


def look(root: Path, **options: object) -> Preview:
    return preview(DataConfig(name=f"folder:{root}", **options))


def decoded(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize("options", [{}, {"shots": 3}, {"seed": 2, "max_eval": 5}])
def test_counts_are_those_of_the_run(tree: Tree, options: dict[str, int]) -> None:
    root = tree({"cat": 20, "dog": 10})
    for config in (DataConfig(name=f"folder:{root}", **options), DataConfig(name="digits", **options)):
        seen, data = preview(config), load(config)
        assert seen.class_names == data.class_names
        for split in ("train", "val", "test"):
            of_the_run = np.bincount(getattr(data, split).labels, minlength=len(data.class_names))
            assert seen.counts[split] == tuple(of_the_run)
            assert seen.total(split) == len(getattr(data, split))


def test_samples_are_training_images_of_their_class(tree: Tree) -> None:
    root = tree({"cat": 6, "dog": 4})
    seen = look(root)
    assert [sample.label for sample in seen.samples] == [0] * 4 + [1] * 2  # two of every class are set aside
    train = load(DataConfig(name=f"folder:{root}")).train.images
    pictures = {np.asarray(train[i]).tobytes() for i in range(len(train))}
    assert {np.asarray(decoded(sample.png)).tobytes() for sample in seen.samples} == pictures
    assert {sample.size for sample in seen.samples} == {(12, 10)}
    assert look(root).samples == seen.samples


def test_only_the_classes_asked_for_are_opened(tree: Tree) -> None:
    root = tree(dict.fromkeys("abcde", 3))
    (root / "e" / "000.png").write_bytes(b"junk")
    seen = preview(DataConfig(name=f"folder:{root}"), first_class=1, classes=2, each=1)
    assert [sample.label for sample in seen.samples] == [1, 2]
    assert seen.total("train") == 5


def test_large_pictures_become_small_and_keep_their_true_size(tmp_path: Path) -> None:
    for orientation, upright in ((1, (640, 160)), (6, (160, 640))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (640, 160), "red").save(tmp_path / "a.jpg", exif=exif)
        image, size = read_thumbnail(tmp_path / "a.jpg", EDGE)
        assert size == upright
        assert image.size == tuple(side * EDGE // 640 for side in upright)


def test_a_corrupt_image_is_one_message_or_left_out(tree: Tree) -> None:
    root = tree({"cat": 3, "dog": 3})
    for path in (root / "dog").iterdir():
        path.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"dog/00\d\.png: not a readable image .*; repair or remove it, or set data\."):
        look(root)
    seen = look(root, skip_bad=True)
    assert {sample.label for sample in seen.samples} == {0}
    assert any(remark.startswith(f"Left out: {root / 'dog'}") for remark in seen.remarks)


@pytest.mark.parametrize(
    ("counts", "options", "says"),
    [
        ({"cat": 30, "dog": 3}, {}, "'dog' has 1 training image."),
        ({"ant": 3, "cat": 30, "dog": 3}, {}, "'ant' has 1 training image, and 1 more class fewer than 5."),
        ({"cat": 60, "dog": 10}, {}, "'cat' has 7 times as many training images as 'dog'"),
        ({"cat": 20, "dog": 20}, {}, "Only 6 test images: one more or less that is right is 16.7 percentage points."),
    ],
)
def test_what_to_beware_of(tree: Tree, counts: dict[str, int], options: dict[str, int], says: str) -> None:
    assert any(says in remark for remark in look(tree(counts), **options).remarks)


def test_nothing_to_beware_of() -> None:
    assert preview(DataConfig(name="digits", shots=30)).remarks == ()


def test_narrow_pictures_are_told(tree: Tree, image: Callable[..., Path]) -> None:
    root = tree({"cat": 3, "dog": 3})
    assert not any("squeezed" in remark for remark in look(root).remarks)
    for path in (root / "cat").iterdir():
        image(path, size=(60, 12))
    assert any("5.0 times as long as wide" in remark for remark in look(root).remarks)


def test_a_folder_too_large_to_list_ends_in_a_message(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mimi_core.data.intake.preview.SECONDS", -1.0)
    with pytest.raises(DataError, match="is it the right folder"):
        look(tree({"cat": 3, "dog": 3}))


@pytest.mark.parametrize("layout", [("cat", "dog"), ("train/cat", "train/dog")])
def test_the_stamp_changes_with_the_images(tree: Tree, image: Callable[..., Path], layout: tuple[str, str]) -> None:
    root = tree(dict.fromkeys(layout, 3))
    config = DataConfig(name=f"folder:{root}")
    before = stamp(config)
    assert stamp(config) == before
    (root / layout[1] / "000.png").rename(root / layout[1] / "new.png")
    assert stamp(config) != before
    assert stamp(DataConfig(name=f"folder:{root / 'missing'}")) == ()
