"""What each neuron of one adapter is worth, on the model of a saved cycle: the ground truth of a layer's scores."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from mimi_core.adapters.adapter import Adapted
from mimi_core.config import RunConfig
from mimi_core.data import load
from mimi_core.data.pixels import prepare
from mimi_core.errors import RunError
from mimi_core.export.saved import read_saved, restorable
from mimi_core.rounding import percent
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.damage import MOST_IMAGES, Measured
from mimi_core.runs.formats.fingerprint import check_backbone
from mimi_core.runs.jobs.neuron_damage import NeuronDamage
from mimi_core.train.damage import chosen_images, measured, without_neuron
from mimi_core.train.evaluate import Vision
from mimi_core.train.fingerprint import check_images
from mimi_core.train.setup import as_begun


def damage_of_neurons(
    run: Path,
    config: RunConfig,
    cycle: int,
    site: str,
    images: int = MOST_IMAGES,
    tell: Callable[[str], None] = lambda what: None,
) -> NeuronDamage:
    """Take each neuron of a site out in its turn, of the model at the end of a cycle, and put it back. On the CPU.

    So it can be held against the scores that decided cut `cycle + 1`, whose neurons stand in the same order.

    Args:
        images: at most so many, the classes in proportion; a run that measured as many layers looked at the same.
        tell: called with what is being done.

    Raises:
        MimiError: the cycle was not saved, the site has no adapter then, or images or backbone cannot be had, or are
            not those of the run.
    """
    check_backbone(run, config)
    saved = read_saved(cycle_weights.path_of(run, cycle))
    neurons = saved.widths.get(site, 0)
    if not neurons:
        there = ", ".join([name for name, width in saved.widths.items() if width][:5]) or "none"
        raise RunError(f"{site[:100]} has no adapter at the end of cycle {cycle}; those that have one: {there}, ..")
    tell("reading the images")
    dataset = load(as_begun(config.data, run))
    split: Measured = "val" if len(dataset.val) else "train"
    check_images(run, config, dataset, split)
    tell("loading the backbone")
    made = restorable(config, len(saved.class_names))
    model, how = made.fill(saved), made.preprocess
    pixels = prepare(dataset.val if split == "val" else dataset.train, how.image_size, torch.device("cpu"))
    chosen = chosen_images(pixels, images)
    if len(chosen) < 2:
        raise RunError(f"the run has {len(chosen)} images to measure on, and no error can be told from fewer than two")
    vision = Vision(torch.tensor(how.mean), torch.tensor(how.std), autocast=False)
    adapted = next(module for module in model.modules() if isinstance(module, Adapted) and module.site == site)
    changes = {neuron: partial(without_neuron, adapted, neuron) for neuron in range(neurons)}
    done, whole_work = 0, len(chosen) * (neurons + 1)

    def looked_at(more: int) -> None:
        nonlocal done
        done += more
        tell(f"{percent(done / whole_work, 0)} done")

    whole, without = measured(model, pixels, chosen, vision, changes, looked_at)
    return NeuronDamage(
        site=site,
        cycle=cycle,
        images=len(chosen),
        split=split,
        loss=whole.loss,
        accuracy=whole.accuracy,
        loss_without=[looked.loss for looked in without.values()],
        accuracy_without=[looked.accuracy for looked in without.values()],
        error=[looked.error_against(whole) for looked in without.values()],
    )
