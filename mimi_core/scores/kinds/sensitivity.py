"""How sensitive the loss is to each weight by itself, and how sure that is."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import DECAY, Score, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Batch, Seen


def after_backward(seen: "Seen", batch: "Batch") -> None:
    seen["importance"].lerp_(batch.moved, 1 - DECAY)
    seen["uncertainty"].lerp_((batch.moved - seen["importance"]).abs_(), 1 - DECAY)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return (seen["importance"] * seen["uncertainty"]).sum(1)


SCORE = Score(
    name="sensitivity",
    label="sensitivity",
    words="smoothed |weight × gradient| times how uncertain it is, summed (AdaLoRA's)",
    formula="sum over the neuron's parameters of I U, where I is the moving average (decay 0.85) of |w g| "
    "and U that of ||w g| - I|",
    source="AdaLoRA, Zhang et al. 2023, arXiv 2303.10512, eq. 8-10",
    known="watched",
    score=score,
    order=70,
    watch=Watch({"importance": "parameter", "uncertainty": "parameter"}, after_backward),
)
