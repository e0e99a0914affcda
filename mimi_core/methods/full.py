"""Full fine-tuning: every weight trains."""

from torch import Generator, nn

from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.methods.method import Method


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    model.requires_grad_(True)
    return []


METHOD = Method(prepare, trains_backbone=True, adds=False)
