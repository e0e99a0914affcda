"""Images reach the model in the order asked for, and the same to the bit whether kept in memory or streamed."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mimi_core.config import DataConfig
from mimi_core.data import Split, load, pixels, spool
from mimi_core.data.pixels import (
    Pixels,
    ResidentPixels,
    StreamedPixels,
    prepare,
    resident,
    resident_bytes,
    streamed,
    to_float,
)
from mimi_core.data.types import ArrayImages, FileImages
from mimi_core.errors import DataError, ResourceError

CPU = torch.device("cpu")
SIZE = 16


@pytest.fixture
def colour(tmp_path: Path, image: Callable[..., Path]) -> Split:
    paths = tuple(image(tmp_path / f"{i}.png", size=(9 + i % 5, 30 - i % 7), seed=i) for i in range(75))
    return Split(FileImages(paths, 3), np.arange(75) % 4)


@pytest.fixture
def grey() -> Split:
    array = np.random.RandomState(0).randint(0, 256, (75, 8, 8), dtype=np.uint8)
    return Split(ArrayImages(array, "noise"), np.arange(75) % 4)


@pytest.fixture(params=["grey", "colour"])
def split(request: pytest.FixtureRequest) -> Split:
    result: Split = request.getfixturevalue(request.param)
    return result


def whole(batches: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches])


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the disk, wherever the tests are run."""
    monkeypatch.setattr(spool, "free_disk_bytes", lambda folder: 2**30)


def every_kind(split: Split, folder: Path, threads: int = 1) -> tuple[ResidentPixels, StreamedPixels, StreamedPixels]:
    anew, once = streamed(split, SIZE, CPU, threads), streamed(split, SIZE, CPU, threads, folder)
    assert (anew.place, once.place) == ("nowhere", "disk")
    return resident(split, SIZE, CPU), anew, once


def test_squares_are_pillows_bicubic(split: Split) -> None:
    images, labels = whole(list(resident(split, SIZE, CPU).batches(None, 10)))
    assert (images.dtype, images.shape) == (torch.uint8, (75, split.images.channels, SIZE, SIZE))
    for index in (0, 41, 74):
        expected = np.asarray(split.images[index].resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        assert np.array_equal(images[index].permute(1, 2, 0).numpy().squeeze(), expected)
    assert labels.tolist() == split.labels.tolist()


@pytest.mark.parametrize("threads", [0, 3])
def test_resident_equals_streamed(split: Split, threads: int, tmp_path: Path) -> None:
    kept, *streams = every_kind(split, tmp_path, threads)
    random = torch.Generator().manual_seed(0)
    for order in (
        torch.tensor([5, 5, 0]),
        None,
        torch.randperm(75, generator=random),
        torch.tensor([], dtype=torch.long),
    ):
        expected = list(kept.batches(order, 32))
        assert len(expected) == -(-(75 if order is None else len(order)) // 32)
        for stream in streams:
            for (images, labels), (images_too, labels_too) in zip(expected, stream.batches(order, 32), strict=True):
                assert torch.equal(images, images_too)
                assert torch.equal(labels, labels_too)


def test_batches_follow_the_order(split: Split, tmp_path: Path) -> None:
    order = torch.tensor([74, 3, 3, 0, 10])
    for kind in every_kind(split, tmp_path):
        natural, _ = whole(list(kind.batches(None, 50)))
        batches = list(kind.batches(order, 2))
        assert [len(labels) for _, labels in batches] == [2, 2, 1]
        images, labels = whole(batches)
        assert torch.equal(images, natural[order])
        assert torch.equal(labels, kind.labels[order])
        assert (len(kind), labels.dtype) == (75, torch.int64)


def test_the_global_random_stream_is_left_alone(grey: Split, tmp_path: Path) -> None:
    """Else dropout would depend on how much memory a machine has."""
    before = torch.get_rng_state()
    for kind in every_kind(grey, tmp_path):
        list(kind.batches(None, 32))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_may_be_left_early(colour: Split) -> None:
    before, stream = threading.active_count(), streamed(colour, SIZE, CPU, 2)
    batches = stream.batches(None, 8)
    first, _ = next(batches)
    assert threading.active_count() == before + 2
    batches.close()
    assert threading.active_count() == before
    again, _ = next(stream.batches(None, 8))
    assert torch.equal(first, again)


class CountedImages(FileImages):
    """Notes which pictures are decoded."""

    decoded: list[int]

    def __getitem__(self, index: int) -> Image.Image:
        self.decoded.append(index)
        return super().__getitem__(index)


@pytest.fixture
def counted(colour: Split) -> Split:
    assert isinstance(colour.images, FileImages)
    images = CountedImages(colour.images.paths, 3)
    object.__setattr__(images, "decoded", [])
    return Split(images, colour.labels)


def decoded(split: Split) -> list[int]:
    """Since it was asked last."""
    assert isinstance(split.images, CountedImages)
    found = sorted(split.images.decoded)
    split.images.decoded.clear()
    return found


def test_a_picture_is_decoded_once_where_the_disk_has_room(counted: Split, tmp_path: Path) -> None:
    _, anew, once = every_kind(counted, tmp_path, 2)
    everything = list(range(75))
    assert decoded(counted) == everything, "resident"
    for stream, second in ((anew, everything), (once, [])):
        list(stream.batches(None, 32))
        assert decoded(counted) == everything
        list(stream.batches(torch.randperm(75), 10))
        assert decoded(counted) == second


def test_a_stream_works_ahead_but_not_far(counted: Split) -> None:
    """Which is what bounds the memory: no more batches are there than it says."""
    stream = streamed(counted, SIZE, CPU, 2)
    batches = stream.batches(None, 8)
    assert isinstance(counted.images, CountedImages)
    for number in (1, 2, 3):
        next(batches)
        assert set(range(8 * number)) <= set(counted.images.decoded) <= set(range(8 * (number + pixels.AHEAD)))
    assert stream.memory_bytes(8) == 8 * (pixels.AHEAD + 2) * 3 * SIZE * SIZE
    assert stream.memory_bytes(10**6) == 75 * (pixels.AHEAD + 2) * 3 * SIZE * SIZE
    assert resident(counted, SIZE, CPU).memory_bytes(8) == 75 * 3 * SIZE * SIZE


def test_what_is_kept_on_disk_has_no_name_and_its_room_is_taken_at_once(grey: Split, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    stream = streamed(grey, SIZE, CPU, 1, folder)
    list(stream.batches(None, 32))
    assert list(folder.iterdir()) == []
    assert stream.spool is not None
    found = os.fstat(stream.spool._file.fileno())
    assert (found.st_nlink, found.st_size) == (0, stream.disk_bytes) == (0, 75 * SIZE * SIZE)
    assert found.st_blocks * 512 >= stream.disk_bytes


def test_a_disk_without_room_is_left_alone(grey: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = int(resident_bytes(grey, SIZE) / spool.DISK_SHARE)
    for free, place in ((limit, "disk"), (limit - 2, "nowhere"), (0, "nowhere")):
        monkeypatch.setattr(spool, "free_disk_bytes", lambda folder, free=free: free)
        stream = streamed(grey, SIZE, CPU, 1, tmp_path)
        assert (stream.place, stream.disk_bytes) == (place, resident_bytes(grey, SIZE) if place == "disk" else 0)
    monkeypatch.setattr(spool, "free_disk_bytes", lambda folder: 2**30)
    assert streamed(grey, SIZE, CPU, 1, tmp_path / "not there").place == "nowhere"


def test_what_a_disk_cannot_give_is_decoded_again(counted: Split, tmp_path: Path) -> None:
    stream = streamed(counted, SIZE, CPU, 2, tmp_path)
    expected, _ = whole(list(stream.batches(None, 32)))
    decoded(counted)
    assert stream.spool is not None
    os.dup2(os.open(tmp_path, os.O_RDONLY), stream.spool._file.fileno())  # a folder: every read and write fails
    for _ in range(2):
        assert torch.equal(whole(list(stream.batches(None, 32)))[0], expected)
        assert decoded(counted) == list(range(75))


@pytest.mark.parametrize("threads", [0, 2])
def test_a_file_that_vanished_is_named(colour: Split, threads: int, tmp_path: Path) -> None:
    kept, *streams = every_kind(colour, tmp_path, threads)
    path = Path(colour.images.describe(40))
    path.unlink()
    message = f"^{path}: not a readable image \\(No such file or directory\\)$"
    with pytest.raises(DataError, match=message):
        resident(colour, SIZE, CPU)
    for stream in streams:
        with pytest.raises(DataError, match=message):
            list(stream.batches(None, 8))
    assert len(list(kept.batches(None, 8))) == 10


def test_an_image_size_beyond_all_memory(grey: Split) -> None:
    with pytest.raises(ResourceError, match=r"not enough memory for the images; lower train\.batch_size or"):
        resident(grey, 2**22, CPU)


def test_other_errors_pass_through(grey: Split) -> None:
    with pytest.raises(IndexError):
        list(resident(grey, SIZE, CPU).batches(torch.tensor([75]), 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_to_float(channels: int) -> None:
    images = torch.randint(0, 256, (2, channels, 4, 5), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    result = to_float(images, mean, std)
    assert (result.dtype, result.shape) == (torch.float32, (2, 3, 4, 5))
    for channel in range(3):
        source = images[:, min(channel, channels - 1)].double() / 255
        expected = (source - mean[channel]) / std[channel]
        assert torch.allclose(result[:, channel].double(), expected, atol=1e-6)
    assert torch.equal(result, to_float(images, torch.tensor(mean), torch.tensor(std)))


def test_from_name_to_batch() -> None:
    data = load(DataConfig(name="digits", shots=2, max_eval=20))
    test: Pixels = prepare(data.test, 32, CPU)
    (images, labels), *rest = test.batches(None, 20)
    assert (images.shape, rest) == ((20, 1, 32, 32), [])
    assert torch.equal(labels, torch.from_numpy(data.test.labels))
    assert images.max() > 200


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu(split: Split, tmp_path: Path) -> None:
    gpu = torch.device("cuda")
    order = torch.randperm(75)
    expected = list(resident(split, SIZE, CPU).batches(order, 32))
    on_disk = streamed(split, SIZE, gpu, 2, tmp_path)
    for kind in (prepare(split, SIZE, gpu), streamed(split, SIZE, gpu, 2), on_disk, on_disk):
        for (images, labels), (images_too, labels_too) in zip(kind.batches(order, 32), expected, strict=True):
            assert images.is_cuda
            assert labels.is_cuda
            assert torch.equal(images.cpu(), images_too)
            assert torch.equal(labels.cpu(), labels_too)
