"""How much a neuron puts out."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def on_activation(seen: "Seen", activations: "Tensor") -> None:
    total = seen["activation"]
    total += activations.flatten(0, -2).abs().mean(0, dtype=total.dtype)  # which autocast makes another than theirs


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["activation"] * adapter.up.abs().sum(0)


SCORE = Score(
    name="activation",
    label="activation",
    words="mean absolute activation in the last epoch, times the absolute weights out of the neuron",
    formula="sum over batches of mean |act(down h)[j]|, times sum_k |up[k,j]|",
    source="activation criterion of Molchanov et al. 2017, arXiv 1611.06440, with the weights that spread it",
    known="watched",
    score=score,
    order=40,
    watch=Watch({"activation": "neuron"}, on_activation=on_activation),
)
