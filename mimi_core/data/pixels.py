"""How images reach the model: squares of uint8 on the training device, kept there or streamed in.

Every picture is resized directly (no crop) to S x S by Pillow's antialiased bicubic filter, one at a time, so that both
ways give the same bytes. Grey pictures stay one channel until `to_float`: a third of the memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from mimi_core.data.memory import free_bytes
from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import Images, Progress, Split
from mimi_core.errors import MimiError, ResourceError

Batch = tuple[Tensor, Tensor]
# Of what is free on the device, per split: train, val and test together take at most 58 %, the rest is for training.
RESIDENT_SHARE = 0.25


class Pixels(Protocol):
    """One split, ready for the model."""

    @property
    def labels(self) -> Tensor:
        """(n,) int64 on the device."""

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
    workers: int = 2,
    on_progress: Progress | None = None,
) -> Pixels:
    """Decode everything onto the device if it takes at most `RESIDENT_SHARE` of its free memory, else stream it.

    Args:
        image_size: S, the edge of the squares in pixels.
        workers: decoding threads now, or loader processes later (0: stream within this process).
        on_progress: called with (images decoded, images in all) after every few dozen.

    Raises:
        DataError: a file has become unreadable since the dataset was loaded.
        ResourceError: memory does not suffice.
    """
    if resident_bytes(split, image_size) > RESIDENT_SHARE * _free_on(device):
        return streamed(split, image_size, device, workers)
    return resident(split, image_size, device, workers, on_progress)


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
    workers: int = 2,
    on_progress: Progress | None = None,
) -> "ResidentPixels":
    """Decode everything onto the device, whatever its size; arguments and errors as in `prepare`."""
    shape = len(split), split.images.channels, image_size, image_size
    done = 0

    def decode(index: int) -> np.ndarray:
        return _square(split.images[index], image_size)

    with _clear_memory_errors():
        images = torch.empty(shape, dtype=torch.uint8, device=device)
        for squares in in_chunks(decode, range(len(split)), workers, on_progress):
            images[done : done + len(squares)] = torch.from_numpy(np.stack(squares))
            done += len(squares)
    return ResidentPixels(images, _labels_on(device, split))


def streamed(split: Split, image_size: int, device: torch.device, workers: int = 2) -> "StreamedPixels":
    """Decode nothing yet; arguments as in `prepare`."""
    return StreamedPixels(_Squares(split.images, image_size), _labels_on(device, split), workers)


@dataclass(frozen=True, eq=False)
class ResidentPixels:
    """All images at once on the device: (n, C, S, S) uint8."""

    images: Tensor
    labels: Tensor

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
    """Images decoded batch by batch, by loader processes that work ahead (0: by this process, when asked)."""

    squares: "_Squares"
    labels: Tensor
    workers: int

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, order: Tensor | None, batch_size: int) -> Iterator[Batch]:
        """See `Pixels.batches`."""
        device = self.labels.device
        chosen = _stretches(torch.arange(len(self)) if order is None else order.cpu(), batch_size)
        loader = DataLoader(
            self.squares,
            sampler=[indices.tolist() for indices in chosen],
            batch_size=None,  # one item of `_Squares` is a whole batch
            num_workers=self.workers,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # of its own: the global one must not depend on how images are kept
        )
        with _clear_memory_errors():
            for indices, images in zip(chosen, loader, strict=True):
                if isinstance(images, MimiError):
                    raise images
                yield images.to(device, non_blocking=True), self.labels[indices.to(device)]


@dataclass(frozen=True, eq=False)
class _Squares(TorchDataset[Tensor | MimiError]):
    """List of indices -> (B, C, S, S) uint8. Errors are returned, since a loader process would wrap a raised one."""

    images: Images
    size: int

    def __getitem__(self, indices: list[int]) -> Tensor | MimiError:
        try:
            return torch.from_numpy(np.stack([_square(self.images[index], self.size) for index in indices]))
        except MimiError as error:
            return error


def _square(image: Image.Image, size: int) -> np.ndarray:
    """A picture as (C, S, S) uint8."""
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
        if "DataLoader worker" in text:
            raise ResourceError(
                "a process that loads images died, most likely for lack of (shared) memory; lower train.workers "
                "(0 needs no such process) or train.batch_size"
            ) from error
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
            raise ResourceError(
                "not enough memory for the images; lower train.batch_size or backbone.image_size, "
                "or use fewer images (data.shots, data.max_eval)"
            ) from error
        raise
