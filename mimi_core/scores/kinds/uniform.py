"""Equally many neurons in every layer: the allocation that knows nothing."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score
from mimi_core.scores.kinds.mimi import score as magnitude

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    rank = magnitude(adapter, seen).argsort(descending=True, stable=True).argsort()
    return 1 / (1 + rank)


SCORE = Score(
    name="uniform",
    label="uniform",
    words="equally many neurons in every layer, those with its largest absolute weights",
    formula="1 over the rank of the paper's score within the layer",
    source="a control: an allocation that looks at no layer",
    known="from weights",
    score=score,
    order=130,
    divided=False,
)
