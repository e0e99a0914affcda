"""How much gradient flow goes with a neuron before any training."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import AtStart, Seen


def at_start(start: "AtStart") -> "Tensor":
    """Taking the neuron out changes the squared gradient norm of all that trains by -2 times this, to first order.

    So a higher score keeps gradient flowing; a negative one says that training would go faster without the neuron.
    """
    return (start.weights * start.products).sum(1)


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen["grasp"]


SCORE = Score(
    name="grasp",
    label="GraSP",
    words="how much gradient flow goes with the neuron, judged before any training; may be negative",
    formula="sum over the neuron's parameters of w (H g), g and H being gradient and Hessian of the mean loss "
    "before any training",
    source="Wang et al. 2020, arXiv 2002.07376, eq. 8",
    known="at the start",
    score=score,
    order=100,
    at_start=at_start,
)
