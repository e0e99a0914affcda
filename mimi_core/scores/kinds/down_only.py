"""Half of the paper's score."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return adapter.down.abs().sum(1)


SCORE = Score(
    name="down_only",
    label="down-only",
    words="sum of the absolute weights into the neuron alone",
    formula="sum_k |down[j,k]|",
    source="ablation of the paper's score, arXiv 2311.03873, eq. 3",
    known="from weights",
    score=score,
    order=30,
)
