"""Late layers first: an allocation by place alone, against which scores that look at neurons can be held.

Late layers are the cheapest to train, since no gradient has to reach further than the first adapter that is left.
"""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score
from mimi_core.scores.kinds.mimi import score as magnitude

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    weights = magnitude(adapter, seen)
    return seen.place + weights / (2 * weights.max()).clamp_min(1e-30)  # below 1: a later layer always comes first


SCORE = Score(
    name="depth",
    label="depth",
    words="late layers first, whatever was learned; within a layer the largest absolute weights",
    formula="place of the layer among those with an adapter, plus the paper's score over twice the layer's largest",
    source="a control: an allocation that looks at no neuron",
    known="from weights",
    score=score,
    order=120,
    divided=False,
)
