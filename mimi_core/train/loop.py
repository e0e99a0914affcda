"""One epoch of training, readable from top to bottom."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from mimi_core.config import TrainConfig
from mimi_core.data.pixels import Pixels
from mimi_core.data.sampling import subset
from mimi_core.errors import RunError
from mimi_core.scores.watching import Watcher
from mimi_core.train.augment import Augment
from mimi_core.train.evaluate import Vision
from mimi_core.train.optim import learning_rate
from mimi_core.train.progress import Progress

INITIAL_SHARE, INITIAL_IMAGES = 4, 256
"""Initial scores look at one training image in so many, and at most at so many: about the time of one epoch."""


@dataclass(frozen=True)
class EpochResult:
    loss: float
    accuracy: float
    lr: float
    images_per_second: float
    seconds: float


@dataclass
class Done:
    """How far an epoch is, and what has added up in it."""

    loss: torch.Tensor
    """() float64: the sum over its images."""
    correct: torch.Tensor
    """() int64"""
    step: int = 0
    """Batches."""
    seconds: float = 0.0

    @classmethod
    def nothing(cls, device: torch.device) -> "Done":
        zero = torch.zeros((), dtype=torch.int64, device=device)
        return cls(zero.double(), zero)


def train_epoch(
    model: nn.Module,
    pixels: Pixels,
    order: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    watcher: Watcher,
    vision: Vision,
    config: TrainConfig,
    augment: Augment,
    epoch_of: tuple[int, int],
    progress: Progress,
    done: Done | None = None,
    after_step: Callable[[Done], None] | None = None,
) -> EpochResult:
    """Train once over `order`, or over what is left of it.

    Args:
        order: (n,) indices into `pixels`.
        augment: of this epoch.
        epoch_of: this epoch, 0-based, and how many there are in one course of the learning rate.
        done: of this epoch, in an earlier attempt.
        after_step: called after every batch but the last.

    Raises:
        RunError: the loss is no longer a number.
    """
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    epoch, epochs = epoch_of
    steps_per_epoch = math.ceil(len(order) / config.batch_size)
    done = done or Done.nothing(vision.mean.device)
    first, before = done.step * config.batch_size, done.seconds
    started = last = time.monotonic()
    lr = config.lr
    for step, (images, labels) in enumerate(pixels.batches(order[first:], config.batch_size), done.step):
        lr = learning_rate(epoch * steps_per_epoch + step, epochs * steps_per_epoch, config)
        for group in optimizer.param_groups:
            group["lr"] = lr
        indices = order[step * config.batch_size :][: len(labels)]
        inputs, targets = augment.mixed(vision.inputs(augment.images(images, indices)), labels, step)
        with vision.precision():
            logits = model(inputs)
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=config.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        watcher.after_backward()
        nn.utils.clip_grad_norm_(trained, config.clip)
        optimizer.step()
        done.loss += loss.detach().double() * len(labels)
        most = targets if targets.ndim == 1 else targets.argmax(1)
        done.correct += (logits.detach().argmax(1) == most).sum()
        now = time.monotonic()
        progress.trained(len(labels), now - last)
        last = now
        done.step, done.seconds = step + 1, before + now - started
        if after_step is not None and done.step < steps_per_epoch:
            after_step(done)
    mean_loss = float(done.loss) / len(order)
    if not math.isfinite(mean_loss):
        raise RunError(
            f"training diverged: the loss is {mean_loss} in epoch {epoch + 1}; lower train.lr (now {config.lr:g})"
        )
    seconds = time.monotonic() - started
    per_second = (len(order) - first) / seconds
    return EpochResult(mean_loss, int(done.correct) / len(order), lr, per_second, before + seconds)


def initial_losses(
    model: nn.Module, pixels: Pixels, seed: int, vision: Vision, config: TrainConfig
) -> Iterator[torch.Tensor]:
    """Losses of a few training images before any training, batch by batch; they add up to the mean. In full precision.

    Batches are a quarter of the usual size, since differentiating twice keeps more in memory.

    Args:
        seed: decides which images; the classes are in proportion.
    """
    size = min(INITIAL_IMAGES, math.ceil(len(pixels) / INITIAL_SHARE))
    chosen = torch.from_numpy(subset(pixels.labels.cpu().numpy(), size, seed))
    model.eval()
    for images, labels in pixels.batches(chosen, math.ceil(config.batch_size / 4)):
        logits = model(vision.inputs(images))
        yield F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing, reduction="sum") / size
