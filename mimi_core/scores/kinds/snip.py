"""The loss's sensitivity to a neuron before any training."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import AtStart, Seen


def at_start(start: "AtStart") -> "Tensor":
    return (start.weights * start.gradients).abs().sum(1)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["snip"]


SCORE = Score(
    name="snip",
    label="SNIP",
    words="|weight × gradient| before any training; a neuron keeps it through all cuts",
    formula="sum over the neuron's parameters of |w g|, g being the gradient of the mean loss before any training",
    source="Lee et al. 2019, arXiv 1810.02340",
    known="at the start",
    score=score,
    order=90,
    needs_up=True,
    at_start=at_start,
)
