"""Linear probe: the classifier head alone trains."""

from torch import Generator, nn

from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.methods.method import Method


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    freeze_all_but_head(model)
    return []


METHOD = Method(prepare)
