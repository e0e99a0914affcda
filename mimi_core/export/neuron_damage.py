"""What each neuron of one adapter is worth, on the model of a saved cycle: the ground truth of a layer's scores."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mimi_core.adapters.adapter import Adapted
from mimi_core.config import RunConfig
from mimi_core.data import load
from mimi_core.data.pixels import prepare
from mimi_core.errors import RunError
from mimi_core.export.saved import read_saved, restorable
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.damage import Measured
from mimi_core.runs.formats.fingerprint import check_backbone
from mimi_core.train.damage import MOST_IMAGES, chosen_images, measured, without_neuron
from mimi_core.train.evaluate import Vision


@dataclass(frozen=True, eq=False)
class NeuronDamage:
    """Mean cross entropy and accuracy 0..1 of a model, whole and without each neuron of one site.

    Attributes:
        loss_without, accuracy_without: (N,), in the order of the neurons.
        split: which images were looked at: those of validation, or where there are none, of training.
    """

    loss: float
    accuracy: float
    loss_without: np.ndarray
    accuracy_without: np.ndarray
    images: int
    split: Measured

    @property
    def of_loss(self) -> np.ndarray:
        """(N,) by how much the loss rises without each neuron: its damage."""
        return self.loss_without - self.loss


def damage_of_neurons(run: Path, config: RunConfig, cycle: int, site: str, images: int = MOST_IMAGES) -> NeuronDamage:
    """Take each neuron of a site out in its turn, of the model at the end of a cycle, and put it back. On the CPU.

    So it can be held against the scores that decided cut `cycle + 1`, whose neurons stand in the same order.

    Args:
        images: at most so many, the classes in proportion; a run that measured as many layers looked at the same.

    Raises:
        MimiError: the cycle was not saved, the site has no adapter then, or images or backbone cannot be had.
    """
    check_backbone(run, config)
    saved = read_saved(cycle_weights.path_of(run, cycle))
    if not saved.widths.get(site):
        there = ", ".join([name for name, width in saved.widths.items() if width][:5]) or "none"
        raise RunError(f"{site[:100]} has no adapter at the end of cycle {cycle}; those that have one: {there}, ..")
    made = restorable(config, len(saved.class_names))
    model, how = made.fill(saved), made.preprocess
    dataset = load(config.data)
    split: Measured = "val" if len(dataset.val) else "train"
    pixels = prepare(dataset.val if split == "val" else dataset.train, how.image_size, torch.device("cpu"))
    vision = Vision(torch.tensor(how.mean), torch.tensor(how.std), autocast=False)
    adapted = next(module for module in model.modules() if isinstance(module, Adapted) and module.site == site)
    changes = {neuron: partial(without_neuron, adapted, neuron) for neuron in range(saved.widths[site])}
    chosen = chosen_images(pixels, images)
    whole, without = measured(model, pixels, chosen, vision, changes)
    return NeuronDamage(
        loss=whole.loss,
        accuracy=whole.accuracy,
        loss_without=np.array([looked.loss for looked in without.values()]),
        accuracy_without=np.array([looked.accuracy for looked in without.values()]),
        images=len(chosen),
        split=split,
    )
