"""Names of classes: in any Unicode form, and out of zips that do not say how they are written."""

import io
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mimi_core.config import DataConfig
from mimi_core.data import Dataset, load
from mimi_core.data.intake.upload import unpack
from mimi_core.errors import DataError

Tree = Callable[..., Path]
NFC, NFD = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))


def read(root: Path) -> Dataset:
    return load(DataConfig(name=f"folder:{root}"))


@pytest.mark.parametrize(("train", "test"), [(NFC, NFD), (NFD, NFC), (NFD, NFD)])
def test_one_name_in_two_unicode_forms_is_one_class(tree: Tree, train: str, test: str) -> None:
    data = read(tree({f"train/{train}": 8, "train/the": 8, f"test/{test}": 2, "test/the": 3}))
    assert data.class_names == (NFC, "the")
    assert data.test.labels.tolist() == [0] * 2 + [1] * 3


def test_two_folders_of_one_name_are_told_apart(tree: Tree) -> None:
    root = tree({NFC: 4, NFD: 4, "the": 4})
    with pytest.raises(DataError, match="two class folders are called") as caught:
        read(root)
    assert {"U+00E9", "U+0301"} <= set(str(caught.value).replace(";", "").split())


@pytest.mark.parametrize("other", ["\u0441at", "cat\u200b", "cat\u00a0"])
def test_names_that_look_alike_are_shown_by_their_code_points(tree: Tree, other: str) -> None:
    root = tree({"train/cat": 4, "train/dog": 4, f"test/{other}": 2, "test/dog": 2})
    with pytest.raises(DataError) as caught:
        read(root)
    strange = next(letter for letter in other if not letter.isascii())
    assert f"U+{ord(strange):04X}" in str(caught.value)
    assert "U+0063 U+0061 U+0074" in str(caught.value)


class Unmarked(zipfile.ZipInfo):
    """As Info-ZIP and the Finder write names: without saying that they are UTF-8."""

    code = "utf-8"

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode(self.code), self.flag_bits & ~0x800


class Latin(Unmarked):
    code = "latin-1"


def zipped(kind: type[zipfile.ZipInfo], names: tuple[str, str]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, name in enumerate(names):
            for index in range(6):
                picture = io.BytesIO()
                Image.new("RGB", (9, 9), (number * 99, index * 30, 60)).save(picture, "PNG")
                archive.writestr(kind(f"{name}/{index}.png"), picture.getvalue())
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", [zipfile.ZipInfo, Unmarked])
@pytest.mark.parametrize("names", [("חתול", "כלב"), ("猫", "犬"), ("Äpfel", "Birnen")])
def test_names_in_a_zip_are_what_they_were(kind: type[zipfile.ZipInfo], names: tuple[str, str], tmp_path: Path) -> None:
    made = unpack(zipped(kind, names), "mine.zip", tmp_path)
    assert set(load(DataConfig(name=made.dataset)).class_names) == set(names)
    assert made.doubtful == ""


def test_a_name_in_unknown_letters_is_warned_of(tmp_path: Path) -> None:
    made = unpack(zipped(Latin, ("Äpfel", "Birnen")), "mine.zip", tmp_path)
    assert made.doubtful in load(DataConfig(name=made.dataset)).class_names
    assert made.doubtful.endswith("pfel")
