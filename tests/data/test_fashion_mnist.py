"""Fashion-MNIST from files in its real format: small ones made here, and Debian's when they are installed."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import DataConfig
from mimi_core.data import load
from mimi_core.data.reading.idx import read_idx, read_split
from mimi_core.data.sources import fashion_mnist
from mimi_core.data.sources.fashion_mnist import CLASS_NAMES, DEBIAN_FOLDER, HOW
from mimi_core.errors import DataError

Idx = Callable[..., Path]


def change(path: Path, edit: Callable[[bytes], bytes]) -> None:
    path.write_bytes(gzip.compress(edit(gzip.decompress(path.read_bytes()))))


@pytest.mark.parametrize("gz", [True, False])
def test_both_kinds_of_files(tmp_path: Path, idx: Idx, gz: bool) -> None:
    data = load(DataConfig(name="fashion-mnist", path=idx(tmp_path / "set", gz=gz)))
    assert data.class_names == CLASS_NAMES
    assert [len(split) for split in (data.train, data.val, data.test)] == [220, 20, 40]
    assert np.bincount(data.val.labels).tolist() == [2] * 10
    original = np.random.RandomState(40).randint(0, 256, (40, 28, 28))
    assert np.array_equal(np.asarray(data.test.images[7]), original[7])
    assert data.test.labels.tolist() == [i % 10 for i in range(40)]
    described = {split.images.describe(i) for split in (data.train, data.val) for i in range(len(split))}
    assert described == {f"fashion-mnist train image {i}" for i in range(240)}


def test_the_split_does_not_depend_on_the_seed(tmp_path: Path, idx: Idx) -> None:
    folder = idx(tmp_path / "set")
    one, other = (load(DataConfig(name="fashion-mnist", path=folder, seed=seed)).val.images for seed in (0, 5))
    assert [one.describe(i) for i in range(20)] == [other.describe(i) for i in range(20)]


def test_home_is_understood(tmp_path: Path, idx: Idx, monkeypatch: pytest.MonkeyPatch) -> None:
    idx(tmp_path / "set")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load(DataConfig(name="fashion-mnist", path=Path("~/set"))).test) == 40


def test_missing_files(tmp_path: Path, idx: Idx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "not-installed")
    with pytest.raises(
        DataError, match=r"not-installed/train-images-idx3-ubyte\.gz not found\. Install the Debian package"
    ):
        load(DataConfig(name="fashion-mnist"))
    (idx(tmp_path / "set") / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz not found"):
        load(DataConfig(name="fashion-mnist", path=tmp_path / "set"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: b"\x00\x00\x0d" + content[3:], "not an IDX file"),
        (lambda content: b"", "not an IDX file"),
        (lambda content: content[:10], "holds 10 bytes where its header promises"),
        (lambda content: content[:-1], r"holds \d+ bytes where its header promises"),
        (lambda content: content + b"x", r"holds \d+ bytes where its header promises"),
        (lambda content: content[:4] + struct.pack(">3I", 120, 56, 28) + content[16:], r"but labels of shape \(240,\)"),
        (lambda content: content[:4] + struct.pack(">3I", 240, 0, 28), r"images of shape \(240, 0, 28\)"),
    ],
)
def test_damaged_images(tmp_path: Path, idx: Idx, edit: Callable[[bytes], bytes], message: str) -> None:
    folder = idx(tmp_path / "set")
    change(folder / "train-images-idx3-ubyte.gz", edit)
    with pytest.raises(DataError, match=message) as caught:
        read_split(folder, "train", HOW)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"<html>not found</html>",
        lambda content: content[:200] + bytes(100) + content[300:],
        lambda content: content[:10] + b"\xff" + content[11:],
        lambda content: content[:-8] + bytes(8),
    ],
    ids=["truncated", "a web page", "overwritten", "impossible block", "wrong checksum"],
)
def test_damaged_compression(tmp_path: Path, idx: Idx, edit: Callable[[bytes], bytes]) -> None:
    path = idx(tmp_path / "set") / "train-images-idx3-ubyte.gz"
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path}: cannot be read .*download the file again"):
        read_idx(path)


def test_a_label_beyond_the_classes(tmp_path: Path, idx: Idx) -> None:
    folder = idx(tmp_path / "set")
    change(folder / "t10k-labels-idx1-ubyte.gz", lambda content: content[:-1] + b"\x0a")
    with pytest.raises(DataError, match="test has the label 10; expected 0 to 9"):
        load(DataConfig(name="fashion-mnist", path=folder))


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason=f"{DEBIAN_FOLDER} is absent: apt install dataset-fashion-mnist")
def test_the_real_dataset() -> None:
    data = load(DataConfig(name="fashion-mnist"))
    assert [np.bincount(s.labels).tolist() for s in (data.train, data.val, data.test)] == [
        [5500] * 10,
        [500] * 10,
        [1000] * 10,
    ]
    assert data.test.labels[:5].tolist() == [9, 2, 1, 1, 6]
    assert data.test.images[0].size == (28, 28)
