"""The same picture in two splits is found however it was made smaller or encoded anew, and no other picture is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mimi_core.cli.main import app
from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.duplicates import _alike, across_splits, dhash, in_words


def scene(seed: int, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """Soft shapes, as in a photograph."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 255, (6, 7, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def sorted_set(tmp_path: Path) -> Path:
    seed = 0
    for split in ("train", "val", "test"):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(8):
                seed += 1
                scene(seed).save(tmp_path / split / name / f"{number}.png")
    return tmp_path


def test_different_pictures_are_no_pairs(sorted_set: Path) -> None:
    assert across_splits(load(DataConfig(name=f"folder:{sorted_set}"))) == []


def test_the_same_picture_is_found_in_any_form(sorted_set: Path) -> None:
    """Train's cats 0 to 4 in test: the very file, as JPEGs, smaller, and larger."""
    copies = {
        "same.png": scene(1),
        "poor.jpg": scene(2),
        "small.png": scene(3).resize((50, 40), Image.Resampling.LANCZOS),
        "large.webp": scene(4).resize((400, 320)),
        "worse.jpeg": scene(5),
    }
    for name, picture in copies.items():
        picture.save(sorted_set / "test" / "cat" / name, quality=30 if name.endswith("jpeg") else 60)
    scene(1).save(sorted_set / "val" / "dog" / "wrong.png")
    pairs = across_splits(load(DataConfig(name=f"folder:{sorted_set}")))
    between = {(Path(pair.first).name, Path(pair.second).name): pair for pair in pairs}
    for number, name in enumerate(copies):
        pair = between[f"{number}.png", name]
        assert (pair.splits, pair.contradict) == (("train", "test"), False)
    assert between["0.png", "wrong.png"].contradict
    assert between["0.png", "wrong.png"].splits == ("train", "val")
    assert set(between) == {(f"{n}.png", name) for n, name in enumerate(copies)} | {
        ("0.png", "wrong.png"),
        ("wrong.png", "same.png"),
    }
    same, contradicting = in_words(pairs, ("cat", "dog"), shown=2)
    assert same.startswith("5 pairs of images look the same in different splits: what is tested was trained on: train:")
    assert "and 3 more" in same
    assert "2 pairs of images look the same in different splits and have different classes" in contradicting
    assert "wrong.png (dog)" in contradicting


def test_the_check_tells(sorted_set: Path) -> None:
    scene(1).resize((90, 80)).save(sorted_set / "test" / "cat" / "again.jpg")
    result = CliRunner().invoke(app, ["data", "check", str(sorted_set)])
    assert result.exit_code == 0
    told = " ".join(result.output.split())
    assert "beware: 1 pair of images look the same in different splits" in told


def test_pictures_that_are_alike_but_for_what_matters_are_no_pairs(tmp_path: Path) -> None:
    """As X-rays: the same gradients and some noise, and in one class a brighter spot."""
    random = np.random.default_rng(0)
    for label, name in enumerate(("healthy", "ill")):
        (tmp_path / name).mkdir()
        for number in range(10):
            greys = np.linspace(12, 237, 64)[None].repeat(64, 0) + random.integers(-7, 8, (64, 64))
            greys[20:40, 20:40] += 16 * label
            Image.fromarray(greys.clip(0, 255).astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    assert across_splits(load(DataConfig(name=f"folder:{tmp_path}"))) == []


def test_sets_without_files_are_left_alone() -> None:
    """Digits of 8 x 8 pixels look alike."""
    assert across_splits(load(DataConfig(name="digits"))) == []


def test_plain_pictures_have_nothing_to_be_known_by() -> None:
    assert dhash(Image.new("RGB", (50, 50), "red")) is None
    assert dhash(Image.new("L", (50, 50))) is None


def test_hashes_are_near_by_their_bits() -> None:
    random = np.random.default_rng(0)
    hashes = [int(value) for value in random.integers(0, 2**63, 300)]
    near = [hashes[0] ^ 0b111, hashes[1] ^ (1 << 60 | 1 << 30 | 1), hashes[2] ^ 0b1111, None]
    wanted = {
        (a, b)
        for a in range(303)
        for b in range(a + 1, 303)
        if ([*hashes, *near][a] ^ [*hashes, *near][b]).bit_count() <= 3  # type: ignore[operator]
    }
    assert _alike([*hashes, *near]) == wanted == {(0, 300), (1, 301)}
