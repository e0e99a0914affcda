"""Accuracy and loss on a split that nothing was trained on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.data.pixels import Pixels, to_float
from mimi_core.train.progress import Progress

EVAL_BATCH = 128


@dataclass(frozen=True)
class Vision:
    """How uint8 images become a forward pass: normalisation and precision."""

    mean: Tensor
    std: Tensor
    autocast: bool

    def inputs(self, images: Tensor) -> Tensor:
        """(B, C, S, S) uint8 -> (B, 3, S, S) float32."""
        return to_float(images, self.mean, self.std)

    def precision(self) -> AbstractContextManager[None]:
        return torch.autocast(self.mean.device.type, torch.bfloat16, enabled=self.autocast)


@torch.inference_mode()
def predict_batches(
    model: nn.Module, pixels: Pixels, vision: Vision, order: Tensor | None = None, progress: Progress | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (B, classes) float32 and labels (B,), batch by batch. Leaves the model in eval mode."""
    model.eval()
    for images, labels in pixels.batches(order, EVAL_BATCH):
        with vision.precision():
            logits = model(vision.inputs(images))
        yield logits.float(), labels
        if progress is not None:
            progress.evaluated(len(labels))


def evaluate(
    model: nn.Module,
    pixels: Pixels,
    vision: Vision,
    progress: Progress | None = None,
    each: Callable[[Tensor, Tensor], None] | None = None,
) -> tuple[float, float]:
    """Accuracy 0..1 and mean cross entropy over the whole split.

    Args:
        each: called with the logits (B, classes) and labels (B,) of every batch.
    """
    correct = torch.zeros((), dtype=torch.int64, device=vision.mean.device)
    loss = torch.zeros((), dtype=torch.float64, device=vision.mean.device)
    for logits, labels in predict_batches(model, pixels, vision, progress=progress):
        correct += (logits.argmax(1) == labels).sum()
        loss += F.cross_entropy(logits, labels, reduction="sum").double()
        if each is not None:
            each(logits, labels)
    return int(correct) / len(pixels), float(loss) / len(pixels)
