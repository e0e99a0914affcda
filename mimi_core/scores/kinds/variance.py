"""How much of a layer's variance a neuron explains, as EVA spreads ranks over layers."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def on_activation(seen: "Seen", activations: "Tensor") -> None:
    total = seen["variance"]
    total += activations.flatten(0, -2).to(total.dtype).var(0, correction=0)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["variance"] / seen["variance"].sum().clamp_min(1e-30)


SCORE = Score(
    name="variance",
    label="variance",
    words="share of the variance of its layer's activations in the last epoch, as EVA compares directions",
    formula="sum over batches of the variance of act(down h)[j] over tokens and images, over its sum over the layer",
    source="after EVA, Paischer et al. 2024, arXiv 2410.07170, which takes singular directions of the inputs instead",
    known="watched",
    score=score,
    order=140,
    divided=False,
    watch=Watch({"variance": "neuron"}, on_activation=on_activation),
)
