"""Random changes to training images, by torchvision's transforms: each a function of the seed, the epoch and the image.

So a run that goes on in the middle of an epoch sees the same pictures as one that was never interrupted, whether images
lie in memory or are streamed; and the random numbers of everything else stay as they are without.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before torchvision)
from mimi_core.config import TrainConfig
from mimi_core.train.randomness import Purpose, derive
from mimi_core.train.setup import Setup

SMALLEST_PART = 0.35
"""Of a picture's area that a crop shows, at least: a crop of less often misses what the picture is of."""
GREY = 128
"""Fills what a rotation or shift uncovers."""


class Augment:
    """What `train.augment`, `train.mixup` and `train.cutmix` ask for; without them everything passes through."""

    def __init__(self, config: TrainConfig, seed: int, classes: int, image_size: int, epoch: int) -> None:
        self._seed, self._epoch = seed, epoch
        self._change = _transform(config.augment, image_size)
        self._mixing = _mixing(config, classes)

    def images(self, images: Tensor, indices: Tensor) -> Tensor:
        """(B, C, S, S) uint8 -> the same, or (B, 3, S, S) where changed. `indices`: (B,) into the training images."""
        change = self._change
        if change is None:
            return images
        coloured = images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)
        with _own_numbers() as seed:
            changed = []
            for image, index in zip(coloured, indices.tolist(), strict=True):
                seed(derive(self._seed, Purpose.AUGMENT, self._epoch, index))
                changed.append(change(image))
        return torch.stack(changed)

    def mixed(self, inputs: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Blend the images of a batch, and their labels with them.

        Args:
            inputs: (B, 3, S, S) float32.
            labels: (B,) int64.
            step: of the epoch.

        Returns:
            inputs, and labels as they were or (B, classes) float32.
        """
        if self._mixing is None:
            return inputs, labels
        with _own_numbers() as seed:
            seed(derive(self._seed, Purpose.MIX, self._epoch, step))
            blended, targets = self._mixing(inputs, labels)
        return blended, targets


def augment_of_epoch(setup: Setup, epoch: int) -> Augment:
    """`epoch`: of the whole run, wherever cuts fall."""
    config = setup.config
    return Augment(config.train, config.seed, len(setup.dataset.class_names), setup.image_size, epoch)


class _own_numbers:  # noqa: N801  (used like a function)
    """Gives `seed`, and afterwards the random numbers of the CPU go on as if none was drawn. torchvision draws there,
    whatever the device."""

    def __enter__(self) -> Callable[[int], torch.Generator]:
        self._before = torch.get_rng_state()
        return torch.default_generator.manual_seed

    def __exit__(self, *exc: object) -> None:
        torch.set_rng_state(self._before)


def _transform(name: str, size: int) -> nn.Module | None:
    """Of one uint8 image. Each kind has what those before it have."""
    if name == "none":
        return None
    from torchvision.transforms import v2  # seconds, which a run without it does not wait for

    steps: list[nn.Module] = [v2.RandomHorizontalFlip()]
    if name in ("crop", "randaugment"):
        steps.append(v2.RandomResizedCrop(size, scale=(SMALLEST_PART, 1.0), antialias=True))
    if name == "randaugment":
        steps.append(v2.RandAugment(num_ops=2, magnitude=9, fill=GREY))
    return nn.Sequential(*steps)


def _mixing(config: TrainConfig, classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """Of a batch: one of those that are asked for, each as often."""
    if not config.mixup and not config.cutmix:
        return None
    from torchvision.transforms import v2

    kinds: list[nn.Module] = []
    if config.mixup:
        kinds.append(v2.MixUp(alpha=config.mixup, num_classes=classes))
    if config.cutmix:
        kinds.append(v2.CutMix(alpha=config.cutmix, num_classes=classes))
    chosen: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = v2.RandomChoice(kinds)
    return chosen
