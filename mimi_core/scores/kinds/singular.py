"""One threshold over the singular values of what every adapter has learned, as PARA spreads ranks over layers."""

from typing import TYPE_CHECKING

import numpy as np

from mimi_core.scores.entry import Score
from mimi_core.scores.kinds.mimi import score as magnitude

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import Seen


def score(adapter: "Adapter", seen: "Seen") -> "Tensor":
    down, up = (matrix.double().cpu().numpy() for matrix in (adapter.down, adapter.up))
    product = np.linalg.qr(up)[1] @ np.linalg.qr(down.T)[1].T  # N x N, with the singular values of up · down
    if not np.isfinite(product).all():  # training diverged: no score, instead of an error of numpy's
        return adapter.up.new_full((adapter.hidden_width,), float("nan"))
    rank = magnitude(adapter, seen).argsort(descending=True, stable=True).argsort()
    return adapter.up.new_tensor(np.linalg.svdvals(product))[rank]


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
