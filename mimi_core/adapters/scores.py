"""What a neuron is worth: small functions from an adapter, and what was seen while it trained, to (N,).

All are raw sums over a neuron's own parameters; `mimi_core.select.normalise` makes sites of different width comparable.
Higher is better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.adapter import Adapter
from mimi_core.adapters.attach import adapters_of
from mimi_core.config import ScoreName

TAYLOR_DECAY = 0.85
"""Of the moving average, as in AdaLoRA (arXiv 2303.10512)."""


@dataclass
class Seen:
    """What was accumulated for one adapter in the cycle. All tensors (N,)."""

    gradient: Tensor
    """Sum over all batches of the last epoch of |gradient|, summed over the neuron's parameters."""
    taylor: Tensor
    """Moving average over the cycle's batches of |weight * gradient|, summed over the neuron's parameters."""
    activation: Tensor
    """Sum over all batches of the last epoch of the mean |act(down h)|."""

    @classmethod
    def nothing(cls, adapter: Adapter) -> "Seen":
        return cls(*(torch.zeros(adapter.hidden_width, device=adapter.down.device) for _ in range(3)))


def mimi(adapter: Adapter, seen: Seen) -> Tensor:
    """Sum of |weights|: sum_k |down[j, k]| + sum_k |up[k, j]|. Eq. 3 of the paper before its normaliser."""
    return adapter.down.abs().sum(1) + adapter.up.abs().sum(0)


def l2(adapter: Adapter, seen: Seen) -> Tensor:
    """Euclidean norm of the neuron's weights."""
    return (adapter.down.square().sum(1) + adapter.up.square().sum(0)).sqrt()


def down_only(adapter: Adapter, seen: Seen) -> Tensor:
    """Sum of |weights| of the row of `down` alone."""
    return adapter.down.abs().sum(1)


def activation(adapter: Adapter, seen: Seen) -> Tensor:
    """Mean |activation| in the last epoch, times the sum of |weights| by which it is spread."""
    return seen.activation * adapter.up.abs().sum(0)


def gradient(adapter: Adapter, seen: Seen) -> Tensor:
    """Sum of |gradient| over the last epoch. The authors' code summed signed gradients of the last batch."""
    return seen.gradient


def taylor(adapter: Adapter, seen: Seen) -> Tensor:
    """First-order estimate of the damage: |weight * gradient| (Molchanov et al. 2019, arXiv 1906.10771)."""
    return seen.taylor


SCORES: dict[ScoreName, Callable[[Adapter, Seen], Tensor]] = {
    "mimi": mimi,
    "l2": l2,
    "down_only": down_only,
    "activation": activation,
    "gradient": gradient,
    "taylor": taylor,
}
"""Every score but `random`, which needs no adapter."""


def score_all(
    model: nn.Module, seen: dict[str, Seen], random: np.random.Generator
) -> dict[ScoreName, dict[str, np.ndarray]]:
    """Every score of every neuron: score name -> site name -> (N,) float32."""
    adapters = adapters_of(model)
    with torch.no_grad():
        scores: dict[ScoreName, dict[str, np.ndarray]] = {
            name: {site: score(adapter, seen[site]).float().cpu().numpy() for site, adapter in adapters.items()}
            for name, score in SCORES.items()
        }
    scores["random"] = {site: random.random(a.hidden_width, np.float32) for site, a in adapters.items()}
    return scores


class Watcher:
    """Fills `Seen` while a model trains. Call `after_backward` once for every batch, before gradients are clipped."""

    def __init__(self, model: nn.Module) -> None:
        self._adapters = adapters_of(model)
        self.seen = {site: Seen.nothing(adapter) for site, adapter in self._adapters.items()}
        self.last_epoch = False
        self._hooks = [a.act.register_forward_hook(self._on_activation(site)) for site, a in self._adapters.items()]

    def _on_activation(self, site: str) -> Callable[[nn.Module, object, Tensor], None]:
        def add(_: nn.Module, __: object, activations: Tensor) -> None:
            if self.last_epoch and torch.is_grad_enabled():
                with torch.no_grad():
                    self.seen[site].activation += activations.detach().flatten(0, -2).abs().mean(0, dtype=torch.float32)

        return add

    @torch.no_grad()
    def after_backward(self) -> None:
        for site, adapter in self._adapters.items():
            seen, down, up = self.seen[site], adapter.down, adapter.up
            down_grad, up_grad = down.grad, up.grad
            if down_grad is None or up_grad is None:
                continue
            moved = (down * down_grad).abs().sum(1) + (up * up_grad).abs().sum(0)
            seen.taylor.mul_(TAYLOR_DECAY).add_(moved, alpha=1 - TAYLOR_DECAY)
            if self.last_epoch:
                seen.gradient += down_grad.abs().sum(1) + up_grad.abs().sum(0)

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()
