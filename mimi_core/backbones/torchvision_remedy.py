"""Lets `import torchvision` work beside a CPU build of torch.

The registries carry torchvision only as a CUDA build. Beside a CPU torch its compiled operators do not load, and the
import stops at `register_fake("torchvision::nms")` with "operator torchvision::nms does not exist". timm imports
torchvision for its image transforms alone and never calls those operators, so it is enough to define their schemas.

Importing this module applies the remedy. Everything in `mimi_core` that uses timm or torchvision imports it first.
"""

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _defined(name: str) -> bool:
    try:
        getattr(torch.ops.torchvision, name)
    except (AttributeError, RuntimeError):
        return False
    return True


def _define_missing_schemas() -> "torch.library.Library | None":
    """Define the schemas that are missing; the returned library must stay referenced, or they vanish again."""
    if torch.version.cuda is not None or torch.version.hip is not None or _defined("nms"):
        return None
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    return library


_library = _define_missing_schemas()
