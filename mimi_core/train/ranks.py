"""What a method that decides ranks is told to have: its matrices at the start, and what is left of their ranks."""

import time
from collections.abc import Mapping, Sequence

from mimi_core.methods.method import RankedMatrix
from mimi_core.runs.events import Ranked, SiteInfo


def ranked_sites(matrices: Sequence[RankedMatrix]) -> list[SiteInfo]:
    """The matrices as a run's sites. That they have a cost says that their widths are ranks."""
    return [
        SiteInfo(name=m.matrix, block=m.site.block, position=m.site.position, width=m.site.width, cost=m.cost)
        for m in matrices
    ]


def starting_ranks(matrices: Sequence[RankedMatrix]) -> dict[str, int]:
    """RankedMatrix -> ranks at the start."""
    return {m.matrix: m.start for m in matrices}


def decided(matrices: Sequence[RankedMatrix], first: Mapping[str, int]) -> Ranked:
    """The ranks as they are now. `first`: the parameters at the start, as `parameter_counts` has them."""
    trained = first["trained"] - sum(m.cost * (m.start - m.left) for m in matrices)
    return Ranked(
        time=time.time(),
        ranks={m.matrix: m.left for m in matrices},
        ranks_before=sum(m.start for m in matrices),
        ranks_after=sum(m.left for m in matrices),
        adapter_parameters=trained - first["head"],
        trained_parameters=trained,
    )
