"""How many neurons: compression rate, widths at the start, and the share that every cut keeps.

Exact rational arithmetic throughout, so that 30 % of ten neurons is three and never two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mimi_core.config import RunConfig

Widths = Mapping[str, int]
"""Site name -> number of neurons there."""


def sigma(token_widths: Iterable[int], neurons: Iterable[int]) -> float:
    """Compression rate: sum of token widths M_i over sum of hidden widths N_i; infinite with no neuron left."""
    left = sum(neurons)
    return sum(token_widths) / left if left else float("inf")


def initial_width(token_width: int, sigma_0: float) -> int:
    """N_i = max(1, M_i // sigma_0)."""
    return max(1, int(Fraction(token_width) // _exact(sigma_0)))


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
    """What a run will do. Nothing is cut by other methods than MiMi. A branch begins with its parent's cuts."""
    prune, epochs = config.prune, config.train.epochs
    if config.method != "mimi":
        return Plan((), (epochs,))
    if prune.schedule == "anneal":
        return _annealed(config)
    made = [Fraction(share) for share in config.branch.keep] if config.branch else []
    if prune.schedule == "one_shot":
        last = _exact(config.adapter.sigma_0) / _exact(prune.sigma_target)
        keep = [*made, last] if last < (made[-1] if made else 1) else made
    else:
        keep = keep_fractions(config.adapter.sigma_0, prune.sigma_target, prune.rho, made)
    return Plan(tuple(keep), (epochs, *(epochs * (prune.retrain_last or k < len(keep)) for k, _ in enumerate(keep, 1))))


def _annealed(config: RunConfig) -> Plan:
    """The budget falls within one training: keep_k = r + (1 - r) (1 - k / K)^3 with r = sigma_0 / sigma_target.

    The cubic schedule of AdaLoRA (arXiv 2303.10512, appendix A), after Zhu and Gupta (arXiv 1710.01878).
    """
    prune, epochs = config.prune, config.train.epochs
    last = _exact(config.adapter.sigma_0) / _exact(prune.sigma_target)
    if last >= 1:
        return Plan((), (epochs,), one_training=True)
    settle = min(epochs - 1, max(1, round(prune.settle * epochs)))
    warm = min(epochs - settle, max(1, round(prune.warm * epochs)))
    when = range(warm, epochs - settle + 1, prune.every)
    keep = tuple(last + (1 - last) * (1 - Fraction(k, len(when))) ** 3 for k in range(1, len(when) + 1))
    return Plan(keep, tuple(after - before for before, after in pairwise((0, *when, epochs))), one_training=True)


def keep_fractions(sigma_0: float, sigma_target: float, rho: float, made: Sequence[Fraction] = ()) -> list[Fraction]:
    """keep_k = max((1 - rho)^k, sigma_0 / sigma_target) for k = 1 .. K, the smallest K that reaches sigma_target.

    Empty when sigma_target equals sigma_0: then nothing is pruned.

    Args:
        made: cuts that were made already, under whatever settings; the others go on from there.
    """
    share, last = 1 - _exact(rho), _exact(sigma_0) / _exact(sigma_target)
    fractions = list(made)
    keep = fractions[-1] if fractions else Fraction(1)
    while keep > last:
        keep = max(keep * share, last)
        fractions.append(keep)
    return fractions


def _exact(value: float) -> Fraction:
    """The decimal that a person wrote: 0.1 is one tenth, not the nearest binary number."""
    return Fraction(str(value))
