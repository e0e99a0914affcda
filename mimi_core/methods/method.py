"""What a way to fine-tune must say."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from torch import Generator, nn

from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig


def no_cuts(config: RunConfig) -> list[Fraction]:
    return []


@dataclass(frozen=True)
class Method:
    """One way to fine-tune.

    Attributes:
        prepare: (model, config, image size, generator) -> sites; makes trainable what trains and freezes the rest.
        keep_fractions: config -> share of the neurons kept by every cut; empty where nothing is pruned.
        trains_backbone: whether the whole model trains, and so runs in train mode.
        adds: whether what trains besides the head was added to the model, and is no part of the backbone.
    """

    prepare: Callable[[nn.Module, RunConfig, int, Generator], list[Site]]
    keep_fractions: Callable[[RunConfig], list[Fraction]] = no_cuts
    trains_backbone: bool = False
    adds: bool = True
