"""Squared weights, in place of the paper's absolute ones."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    """A sum, and no root of it: it ranks as the Euclidean norm does, and as the root mean square once divided by the
    number of weights, which a norm itself would not."""
    return adapter.down.square().sum(1) + adapter.up.square().sum(0)


SCORE = Score(
    name="l2",
    label="L2",
    words="sum of the squared weights into and out of the neuron, which ranks as their Euclidean norm does",
    formula="sum_k down[j,k]² + sum_k up[k,j]²",
    source="the squared L2 norm by which He et al. 2018, arXiv 1808.06866, prune filters",
    known="from weights",
    score=score,
    order=20,
)
