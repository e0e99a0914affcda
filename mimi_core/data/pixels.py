"""How images reach the model: squares of uint8 on the training device, kept there or streamed in.

Every picture is resized directly (no crop) to S x S by Pillow's antialiased bicubic filter, one at a time, so that both
ways give the same bytes. Grey pictures stay one channel until `to_float`: a third of the memory.

Streams are made by threads of this process, which work some batches ahead: decoding happens outside Python's lock, and
unlike loader processes threads cost no memory, start at once, and cannot outlive a worker that is killed.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mimi_core.data.memory import free_bytes
from mimi_core.data.parallel import ahead, in_chunks, pool
from mimi_core.data.spool import Spool, make_spool
from mimi_core.data.types import Images, Progress, Split
from mimi_core.errors import ResourceError

Batch = tuple[Tensor, Tensor]
Place = Literal["memory", "disk", "nowhere"]
"""Where decoded images are kept."""
# Of what is free on the device, per split: train, val and test together take at most 58 %, the rest is for training.
RESIDENT_SHARE = 0.25
AHEAD = 2  # batches that are being made while one is worked on
PIECE = 8  # images that a thread makes at a time


class Pixels(Protocol):
    """One split, ready for the model."""

    @property
    def labels(self) -> Tensor:
        """(n,) int64 on the device."""

    @property
    def place(self) -> Place:
        """Where its images are kept once they are decoded; "nowhere": they are decoded anew in every epoch."""

    @property
    def disk_bytes(self) -> int:
        """What they take of the disk."""

    def memory_bytes(self, batch_size: int) -> int:
        """The most that they take of memory, the device's where they are kept there."""

    def __len__(self) -> int: ...

    def batches(self, order: Tensor | None, batch_size: int) -> Iterator[Batch]:
        """Every image of `order`, in that order; the last batch may be smaller.

        Args:
            order: (k,) int64 indices on any device; None: all images as they come.
            batch_size: images per batch.

        Yields:
            (B, C, S, S) uint8 and (B,) int64, on the device; not to be written to.

        Raises:
            DataError: a file has become unreadable since the dataset was loaded.
            ResourceError: memory does not suffice.
        """


def resident_bytes(split: Split, image_size: int) -> int:
    """Bytes that all images of `split` take as (n, C, S, S) uint8."""
    return len(split) * split.images.channels * image_size**2


def prepare(
    split: Split,
    image_size: int,
    device: torch.device,
    threads: int = 2,
    on_progress: Progress | None = None,
    folder: Path | None = None,
) -> Pixels:
    """Decode everything onto the device if it takes at most `RESIDENT_SHARE` of its free memory, else stream it.

    Args:
        image_size: S, the edge of the squares in pixels.
        threads: how many decode, now or later.
        on_progress: called with (images decoded, images in all) after every few dozen.
        folder: on its disk streamed images are kept once they are decoded, if there is room; None: they are not.

    Raises:
        DataError: a file has become unreadable since the dataset was loaded.
        ResourceError: memory does not suffice.
    """
    if resident_bytes(split, image_size) > RESIDENT_SHARE * _free_on(device):
        return streamed(split, image_size, device, threads, folder)
    return resident(split, image_size, device, threads, on_progress)


def to_float(images: Tensor, mean: Tensor | Sequence[float], std: Tensor | Sequence[float]) -> Tensor:
    """(B, C, S, S) uint8 -> (B, 3, S, S) float32: scaled to 0..1, normalised per channel; grey fills all three.

    Args:
        mean, std: one number per channel, (3,); as tensors on the device of `images` they cost no transfer.
    """
    shift, scale = (
        torch.as_tensor(values, dtype=torch.float32, device=images.device).view(3, 1, 1) for values in (mean, std)
    )
    return (images.float() / 255 - shift) / scale


def resident(
    split: Split,
    image_size: int,
    device: torch.device,
    threads: int = 2,
    on_progress: Progress | None = None,
) -> "ResidentPixels":
    """Decode everything onto the device, whatever its size; arguments and errors as in `prepare`."""
    shape = len(split), split.images.channels, image_size, image_size
    done = 0

    def decode(index: int) -> np.ndarray:
        return square(split.images[index], image_size)

    with _clear_memory_errors():
        images = torch.empty(shape, dtype=torch.uint8, device=device)
        for squares in in_chunks(decode, range(len(split)), threads, on_progress):
            images[done : done + len(squares)] = torch.from_numpy(np.stack(squares))
            done += len(squares)
    return ResidentPixels(images, _labels_on(device, split))


def streamed(
    split: Split, image_size: int, device: torch.device, threads: int = 2, folder: Path | None = None
) -> "StreamedPixels":
    """Decode nothing yet; arguments as in `prepare`."""
    square = split.images.channels, image_size, image_size
    spool = make_spool(folder, len(split), math.prod(square)) if folder else None
    return StreamedPixels(split.images, square, _labels_on(device, split), threads, spool)


@dataclass(frozen=True, eq=False)
class ResidentPixels:
    """All images at once on the device: (n, C, S, S) uint8."""

    images: Tensor
    labels: Tensor
    place: Place = "memory"
    disk_bytes: int = 0

    def memory_bytes(self, batch_size: int) -> int:
        """See `Pixels.memory_bytes`."""
        return self.images.nbytes

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, order: Tensor | None, batch_size: int) -> Iterator[Batch]:
        """See `Pixels.batches`."""
        if order is None:
            for start in range(0, len(self), batch_size):
                stop = start + batch_size
                yield self.images[start:stop], self.labels[start:stop]
        else:
            with _clear_memory_errors():
                for chosen in _stretches(order.to(self.labels.device), batch_size):
                    yield self.images[chosen], self.labels[chosen]


@dataclass(frozen=True, eq=False)
class StreamedPixels:
    """Images made batch by batch: decoded, or read from the spool where they are kept since they were decoded.

    Args:
        square: (C, S, S).
    """

    images: Images
    square: tuple[int, int, int]
    labels: Tensor
    threads: int
    spool: Spool | None

    @property
    def place(self) -> Place:
        return "disk" if self.spool else "nowhere"

    @property
    def disk_bytes(self) -> int:
        return self.spool.bytes if self.spool else 0

    def memory_bytes(self, batch_size: int) -> int:
        """See `Pixels.memory_bytes`: the batches being made, the one that was asked for, and the one before it."""
        return (AHEAD + 2) * min(batch_size, len(self)) * math.prod(self.square)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, order: Tensor | None, batch_size: int) -> Iterator[Batch]:
        """See `Pixels.batches`."""
        device = self.labels.device
        order = torch.arange(len(self)) if order is None else order.cpu()
        labels = _stretches(self.labels[order.to(device)], batch_size)
        with _clear_memory_errors(), pool(self.threads) as workers:
            begun = ahead(lambda indices: self._begin(indices, workers), _stretches(order, batch_size), AHEAD)
            for (images, pieces), those in zip(begun, labels, strict=True):
                for piece in pieces:
                    piece.result()
                yield images.to(device, non_blocking=True), those

    def _begin(self, indices: Tensor, workers: ThreadPoolExecutor) -> tuple[Tensor, "list[Future[None]]"]:
        """The images of a batch, which are there once all pieces are done, and these pieces."""
        pinned = self.labels.device.type == "cuda"  # so that it is copied while the device works on
        images = torch.empty(len(indices), *self.square, dtype=torch.uint8, pin_memory=pinned)
        squares, wanted = images.numpy(), indices.tolist()
        starts = range(0, len(wanted), PIECE)
        return images, [workers.submit(self._fill, squares[at:][:PIECE], wanted[at:][:PIECE]) for at in starts]

    def _fill(self, squares: np.ndarray, indices: list[int]) -> None:
        for target, index in zip(squares, indices, strict=True):
            if self.spool and self.spool.read(index, target):
                continue
            target[...] = square(self.images[index], self.square[-1])
            if self.spool:
                self.spool.write(index, target)


def square(image: Image.Image, size: int) -> np.ndarray:
    """A picture as (C, S, S) uint8, resized as a whole."""
    pixels = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _stretches(order: Tensor, size: int) -> list[Tensor]:
    """Like `order.split(size)`, but nothing gives nothing."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def _labels_on(device: torch.device, split: Split) -> Tensor:
    return torch.tensor(split.labels, dtype=torch.int64, device=device)


def _free_on(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_bytes()


@contextmanager
def _clear_memory_errors() -> Iterator[None]:
    """Say what to lower, where torch and the system only say that something did not fit."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
            raise ResourceError(
                "not enough memory for the images; lower train.batch_size or backbone.image_size, "
                "or use fewer images (data.shots, data.max_eval)"
            ) from error
        raise
