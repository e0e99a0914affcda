"""What it costs to switch an adapter off: the ground truth that scores of neurons are guesses of."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from mimi_core.adapters.adapter import Adapted
from mimi_core.data.pixels import Pixels
from mimi_core.data.sampling import subset
from mimi_core.runs.formats.damage import Damage, Measured
from mimi_core.train.evaluate import EVAL_BATCH, Vision
from mimi_core.train.progress import TRAIN_COST, Progress

MOST_IMAGES, FEWEST_IMAGES = 200, 32
SHARE = 0.1
"""Of the work of a cycle's training, that measuring may add; but at least `FEWEST_IMAGES` are looked at."""


def images_to_measure(sites: int, there: int, trained: int) -> int:
    """How many images each adapter is switched off for.

    Args:
        there: images to choose from.
        trained: images that are trained on between two cuts, all epochs added up.
    """
    affordable = math.floor(SHARE * TRAIN_COST * trained / max(sites, 1))
    return min(there, MOST_IMAGES, max(FEWEST_IMAGES, affordable))


@contextmanager
def switched_off(adapted: Adapted) -> Iterator[None]:
    """The module computes what it did without its adapter."""
    adapted.is_on = False
    try:
        yield
    finally:
        adapted.is_on = True


@torch.inference_mode()
def of_sites(
    model: nn.Module, pixels: Pixels, split: Measured, count: int, vision: Vision, progress: Progress | None = None
) -> Damage:
    """Loss and accuracy whole, and with each site's adapter off in its turn. Leaves the model in eval mode.

    The images are always the same of a split, the classes in proportion; no random number is taken from anywhere.

    Args:
        count: of images, at most those that are there.
    """
    chosen = torch.from_numpy(subset(pixels.labels.cpu().numpy(), count, seed=0))
    places = {module.site: module for module in model.modules() if isinstance(module, Adapted)}
    loss: dict[str | None, float] = dict.fromkeys((None, *places), 0.0)
    right: dict[str | None, int] = dict.fromkeys((None, *places), 0)
    model.eval()
    for images, labels in pixels.batches(chosen, EVAL_BATCH):
        started = time.monotonic()
        inputs = vision.inputs(images)

        def look(site: str | None, inputs: torch.Tensor = inputs, labels: torch.Tensor = labels) -> None:
            with vision.precision():
                logits = model(inputs).float()
            loss[site] += float(F.cross_entropy(logits, labels, reduction="sum").double())
            right[site] += int((logits.argmax(1) == labels).sum())

        look(None)
        for site, adapted in places.items():
            with switched_off(adapted):
                look(site)
        if progress is not None:
            progress.advance(len(labels) * len(loss), 1.0, time.monotonic() - started)
    mean = {site: total / len(chosen) for site, total in loss.items()}
    share = {site: total / len(chosen) for site, total in right.items()}
    return Damage(
        loss=mean[None],
        accuracy=share[None],
        loss_without={site: mean[site] for site in places},
        accuracy_without={site: share[site] for site in places},
        images=len(chosen),
        split=split,
    )
