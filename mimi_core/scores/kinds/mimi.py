"""Eq. 3 of the paper before its normaliser."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return adapter.down.abs().sum(1) + adapter.up.abs().sum(0)


SCORE = Score(
    name="mimi",
    label="MiMi",
    words="sum of the absolute weights into and out of the neuron (the paper's)",
    formula="sum_k |down[j,k]| + sum_k |up[k,j]|",
    source="Marouf et al. 2024 (WACV), arXiv 2311.03873, eq. 3",
    known="from weights",
    score=score,
    order=10,
)
