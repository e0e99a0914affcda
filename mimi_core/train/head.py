"""Where the classifier head starts."""

from typing import Any

import torch
from torch import nn

from mimi_core.errors import ConfigError
from mimi_core.train import probe
from mimi_core.train.setup import Setup


def start(setup: Setup, known: probe.Fitted | None = None) -> None:
    """Set the head as `train.head` asks. With "random" it stays as the backbone's library made it.

    "probe" is the converged linear probe on the frozen features (first a linear probe, then fine-tuning: Kumar et al.
    2022, arXiv 2202.10054): as long as adapters change nothing, the model begins with the probe's accuracy, and
    training does not first pull the features towards a head that knows nothing.

    Args:
        known: the probe, where it was fitted already.

    Raises:
        ConfigError: the model has no single linear head, or the training images are of one class.
    """
    wanted = setup.config.train.head
    if wanted == "random":
        return
    head: Any = setup.model.get_classifier()  # type: ignore[operator]  # every timm model has it
    if not isinstance(head, nn.Linear):
        raise ConfigError(f"train.head={wanted}: {setup.config.backbone.name} has no single linear head; use random")
    with torch.no_grad():
        if wanted == "zeros":
            for parameter in head.parameters():
                parameter.zero_()
            return
        fitted = known or probe.fitted(setup)
        if fitted is None:
            raise ConfigError("train.head=probe: there is nothing to fit to the training images; use random")
        weight, bias = fitted.affine(head.out_features)
        head.weight.copy_(torch.from_numpy(weight))
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(bias))
