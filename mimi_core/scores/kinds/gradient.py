"""How hard training pulls at a neuron. The authors' code summed signed gradients of the last batch."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Batch, Seen


def after_backward(seen: "Seen", batch: "Batch") -> None:
    if batch.last_epoch:
        seen["gradient"] += batch.gradients.abs().sum(1)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["gradient"]


SCORE = Score(
    name="gradient",
    label="gradient",
    words="sum of the absolute gradients of its weights in the last epoch",
    formula="sum over batches and over the neuron's parameters of |g|",
    source="the authors' code, with absolute values and all batches",
    known="watched",
    score=score,
    order=50,
    watch=Watch({"gradient": "neuron"}, after_backward),
)
