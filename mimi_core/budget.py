"""How many neurons: compression rate, widths at the start, and what a run does from its start to its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mimi_core.config import RunConfig
from mimi_core.config.cuts import annealing_epochs, exact
from mimi_core.config.methods import METHODS

Widths = Mapping[str, int]
"""Site name -> number of neurons there."""


def sigma(token_widths: Iterable[int], neurons: Iterable[int]) -> float:
    """Compression rate: sum of token widths M_i over sum of hidden widths N_i; infinite with no neuron left."""
    left = sum(neurons)
    return sum(token_widths) / left if left else float("inf")


def initial_width(token_width: int, sigma_0: float) -> int:
    """N_i = max(1, M_i // sigma_0)."""
    return max(1, int(Fraction(token_width) // exact(sigma_0)))


@dataclass(frozen=True)
class Plan:
    """A run from its start to its end: train, cut, train, cut, train .."""

    keep: tuple[Fraction, ...]
    """What each of the K cuts keeps, as a share of the initial neurons."""
    epochs: tuple[int, ...]
    """Of training: before any cut, and after every one; K + 1 numbers."""
    one_training: bool = False
    """Whether the learning rate runs its course once over all epochs, instead of anew after every cut."""

    @property
    def total_epochs(self) -> int:
        return sum(self.epochs)


def plan(config: RunConfig) -> Plan:
    """What a run will do. Methods that cut nothing train once. A branch begins with its parent's cuts."""
    prune, epochs, keep = config.prune, config.train.epochs, config.kept_shares
    annealed = prune.schedule == "anneal" and METHODS[config.method].cuts
    if annealed and keep:
        when = annealing_epochs(epochs, prune.warm, prune.settle, prune.every)
        return Plan(keep, tuple(after - before for before, after in pairwise((0, *when, epochs))), one_training=True)
    after_cuts = (epochs * (prune.retrain_last or k < len(keep)) for k, _ in enumerate(keep, 1))
    return Plan(keep, (epochs, *after_cuts), one_training=annealed)
