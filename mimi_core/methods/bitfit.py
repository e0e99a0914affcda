"""BitFit: the biases of all layers train, with the head (Ben Zaken et al. 2022, arXiv 2106.10199)."""

from torch import Generator, nn

from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.errors import ConfigError
from mimi_core.methods.method import Method


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    """Raises ConfigError for a backbone without biases."""
    freeze_all_but_head(model)
    biases = [p for name, p in model.named_parameters() if name.endswith("bias") and p.ndim == 1]
    if all(bias.requires_grad for bias in biases):  # at most the head's
        raise ConfigError(
            f"method=bitfit trains biases, and {type(model).__name__} has none; choose another method, such as adapter"
        )
    for bias in biases:
        bias.requires_grad_(True)
    return []


METHOD = Method(prepare, adds=False)
