"""Chance: the baseline that every other score has to beat."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    return seen.drawn(adapter.hidden_width)


SCORE = Score(
    name="random",
    label="random",
    words="drawn by lot: the baseline",
    formula="uniform in [0, 1), decided by the seed and the cut",
    source="the usual baseline; the authors' code has one, too",
    known="by lot",
    score=score,
    order=110,
    divided=False,
)
