"""torchvision's classic sets, from small files in their real formats: read as torchvision does, and more safely."""

import functools
import http.server
import pickle
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before torchvision)
from mimi_core.config import DataConfig, make_config
from mimi_core.data import Dataset, Split, known, load, missing, scan
from mimi_core.data.absolute import with_absolute_paths
from mimi_core.data.catalogue import SOURCES
from mimi_core.data.reading.plain_pickle import read_plain
from mimi_core.errors import DataError
from mimi_core.train.fetch import fetch_missing
from tests import layouts

Idx = Callable[..., Path]
WRITERS: dict[str, Callable[[Path], Path]] = {
    "cifar10": layouts.write_cifar10,
    "cifar100": layouts.write_cifar100,
    "svhn": layouts.write_svhn,
    "flowers102": layouts.write_flowers102,
    "oxford-pets": layouts.write_pets,
    "dtd": layouts.write_dtd,
    "eurosat": layouts.write_eurosat,
    "food101": layouts.write_food101,
}
SETS = {s.name: s.download for s in SOURCES if s.download and s.name != "fashion-mnist"}
KEPT = (
    "cifar10", "cifar100", "mnist", "kmnist", "svhn", "flowers102", "oxford-pets", "dtd", "eurosat", "food101",
    "vtab:", "domainnet:", "hf:",
)  # fmt: skip
"""Golden: a run's config.yaml says where these lie, and of no others."""
SPLITS: dict[str, tuple[dict[str, object], ...]] = {
    **dict.fromkeys(("cifar10", "cifar100", "mnist", "kmnist"), ({"train": True}, {"train": False})),
    "oxford-pets": ({"split": "trainval"}, {"split": "test"}),
    "eurosat": ({},),
}


def read(name: str, root: Path, **options: object) -> Dataset:
    return load(DataConfig(name=name, path=root, **options))


def fault(name: str, root: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        read(name, root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def content(split: Split) -> list[tuple[int, bytes]]:
    return pairs((split.images[index], label) for index, label in enumerate(split.labels))


def pairs(labelled: Iterable[tuple[Image.Image, int]]) -> list[tuple[int, bytes]]:
    return [(int(label), image.convert("RGB").tobytes()) for image, label in labelled]


@pytest.mark.parametrize("name", [*WRITERS, "mnist", "kmnist"])
def test_pictures_and_labels_are_those_that_torchvision_reads(
    name: str, tmp_path: Path, idx: Idx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train and val together are torchvision's training images; whichever way the sets are cut, none is lost."""
    from torchvision import datasets

    for module in ("cifar", "svhn", "flowers102"):
        monkeypatch.setattr(getattr(datasets, module), "check_integrity", lambda *_, **__: True)
    if name in WRITERS:
        WRITERS[name](tmp_path)
    else:
        idx(tmp_path / SETS[name].torchvision / "raw", train=40, test=20, gz=False)
    data = read(name, tmp_path, train_on_val=True)
    train, *test = SPLITS.get(name, ({"split": "train"}, {"split": "test"}))
    of = functools.partial(getattr(datasets, SETS[name].torchvision), tmp_path)
    theirs = pairs(of(**train)) + (pairs(of(split="val")) if name in ("flowers102", "dtd") else [])
    ours = content(data.train) + (content(data.test) if not test else [])
    assert sorted(ours) == sorted(theirs)
    for options in test:
        assert sorted(content(data.test)) == sorted(pairs(of(**options)))
    assert len(data.val) == 0
    if name not in ("mnist", "svhn", "kmnist", "oxford-pets"):  # no names there, or another way to write them
        assert list(data.class_names) == list(of(**train).classes)


@pytest.mark.parametrize(
    ("name", "sizes", "classes"),
    [
        ("cifar10", (18, 2, 4), 10),
        ("cifar100", (180, 20, 100), 100),
        ("svhn", (18, 2, 10), 10),
        ("flowers102", (3, 3, 6), 102),
        ("oxford-pets", (67, 7, 74), 37),
        ("dtd", (3, 3, 3), 3),
        ("eurosat", (40, 10, 10), 10),
        ("food101", (18, 2, 4), 2),
    ],
)
def test_splits(name: str, sizes: tuple[int, int, int], classes: int, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    data, seen = read(name, tmp_path), scan(DataConfig(name=name, path=tmp_path), 10.0)
    for found in (data, seen):
        assert (tuple(len(split) for split in (found.train, found.val, found.test)), len(found.class_names)) == (
            sizes,
            classes,
        )
    described = [s.images.describe(i) for s in (data.train, data.val, data.test) for i in range(len(s))]
    assert len(set(described)) == sum(sizes)
    assert missing(DataConfig(name=name, path=tmp_path)) is None


def test_official_splits_do_not_depend_on_the_seed(tmp_path: Path) -> None:
    layouts.write_cifar10(tmp_path)
    one, other = (read("cifar10", tmp_path, seed=seed).val.images for seed in (0, 5))
    assert [one.describe(i) for i in range(2)] == [other.describe(i) for i in range(2)]


def test_the_digit_zero_of_svhn(tmp_path: Path) -> None:
    layouts.write_svhn(tmp_path)
    assert read("svhn", tmp_path).test.labels.tolist() == list(range(10))


def test_the_folder_may_be_named_itself(tmp_path: Path) -> None:
    layouts.write_dtd(tmp_path)
    assert len(read("dtd", tmp_path / "dtd").train) == 3


def test_absent_sets_are_told_with_where_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_DATA", str(tmp_path))
    for name in SETS:
        told = missing(DataConfig(name=name))
        assert told is not None
        assert told.startswith(f"{name}: {tmp_path}/")
        assert "A run downloads it, about " in told
        with pytest.raises(DataError) as caught:
            scan(DataConfig(name=name), 10.0)
        assert str(caught.value) == told


def test_runs_know_where_the_files_lie_wherever_they_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_DATA", str(tmp_path))
    monkeypatch.setattr("mimi_core.data.sources.fashion_mnist.DEBIAN_FOLDER", tmp_path / "absent")
    assert tuple(source.name for source in SOURCES if source.kept) == KEPT
    for name in known():
        frozen = with_absolute_paths(make_config({"data": name})).data
        assert (frozen.path == tmp_path) == name.startswith(KEPT), name


# --- broken files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fortran", [False, True])
def test_arrays_may_lie_either_way(tmp_path: Path, fortran: bool) -> None:
    folder = layouts.write_cifar10(tmp_path, fortran=fortran)
    found = read_plain(folder / "test_batch")["data"]
    assert np.array_equal(found, np.random.RandomState(5).randint(0, 256, (4, 3072)))


def test_pickles_of_python_3_are_read_too(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for protocol in (2, 4):
        (tmp_path / "file").write_bytes(pickle.dumps({"data": array, b"labels": [1, 2]}, protocol=protocol))
        found = read_plain(tmp_path / "file")
        assert np.array_equal(found["data"], array)
        assert found["labels"] == [1, 2]


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harm-was-done"),))


@pytest.mark.parametrize(
    "harm",
    [
        pickle.dumps({"data": Harmful()}, protocol=2),
        pickle.dumps({"data": [Harmful()]}, protocol=4),
        b"cos\nsystem\n(S'touch harm-was-done'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\neval\nS'1'\ntR.",
    ],
)
def test_nothing_in_a_pickle_is_called(harm: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = layouts.write_cifar10(tmp_path) / "data_batch_2"
    file.write_bytes(harm)
    assert f"{file}: asks for " in fault("cifar10", tmp_path)
    assert not (tmp_path / "harm-was-done").exists()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html>not found</html>",
        pickle.dumps([1, 2], protocol=2),
        pickle.dumps({"labels": [0, 1, 2, 3]}, protocol=2),
        layouts.python2_pickle({"labels": [0, 1], "data": np.zeros((4, 3072), np.uint8)}),
        layouts.python2_pickle({"labels": [0, 1, 2, 10], "data": np.zeros((4, 3072), np.uint8)}),
        layouts.python2_pickle({"labels": [0, 1, 2, "x"], "data": np.zeros((4, 3072), np.uint8)}),
        layouts.python2_pickle({"labels": [0, 1, 2, 3], "data": np.zeros((4, 3072), np.uint8)})[:-500],
        layouts.python2_pickle({"labels": [0, 1, 2, 3], "data": np.zeros((4, 3072), np.uint8)}).replace(b"u1", b"O8"),
        layouts.python2_pickle({"labels": [0, 1, 2, 3], "data": np.zeros((4, 9), np.uint8)}),
        pickle.dumps({"labels": [0, 1, 2, 3], "data": np.zeros((4, 3072))}, protocol=2),
    ],
    ids=range(11),
)
def test_a_broken_batch_of_cifar_is_named(broken: bytes, tmp_path: Path) -> None:
    file = layouts.write_cifar10(tmp_path) / "data_batch_4"
    file.write_bytes(broken)
    assert str(file) in fault("cifar10", tmp_path)
    file.unlink()
    assert fault("cifar10", tmp_path) == f"{file}: no such file"


def test_broken_matlab_files_are_named(tmp_path: Path) -> None:
    file = layouts.write_svhn(tmp_path) / "test_32x32.mat"
    whole = file.read_bytes()
    for broken in (b"", b"junk" * 100, whole[: len(whole) // 2]):
        file.write_bytes(broken)
        assert f"{file}: " in fault("svhn", tmp_path)
    for pixels, labels in (
        (np.zeros((32, 32, 3, 4), np.uint8), np.zeros((3, 1))),
        (np.zeros((8, 8, 3, 4), np.uint8), np.zeros((4, 1))),
        (np.zeros((32, 32, 3, 4)), np.zeros((4, 1))),
        (np.zeros((32, 32, 3, 4), np.uint8), np.full((4, 1), 11)),
    ):
        savemat(file, {"X": pixels, "y": labels})
        assert f"{file}: has " in fault("svhn", tmp_path)


def test_numbers_of_flowers_that_do_not_exist(tmp_path: Path) -> None:
    layouts.write_flowers102(tmp_path / "a", ids=([0, 1], [2], [3]))
    assert "setid.mat: trnid names image" in fault("flowers102", tmp_path / "a")
    layouts.write_flowers102(tmp_path / "b", ids=([1], [13], [3]))
    assert "setid.mat: valid names image 13 of 12" in fault("flowers102", tmp_path / "b")
    layouts.write_flowers102(tmp_path / "c", ids=([1], [2], [1]))
    assert "is twice in" in fault("flowers102", tmp_path / "c")


@pytest.mark.parametrize(
    ("name", "file", "line", "told"),
    [
        ("oxford-pets", "oxford-iiit-pet/annotations/test.txt", "Bengal_7 38 1 1", "expected an image and its class"),
        ("oxford-pets", "oxford-iiit-pet/annotations/test.txt", "Bengal_7", "expected an image and its class"),
        ("oxford-pets", "oxford-iiit-pet/annotations/test.txt", "../../x 1 1 1", "does not stay inside"),
        ("dtd", "dtd/dtd/labels/test1.txt", "../../../x.jpg", "expected class/image"),
        ("dtd", "dtd/dtd/labels/test1.txt", "../x.jpg", "does not stay inside"),
        ("food101", "food-101/meta/test.txt", "apple_pie", "expected class/image"),
    ],
)
def test_a_list_with_a_mistake(name: str, file: str, line: str, told: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    (tmp_path / file).write_text(f"{line}\n")
    message = fault(name, tmp_path)
    assert message.startswith(f"{tmp_path / file} line 1: ")
    assert told in message


def test_bad_images_follow_the_rules_of_all(tmp_path: Path) -> None:
    folder = layouts.write_eurosat(tmp_path)
    (folder / "River" / "River_1.jpg").write_bytes(b"junk")
    assert "River_1.jpg: not a readable image" in fault("eurosat", tmp_path)
    assert len(read("eurosat", tmp_path, skip_bad=True).skipped) == 1


# --- downloads --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine, and the folder whose files it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()


def test_an_absent_set_is_downloaded_once_and_put_in_place_whole(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    url, served = server
    layouts.write_dtd(tmp_path / "made")
    with tarfile.open(served / "dtd.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "made" / "dtd" / "dtd", "dtd")
    monkeypatch.setattr(datasets.DTD, "_URL", f"{url}/dtd.tar.gz")
    monkeypatch.setattr(datasets.DTD, "_MD5", datasets.utils.calculate_md5(served / "dtd.tar.gz"))
    monkeypatch.setenv("MIMI_DATA", str(tmp_path / "sets"))
    told: list[str] = []
    config = DataConfig(name="dtd")
    fetch_missing(config, told.append)
    assert told[0].startswith("downloading dtd: 0 of ")
    assert len(load(config).train) == 3
    assert not list((tmp_path / "sets" / "dtd").glob("*.gz"))
    shutil.rmtree(served)
    fetch_missing(config, told.append)
    assert len(told) == 1


def test_a_download_that_fails_leaves_nothing_and_says_what_to_do(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    url, served = server
    monkeypatch.setattr(datasets.DTD, "_URL", f"{url}/dtd.tar.gz")
    config = DataConfig(name="dtd", path=tmp_path / "sets")
    with pytest.raises(DataError, match=r"dtd is not there\. .* get it from https://www\.robots.*404"):
        fetch_missing(config, lambda what: None)
    (served / "dtd.tar.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="Downloading failed: File not found or corrupted"):
        fetch_missing(config, lambda what: None)
    assert [path.name for path in (tmp_path / "sets").iterdir() if path.is_dir()] == []


def test_nothing_is_fetched_that_torchvision_does_not_know(tmp_path: Path) -> None:
    told: list[str] = []
    for name in ("digits", "vtab:cifar", f"folder:{tmp_path}"):
        fetch_missing(DataConfig(name=name, path=tmp_path / "sets"), told.append)
    assert told == []
    assert not (tmp_path / "sets").exists()
