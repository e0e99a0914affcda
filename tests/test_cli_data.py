"""`data ls`, `data check` and `data preview`, with what a stranger would type."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from mimi_core.cli.data import data
from mimi_core.data import known
from mimi_core.errors import MimiError


def call(*arguments: str) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.RandomState(0)
    for name in ("cat", "do[g]"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(8):
            pixels = random.randint(0, 256, (10, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / name / f"{number}.png")
    return tmp_path / "mine"


def test_all_datasets_are_listed_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_DATA", str(tmp_path))
    rows = {row["name"]: row for row in json.loads(call("ls", "--json").stdout)}
    assert list(rows) == list(known())
    assert rows["digits"]["missing"] is None
    assert rows["sprites-count"]["missing"] is None
    assert str(tmp_path) in rows["cifar10"]["missing"]
    lines = {line.split()[0]: line.split()[1] for line in call("ls").stdout.splitlines() if line}
    assert (lines["digits"], lines["cifar10"]) == ("yes", "no")
    assert lines["folder:PATH"] not in ("yes", "no")
    for name in ("hf/me--mine", "pets-0123abcd", "vtab-1k/kitti"):
        (tmp_path / name).mkdir(parents=True)
    listed = call("ls").stdout
    lines = {line.split()[0]: line.split()[1] for line in listed.splitlines() if line}
    assert (lines["hf:me/mine"], lines[f"folder:{tmp_path}/pets-0123abcd"], lines["vtab:kitti"]) == (
        "yes",
        "yes",
        "yes",
    )
    assert f"missing: cifar10: {tmp_path}/cifar-10-batches-py is not there" in listed
    assert ". Likewise 5 more of domainnet:" in listed


def test_a_folder_is_checked_by_its_path(images: Path) -> None:
    done = call("check", images)
    assert done.exit_code == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["do[g]", "6", "1", "1"] in rows
    assert ["all", "12", "2", "2"] in rows
    assert "beware: Only 2 test images" in done.stdout


def test_a_bad_image_is_told_and_fails_the_check(images: Path) -> None:
    (images / "cat" / "3.png").write_bytes(b"junk")
    done = call("check", images)
    assert f"left out: {images}/cat/3.png: not a readable image" in done.stdout
    assert isinstance(done.exception, MimiError)  # which the command line makes an exit code and one line
    assert "1 cannot be used" in str(done.exception)
    allowed = call("check", images, "--set", "data.skip_bad=true")
    assert allowed.exit_code == 0
    assert "left out" in allowed.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "digit"), "did you mean 'digits'"),
        (("check", "./nowhere"), "nowhere: no such folder"),
        (("check", "cifar10", "--set", "data.path=/nowhere"), "/nowhere/cifar-10-batches-py is not there"),
        (("preview", "digits", "--out", "a.xyz"), "end the name in .png"),
        (("preview", "digits", "--out", "nowhere/a.png"), "cannot be written"),
        (("preview", "digits", "--out", "a.png", "--first", "10"), "lower --first"),
        (("check", "digits", "--set", "data.shot=1"), "did you mean 'shots'"),
    ],
)
def test_a_mistake_is_one_clear_message(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = call(*arguments)
    assert isinstance(failed.exception, MimiError)
    assert told in str(failed.exception)


def test_a_sheet_shows_real_images_beside_their_class(images: Path, tmp_path: Path) -> None:
    for name, colour in (("cat", "red"), ("do[g]", "blue")):
        for path in (images / name).iterdir():
            Image.new("RGB", (12, 10), colour).save(path)
    assert call("preview", images, "--out", tmp_path / "sheet.png").exit_code == 0
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    red, blue = (np.argwhere((sheet == colour).all(axis=2)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert red[:, 0].max() < blue[:, 0].min()
    assert len(red) == 6 * 96 * 80, "six images, eight times as large"
    names = sheet[:, : red[:, 1].min()]
    assert (names[: red[:, 0].max()].min(), names[blue[:, 0].min() :].min()) < (100, 100)


def test_of_many_classes_some_are_drawn(tmp_path: Path) -> None:
    heights = []
    for arguments in (("--classes", "3"), ("--classes", "3", "--first", "14")):
        assert call("preview", "sprites-location", "--out", tmp_path / "sheet.png", *arguments).exit_code == 0
        heights.append(Image.open(tmp_path / "sheet.png").height)
    assert heights[0] - heights[1] == 102
