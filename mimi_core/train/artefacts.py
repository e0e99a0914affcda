"""What a run keeps beside its events: the weights of every cycle, scores, the gallery, and what is said of it."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.data import Dataset
from mimi_core.data.pixels import Pixels
from mimi_core.data.sampling import subset
from mimi_core.data.types import Split
from mimi_core.runs.events import Stage
from mimi_core.runs.formats import answers, cycle_weights
from mimi_core.runs.formats import damage as damage_file
from mimi_core.runs.formats.gallery import LEVELS, PREDICTIONS
from mimi_core.runs.recorder import AnyRecorder
from mimi_core.train.damage import images_to_measure, of_sites
from mimi_core.train.evaluate import predict_batches
from mimi_core.train.progress import Progress
from mimi_core.train.setup import Setup

GALLERY_IMAGES = 32
GALLERY_EDGE = 64


def save_weights(recorder: AnyRecorder, setup: Setup, cycle: int, widths: Mapping[str, int]) -> None:
    """All that was trained, as it is now. `widths`: every site of the run -> neurons."""
    metadata: dict[str, Any] = {
        "cycle": cycle,
        "widths": dict(widths),
        "config": setup.config.model_dump(mode="json"),
        "class_names": setup.dataset.class_names,
        cycle_weights.LEVELS: _levels(setup.dataset),
    }
    arrays = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in trained_tensors(setup.model).items()}
    recorder.save_adapters(cycle, arrays, metadata)


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Key in the file of a cycle -> parameter: adapters by their sites, then everything else that trains."""
    adapters = adapters_of(model)
    own = {id(p) for adapter in adapters.values() for p in adapter.parameters()}
    tensors: dict[str, Tensor] = {
        cycle_weights.adapter_key(site, part): parameter
        for site, adapter in adapters.items()
        for part, parameter in adapter.named_parameters()
    }
    rest = {n: p for n, p in model.named_parameters() if p.requires_grad and id(p) not in own}
    return tensors | {cycle_weights.model_key(name): parameter for name, parameter in rest.items()}


def save_predictions(recorder: AnyRecorder, setup: Setup, cycle: int) -> None:
    """Class probabilities of the gallery, as the model is now."""
    chosen = torch.from_numpy(_drawn(setup.dataset.test))
    logits = torch.cat([part for part, _ in predict_batches(setup.model, setup.test, setup.vision, chosen)])
    probabilities = logits.softmax(1).cpu().numpy()
    recorder.save_arrays(cycle, PREDICTIONS, {"index": chosen.numpy(), "probabilities": probabilities})


class Told:
    """Collects what is said of each test image while a split is evaluated."""

    def __init__(self) -> None:
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """A batch: (B, classes) and (B,)."""
        logs, predicted = logits.log_softmax(1), logits.argmax(1)
        of_predicted, of_true = (logs.gather(1, which[:, None])[:, 0] for which in (predicted, labels))
        self._parts.append((predicted, of_predicted, of_true))

    def save(self, recorder: AnyRecorder, cycle: int, stage: Stage, classes: int) -> None:
        columns = (torch.cat(column).cpu().numpy() for column in zip(*self._parts, strict=True))
        recorder.save_arrays(cycle, answers.name_of(stage), answers.arrays(answers.Answers(*columns), classes))


def save_test_images(recorder: AnyRecorder, setup: Setup) -> None:
    """Labels and names of the test split, once for all moments at which something is said of it."""
    test = setup.dataset.test
    images = answers.ImageList(test.labels, _names([test.images.describe(place) for place in range(len(test))]))
    recorder.save_test_images(answers.image_arrays(images))


def _names(described: list[str]) -> tuple[str, ...]:
    """Without the folder that all files share, which is this machine's own."""
    if not all(map(os.path.isabs, described)):
        return tuple(described)
    shared = os.path.commonpath([os.path.dirname(path) for path in described])
    return tuple(os.path.relpath(path, shared) for path in described)


def save_damage(recorder: AnyRecorder, setup: Setup, cycle: int, progress: Progress) -> None:
    """What each adapter is worth before cut `cycle`."""
    split, pixels, count = _measured_on(setup)
    measured = of_sites(setup.model, pixels, split, count, setup.vision, progress.evaluated)
    recorder.save_arrays(cycle, damage_file.NAME, damage_file.arrays(measured))


def measured_images(setup: Setup) -> int:
    """How many images are looked at before a cut, each site's adapter being off in its turn; 0: nothing is measured."""
    if not setup.plan.keep or setup.plan.one_training or not setup.config.prune.measure_damage:
        return 0
    return _measured_on(setup)[2] * (len(setup.sites) + 1)


def _measured_on(setup: Setup) -> tuple[damage_file.Measured, Pixels, int]:
    """Validation images, or where there are none, training images; and how many."""
    trained = len(setup.train) * setup.plan.epochs[0]
    if len(setup.val):
        return "val", setup.val, images_to_measure(len(setup.sites), len(setup.val), trained)
    return "train", setup.train, images_to_measure(len(setup.sites), len(setup.train), trained)


def save_gallery(recorder: AnyRecorder, setup: Setup) -> None:
    """A fixed draw of test images, small; and how 16-bit images are read."""
    recorder.save_gallery(gallery_of(setup.dataset))


def gallery_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """The arrays of `gallery.npz`: of the same test images always the same."""
    test = dataset.test
    chosen = _drawn(test)
    images = [test.images[int(i)].convert("RGB").resize((GALLERY_EDGE, GALLERY_EDGE)) for i in chosen]
    pixels = np.stack([np.asarray(image) for image in images])
    return {"index": chosen, "label": test.labels[chosen], "images": pixels, LEVELS: np.array(_levels(dataset))}


def _levels(dataset: Dataset) -> list[int]:
    levels = dataset.decoding.levels
    return [levels.black, levels.white]


def _drawn(test: Split) -> np.ndarray:
    return subset(test.labels, min(GALLERY_IMAGES, len(test.labels)), seed=0)
