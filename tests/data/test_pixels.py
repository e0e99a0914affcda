"""Images reach the model in the order asked for, and the same to the bit whether kept in memory or streamed."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mimi_core.config import DataConfig
from mimi_core.data import Split, load, pixels
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


def both(split: Split, workers: int = 0) -> tuple[ResidentPixels, StreamedPixels]:
    return resident(split, SIZE, CPU), streamed(split, SIZE, CPU, workers)


def test_squares_are_pillows_bicubic(split: Split) -> None:
    images, labels = whole(list(resident(split, SIZE, CPU).batches(None, 10)))
    assert (images.dtype, images.shape) == (torch.uint8, (75, split.images.channels, SIZE, SIZE))
    for index in (0, 41, 74):
        expected = np.asarray(split.images[index].resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        assert np.array_equal(images[index].permute(1, 2, 0).numpy().squeeze(), expected)
    assert labels.tolist() == split.labels.tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_resident_equals_streamed(split: Split, workers: int) -> None:
    kept, stream = both(split, workers)
    random = torch.Generator().manual_seed(0)
    for order in (
        None,
        torch.randperm(75, generator=random),
        torch.tensor([5, 5, 0]),
        torch.tensor([], dtype=torch.long),
    ):
        one, other = list(kept.batches(order, 32)), list(stream.batches(order, 32))
        assert len(one) == len(other) == -(-(75 if order is None else len(order)) // 32)
        for (images, labels), (images_too, labels_too) in zip(one, other, strict=True):
            assert torch.equal(images, images_too)
            assert torch.equal(labels, labels_too)


def test_batches_follow_the_order(split: Split) -> None:
    order = torch.tensor([74, 3, 3, 0, 10])
    for kind in both(split):
        natural, _ = whole(list(kind.batches(None, 50)))
        batches = list(kind.batches(order, 2))
        assert [len(labels) for _, labels in batches] == [2, 2, 1]
        images, labels = whole(batches)
        assert torch.equal(images, natural[order])
        assert torch.equal(labels, kind.labels[order])
        assert (len(kind), labels.dtype) == (75, torch.int64)


def test_the_global_random_stream_is_left_alone(grey: Split) -> None:
    """Else dropout would depend on how much memory a machine has."""
    before = torch.get_rng_state()
    for kind in both(grey):
        list(kind.batches(None, 32))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_may_be_left_early(colour: Split) -> None:
    stream = streamed(colour, SIZE, CPU, 2)
    first, _ = next(stream.batches(None, 8))
    again, _ = next(stream.batches(None, 8))
    assert torch.equal(first, again)


def test_what_fits_is_kept(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    size = resident_bytes(split, SIZE)
    assert size == 75 * split.images.channels * SIZE * SIZE == resident(split, SIZE, CPU).images.nbytes
    limit = int(size / pixels.RESIDENT_SHARE)
    for free, kind in ((limit, ResidentPixels), (limit - 8, StreamedPixels)):
        monkeypatch.setattr(pixels, "free_bytes", lambda free=free: free)
        assert isinstance(prepare(split, SIZE, CPU, 0), kind)


def test_progress_is_told(split: Split) -> None:
    told: list[tuple[int, int]] = []
    prepare(split, SIZE, CPU, 2, lambda done, total: told.append((done, total)))
    assert told == [(64, 75), (75, 75)]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanished_is_named(colour: Split, workers: int) -> None:
    path = Path(colour.images.describe(40))
    path.unlink()
    message = f"^{path}: not a readable image \\(No such file or directory\\)$"
    with pytest.raises(DataError, match=message):
        resident(colour, SIZE, CPU)
    with pytest.raises(DataError, match=message):
        list(streamed(colour, SIZE, CPU, workers).batches(None, 8))


def test_an_image_size_beyond_all_memory(grey: Split) -> None:
    with pytest.raises(ResourceError, match=r"not enough memory for the images; lower train\.batch_size or"):
        resident(grey, 2**22, CPU)


class FatalImages(ArrayImages):
    """Kills the process that decodes it, as the system does when shared memory runs out."""

    def __getitem__(self, index: int) -> Image.Image:
        os._exit(1)


@pytest.mark.filterwarnings("ignore")
def test_a_loader_process_that_dies() -> None:
    split = Split(FatalImages(np.zeros((4, 8, 8), dtype=np.uint8), "fatal"), np.zeros(4, dtype=np.int64))
    with pytest.raises(ResourceError, match=r"lower train.workers \(0 needs no such process\)"):
        list(streamed(split, SIZE, CPU, 1).batches(None, 2))


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
def test_on_a_gpu(split: Split) -> None:
    gpu = torch.device("cuda")
    order = torch.randperm(75)
    expected = list(resident(split, SIZE, CPU).batches(order, 32))
    for kind in (prepare(split, SIZE, gpu), streamed(split, SIZE, gpu, 2)):
        for (images, labels), (images_too, labels_too) in zip(kind.batches(order, 32), expected, strict=True):
            assert images.is_cuda
            assert labels.is_cuda
            assert torch.equal(images.cpu(), images_too)
            assert torch.equal(labels.cpu(), labels_too)
