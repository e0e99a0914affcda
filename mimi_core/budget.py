"""How many neurons: compression rate, widths at the start, and the share that every cut keeps.

Exact rational arithmetic throughout, so that 30 % of ten neurons is three and never two.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

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


def cuts(config: RunConfig) -> list[Fraction]:
    """What every cut of a MiMi run keeps, as a share of the initial neurons. A branch begins with its parent's cuts."""
    made = [Fraction(share) for share in config.branch.keep] if config.branch else []
    return keep_fractions(config.adapter.sigma_0, config.prune.sigma_target, config.prune.rho, made)


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
