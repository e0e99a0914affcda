"""What a run keeps beside its events: the weights of every cycle, scores, the gallery, and what is said of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.data.sampling import subset
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.gallery import PREDICTIONS
from mimi_core.runs.recorder import AnyRecorder
from mimi_core.train.evaluate import predict_batches
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
    chosen = _gallery_indices(setup)
    logits = torch.cat([part for part, _ in predict_batches(setup.model, setup.test, setup.vision, chosen)])
    probabilities = logits.softmax(1).cpu().numpy()
    recorder.save_arrays(cycle, PREDICTIONS, {"index": chosen.numpy(), "probabilities": probabilities})


def save_gallery(recorder: AnyRecorder, setup: Setup) -> None:
    """A fixed draw of test images, small."""
    chosen, test = _gallery_indices(setup).numpy(), setup.dataset.test
    images = [test.images[int(i)].convert("RGB").resize((GALLERY_EDGE, GALLERY_EDGE)) for i in chosen]
    pixels = np.stack([np.asarray(image) for image in images])
    recorder.save_gallery({"index": chosen, "label": test.labels[chosen], "images": pixels})


def _gallery_indices(setup: Setup) -> Tensor:
    labels = setup.dataset.test.labels
    return torch.from_numpy(subset(labels, min(GALLERY_IMAGES, len(labels)), seed=0))
