"""What it costs to switch an adapter off: the ground truth that scores of neurons are guesses of."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F

from mimi_core.adapters.adapter import Adapted
from mimi_core.data.pixels import Pixels
from mimi_core.data.sampling import subset
from mimi_core.runs.formats.damage import MOST_IMAGES, Damage, Measured
from mimi_core.train.evaluate import EVAL_BATCH, Vision
from mimi_core.train.progress import TRAIN_COST

Name = TypeVar("Name", str, int)
FEWEST_IMAGES = 32
SHARE = 0.1
"""Of the work of a cycle's training, that measuring may add; but at least `FEWEST_IMAGES` are looked at."""


@dataclass
class Looked:
    """What adds up over the batches that a model was looked at with."""

    losses: list[torch.Tensor] = field(default_factory=list)
    """(B,) float64, the cross entropies of a batch."""
    right: int = 0
    images: int = 0

    @property
    def loss(self) -> float:
        """Mean cross entropy."""
        return float(torch.cat(self.losses).mean())

    @property
    def accuracy(self) -> float:
        return self.right / self.images

    def error_against(self, whole: "Looked") -> float:
        """Standard error of by how much the loss differs, image by image; NaN for a single one."""
        differences = torch.cat(self.losses) - torch.cat(whole.losses)
        return float(differences.std() / math.sqrt(self.images))

    def at(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, vision: Vision) -> None:
        """One batch more."""
        with vision.precision():
            logits = model(inputs).float()
        self.losses.append(F.cross_entropy(logits, labels, reduction="none").double().cpu())
        self.right += int((logits.argmax(1) == labels).sum())
        self.images += len(labels)


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


@contextmanager
def without_neuron(adapted: Adapted, neuron: int) -> Iterator[None]:
    """The adapter computes as if it did not have that neuron."""
    column = adapted.adapter.up.data[:, neuron]
    before = column.clone()
    column.zero_()
    try:
        yield
    finally:
        column.copy_(before)


def chosen_images(pixels: Pixels, count: int) -> torch.Tensor:
    """Indices of at most so many: always the same of a split, the classes in proportion."""
    return torch.from_numpy(subset(pixels.labels.cpu().numpy(), count, seed=0))


@torch.inference_mode()
def measured(
    model: nn.Module,
    pixels: Pixels,
    chosen: torch.Tensor,
    vision: Vision,
    changes: Mapping[Name, Callable[[], AbstractContextManager[None]]],
    tell: Callable[[int], None] = lambda images: None,
) -> tuple[Looked, dict[Name, Looked]]:
    """What the model reaches as it is, and under each change in its turn. Leaves it in eval mode.

    No random number is taken from anywhere.

    Args:
        chosen: (n,) indices into `pixels`.
        changes: name -> what makes the change, and takes it back.
        tell: called with how many images more were looked at.
    """
    as_it_is, looked = Looked(), {name: Looked() for name in changes}
    model.eval()
    for images, labels in pixels.batches(chosen, EVAL_BATCH):
        inputs = vision.inputs(images)
        as_it_is.at(model, inputs, labels, vision)
        tell(len(labels))
        for name, change in changes.items():
            with change():
                looked[name].at(model, inputs, labels, vision)
            tell(len(labels))
    return as_it_is, looked


def of_sites(
    model: nn.Module,
    pixels: Pixels,
    split: Measured,
    count: int,
    vision: Vision,
    tell: Callable[[int], None] = lambda images: None,
) -> Damage:
    """Loss and accuracy whole, and with each site's adapter off in its turn. Leaves the model in eval mode.

    Args:
        count: of images, at most those that are there.
        tell: as for `measured`.
    """
    places = {module.site: module for module in model.modules() if isinstance(module, Adapted)}
    changes = {site: partial(switched_off, adapted) for site, adapted in places.items()}
    chosen = chosen_images(pixels, count)
    whole, without = measured(model, pixels, chosen, vision, changes, tell)
    return Damage(
        loss=whole.loss,
        accuracy=whole.accuracy,
        loss_without={site: looked.loss for site, looked in without.items()},
        accuracy_without={site: looked.accuracy for site, looked in without.items()},
        images=len(chosen),
        split=split,
        error={site: looked.error_against(whole) for site, looked in without.items()},
    )
