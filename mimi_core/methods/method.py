"""What a way to fine-tune must say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Generator, nn
from torch.optim import Optimizer

from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig


@dataclass(frozen=True)
class RankedMatrix:
    """A matrix whose rank a method decides.

    Attributes:
        site: the attention or MLP it belongs to.
        matrix: its own name.
        start, left: directions at the start, and now.
        cost: parameters of one direction.
    """

    site: Site
    matrix: str
    start: int
    left: int
    cost: int


@dataclass(frozen=True)
class Ranking:
    """How a method spreads ranks over the layers while it trains.

    Attributes:
        begin: (model, optimiser, config, steps in all, steps done) -> None; called when the optimiser is there.
        ranks: model -> its matrices, in the model's order.
        keep: (config, matrices at the start) -> share of the directions, or of their parameters, left at the end.
    """

    begin: Callable[[nn.Module, Optimizer, RunConfig, int, int], None]
    ranks: Callable[[nn.Module], list[RankedMatrix]]
    keep: Callable[[RunConfig, Sequence[RankedMatrix]], float]


@dataclass(frozen=True)
class Method:
    """One way to fine-tune.

    Attributes:
        prepare: (model, config, image size, generator) -> sites; makes trainable what trains and freezes the rest.
        trains_backbone: whether the whole model trains, and so runs in train mode.
        adds: whether what trains besides the head was added to the model, and is no part of the backbone.
        ranking: for methods that decide ranks.
    """

    prepare: Callable[[nn.Module, RunConfig, int, Generator], list[Site]]
    trains_backbone: bool = False
    adds: bool = True
    ranking: Ranking | None = None
