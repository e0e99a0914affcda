"""What raw scores are divided by, so that sites of different width can be compared. No torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Normaliser:
    """One way to make the raw scores of sites comparable."""

    name: str
    """As in `prune.normalise` and in events."""
    label: str
    """As forms and axes call it; M is the token width of a site, N the neurons that its adapter has."""
    divisor: "Callable[[int, np.ndarray], float]"
    """What all scores of a site are divided by: of M, and of its raw scores (N,)."""


def _largest(token_width: int, raw: "np.ndarray") -> float:
    return float(abs(raw).max(initial=0.0)) or 1.0


_ENTRIES = (
    # As the authors' code: raw scores are sums over a neuron's M weights in `down` and M in `up`.
    Normaliser("per_parameter", "per parameter (2 M)", lambda token_width, raw: 2.0 * token_width),
    Normaliser("fan", "per fan (M + N)", lambda token_width, raw: float(token_width + len(raw))),
    Normaliser("layer_max", "per layer's largest", _largest),
    Normaliser("none", "none", lambda token_width, raw: 1.0),
)
NORMALISERS: Mapping[str, Normaliser] = {entry.name: entry for entry in _ENTRIES}
"""By name, in the order in which forms list them."""
