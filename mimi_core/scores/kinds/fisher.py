"""Second-order estimate of the damage, by the empirical Fisher information."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Batch, Seen


def after_backward(seen: "Seen", batch: "Batch") -> None:
    if batch.last_epoch:
        seen["squares"].addcmul_(batch.gradients, batch.gradients)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return (seen["squares"] * adapter.by_neuron(adapter.down, adapter.up).square()).sum(1)


SCORE = Score(
    name="fisher",
    label="Fisher",
    words="squared weights times the squared gradients of the last epoch, summed",
    formula="sum over the neuron's parameters of w² times the sum over batches of g²",
    source="Theis et al. 2018, arXiv 1801.05787",
    known="watched",
    score=score,
    order=80,
    watch=Watch({"squares": "parameter"}, after_backward),
)
