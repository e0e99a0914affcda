"""One threshold over the singular values of what every adapter has learned, as PARA spreads ranks over layers."""

from typing import TYPE_CHECKING

from mimi_core.scores.entry import Score
from mimi_core.scores.kinds.mimi import score as magnitude

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    import torch

    down, up = adapter.down.double().cpu(), adapter.up.double().cpu()
    left, right = (torch.linalg.qr(matrix, mode="r").R for matrix in (up, down.T))
    values = torch.linalg.svdvals(left @ right.T)  # of up · down, from N x N instead of M x M
    rank = magnitude(adapter, seen).argsort(descending=True, stable=True).argsort()
    return values.to(rank.device)[rank].float()


SCORE = Score(
    name="singular",
    label="singular",
    words="as many neurons as singular values of the layer's adapter are among the largest of all layers",
    formula="the r-th singular value of up · down, r being the rank of the paper's score within the layer",
    source="after PARA, arXiv 2604.27796, whose threshold cuts singular directions instead of neurons",
    known="from weights",
    score=score,
    order=150,
    divided=False,
)
