"""First-order estimate of the damage."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import DECAY, Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Batch, Seen


def after_backward(seen: "Seen", batch: "Batch") -> None:
    seen["taylor"].lerp_(batch.moved.sum(1), 1 - DECAY)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["taylor"]


SCORE = Score(
    name="taylor",
    label="Taylor",
    words="first-order estimate of the damage if the neuron went: |weight × gradient|, smoothed over the cycle",
    formula="moving average (decay 0.85) over batches of the sum over the neuron's parameters of |w g|",
    source="Molchanov et al. 2019, arXiv 1906.10771",
    known="watched",
    score=score,
    order=60,
    watch=Watch({"taylor": "neuron"}, after_backward),
)
