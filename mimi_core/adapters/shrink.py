"""Make adapters physically smaller, and carry the optimiser's state along.

Parameters are replaced and never resized in place: a graph that is still alive would fail in backward.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.attach import adapters_of, remove
from mimi_core.errors import BudgetError


@dataclass(frozen=True)
class Resized:
    """One parameter that was replaced: `new == old.index_select(dim, keep)`. Empty where an adapter was removed."""

    old: nn.Parameter
    new: nn.Parameter
    dim: int
    keep: Tensor


def shrink(model: nn.Module, survivors: Mapping[str, np.ndarray]) -> list[Resized]:
    """Keep only the surviving neurons; an adapter without any is taken out and the original module put back.

    Args:
        survivors: site name -> sorted indices of the neurons to keep. Sites that are not named stay as they are.

    Returns:
        What `carry_state` needs to know.

    Raises:
        BudgetError: an unknown site, or indices that are not strictly rising within the width; nothing is touched then.
    """
    adapters = adapters_of(model)
    for site, kept in survivors.items():
        if site not in adapters:
            if len(kept) == 0:
                continue
            raise BudgetError(f"{site} has no adapter whose neurons could be kept")
        if len(kept) and (kept[0] < 0 or kept[-1] >= adapters[site].hidden_width or np.any(np.diff(kept) <= 0)):
            raise BudgetError(f"{site}: survivors must be rising indices below {adapters[site].hidden_width}")
    resized: list[Resized] = []
    for site, kept in survivors.items():
        if site not in adapters or len(kept) == adapters[site].hidden_width:
            continue
        adapter = adapters[site]
        keep = torch.as_tensor(np.asarray(kept, np.int64), device=adapter.down.device)
        down, up = _resized(adapter.down, 0, keep), _resized(adapter.up, 1, keep)
        adapter.down, adapter.up = down.new, up.new
        resized += [down, up]
        if len(kept) == 0:
            remove(model, site)
    return resized


def _resized(old: nn.Parameter, dim: int, keep: Tensor) -> Resized:
    new = nn.Parameter(old.detach().index_select(dim, keep), requires_grad=old.requires_grad)
    return Resized(old, new, dim, keep)


def carry_state(optimizer: torch.optim.Optimizer, resized: list[Resized]) -> None:
    """Re-key the optimiser: moments of surviving neurons go on as they are, those of the others are forgotten.

    Every state tensor with the shape of its parameter is cut like it; the rest (step counts) is kept.
    """
    changes = {change.old: change for change in resized}
    for group in optimizer.param_groups:
        group["params"] = [changes[p].new if p in changes else p for p in group["params"]]
        group["params"] = [p for p in group["params"] if p.numel()]
    for change in resized:
        state = optimizer.state.pop(change.old, None)
        if state and change.new.numel():
            optimizer.state[change.new] = {
                key: value.index_select(change.dim, change.keep).contiguous()
                if isinstance(value, Tensor) and value.shape == change.old.shape
                else value
                for key, value in state.items()
            }
