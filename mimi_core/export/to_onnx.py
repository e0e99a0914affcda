"""One cycle of a run as ONNX: normalisation, backbone, the adapters that are left, and the head in one graph."""

import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.export.saved import Preprocess, learned_from_grey, read_saved, restorable
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.fingerprint import check_backbone

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4
"""Largest difference of a logit that passes as equal, relative to the largest logit."""


LUMA = tuple(weight / 65536 for weight in (19595, 38470, 7471))
"""Of red, green and blue in Pillow's mode L (ITU-R 601); together exactly 1."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how far its logits are from those of the model itself."""

    size: int
    nodes: int
    largest_difference: float


class _FromPixels(nn.Module):
    """(B, 3, S, S) pixels in 0..1 -> (B, classes) logits."""

    mean: Tensor
    std: Tensor
    luma: Tensor

    def __init__(self, model: nn.Module, preprocess: Preprocess) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocess.std).view(3, 1, 1))
        self.grey = preprocess.grey
        self.register_buffer("luma", torch.tensor(LUMA).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.grey:  # it learned without colours; what is grey already stays as it is
            images = (images * self.luma).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        logits: Tensor = self.model((images - self.mean) / self.std)
        return logits


def write_onnx(run: Path, config: RunConfig, cycle: int, target: Path) -> Exported:
    """Export one saved cycle, run it with onnxruntime, and write it only if it gives the same logits.

    The input is `images`, (B, 3, S, S) float32 in 0..1 with any B; the output `logits`, (B, classes). Class names and
    what happens before are in the file's metadata.

    Raises:
        MimiError: packages are missing, the cycle cannot be read, the model cannot be exported, or the file cannot be
            written.
    """
    onnx, runtime = _packages()
    saved = read_saved(cycle_weights.path_of(run, cycle))
    check_backbone(run, config)
    ready = restorable(config, len(saved.class_names), learned_from_grey(run), saved.levels)
    model = _FromPixels(ready.fill(saved), ready.preprocess).eval()
    size = ready.preprocess.image_size
    grey = ", and so is turning colours grey" if ready.preprocess.grey else ""
    with files.replaced(target) as partial:
        graph = _graph(model, size, config.backbone.name)
        facts = {
            "class_names": json.dumps(saved.class_names),
            "image_size": str(size),
            "run": run.name,
            "cycle": str(cycle),
            "input": f"RGB pixels of a picture {ready.preprocess.in_words}. Normalisation is in the graph{grey}",
            "grey": json.dumps(ready.preprocess.grey),
        }
        onnx.helper.set_model_props(graph, facts)
        onnx.save(graph, partial)
        difference = _difference(runtime, partial, model, size)
        written = partial.stat().st_size
    return Exported(written, len(graph.graph.node), difference)


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ImportError as error:
        raise RunError(
            f"ONNX export needs packages that are not installed ({error.name}): pip install {' '.join(PACKAGES)}"
        ) from error
    return onnx, onnxruntime


def _graph(model: nn.Module, size: int, name: str) -> Any:
    images = torch.rand(2, 3, size, size)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                model,
                (images,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except Exception as error:  # the exporter raises whatever the graph made it meet
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise RunError(f"{name} cannot be exported to ONNX by this version of torch: {reason}") from error
    assert program is not None
    return program.model_proto


def _difference(runtime: Any, path: Path, model: nn.Module, size: int) -> float:
    """How far the file's logits are from the model's, on batches of other sizes than the one it was exported with."""
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator, largest = torch.Generator().manual_seed(0), 0.0
    for batch in (1, 3):
        images = torch.rand(batch, 3, size, size, generator=generator)
        with torch.no_grad():
            logits = model(images).numpy()
        (given,) = session.run(["logits"], {"images": images.numpy()})
        difference = float(np.abs(given - logits).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(logits).max())):
            raise RunError(f"the exported graph gives other logits than the model (by {difference:.2g}); not written")
        largest = max(largest, difference)
    return largest
