"""What a neuron is worth: small functions from an adapter, and what was seen while it trained, to (N,).

All are raw sums over a neuron's own parameters; `mimi_core.select.normalise` makes sites of different width comparable.
Higher is better.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mimi_core.adapters.adapter import Adapter
from mimi_core.adapters.attach import adapters_of
from mimi_core.config import ScoreName

DECAY = 0.85
"""Of the moving averages: beta_1 and beta_2 of AdaLoRA (arXiv 2303.10512)."""

INITIAL: tuple[ScoreName, ...] = ("snip", "grasp")
"""Scores of the adapters before any training, see `initial.py`. A neuron keeps them through all cuts."""


@dataclass
class Seen:
    """What was accumulated for one adapter in the cycle: (N,), or (N, 2 M) with the parameters as in `by_neuron`."""

    gradient: Tensor
    """(N,) Sum over all batches of the last epoch of |gradient|, summed over the neuron's parameters."""
    taylor: Tensor
    """(N,) Moving average over the cycle's batches of |weight * gradient|, summed over the neuron's parameters."""
    activation: Tensor
    """(N,) Sum over all batches of the last epoch of the mean |act(down h)|."""
    importance: Tensor
    """(N, 2 M) Moving average over the cycle's batches of |weight * gradient|."""
    uncertainty: Tensor
    """(N, 2 M) Moving average of how far |weight * gradient| is from its own average."""
    squares: Tensor
    """(N, 2 M) Sum over all batches of the last epoch of the squared gradient."""
    snip: Tensor
    """(N,) Fixed before any training; NaN where it is not known."""
    grasp: Tensor
    """(N,) Fixed before any training; NaN where it is not known."""

    @classmethod
    def nothing(cls, adapter: Adapter) -> "Seen":
        parameters = by_neuron(adapter.down, adapter.up).detach()
        a, b, c = (torch.zeros_like(parameters[:, 0]) for _ in range(3))
        d, e, f = (torch.zeros_like(parameters) for _ in range(3))
        g, h = (torch.full_like(a, float("nan")) for _ in range(2))
        return cls(a, b, c, d, e, f, g, h)


def by_neuron(down: Tensor, up: Tensor) -> Tensor:
    """(N, 2 M): row j is row j of `down`, then column j of `up`. For weights, or for their gradients."""
    return torch.cat([down, up.T], 1)


def mimi(adapter: Adapter, seen: Seen) -> Tensor:
    """Sum of |weights|: sum_k |down[j, k]| + sum_k |up[k, j]|. Eq. 3 of the paper before its normaliser."""
    return adapter.down.abs().sum(1) + adapter.up.abs().sum(0)


def l2(adapter: Adapter, seen: Seen) -> Tensor:
    """Sum of the squared weights. It ranks as their Euclidean norm does, and as their root mean square once divided
    by their number, which a norm itself would not."""
    return adapter.down.square().sum(1) + adapter.up.square().sum(0)


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


def sensitivity(adapter: Adapter, seen: Seen) -> Tensor:
    """Smoothed |weight * gradient| times its uncertainty, summed (AdaLoRA, arXiv 2303.10512, eq. 8-10)."""
    return (seen.importance * seen.uncertainty).sum(1)


def fisher(adapter: Adapter, seen: Seen) -> Tensor:
    """Squared gradients of the last epoch times squared weights: the damage, by the empirical Fisher information
    (Theis et al. 2018, arXiv 1801.05787)."""
    return (seen.squares * by_neuron(adapter.down, adapter.up).square()).sum(1)


def snip(adapter: Adapter, seen: Seen) -> Tensor:
    """|weight * gradient| before any training (Lee et al. 2019, arXiv 1810.02340)."""
    return seen.snip


def grasp(adapter: Adapter, seen: Seen) -> Tensor:
    """How much gradient flow goes with the neuron, before any training (Wang et al. 2020, arXiv 2002.07376)."""
    return seen.grasp


SCORES: dict[ScoreName, Callable[[Adapter, Seen], Tensor]] = {
    "mimi": mimi,
    "l2": l2,
    "down_only": down_only,
    "activation": activation,
    "gradient": gradient,
    "taylor": taylor,
    "sensitivity": sensitivity,
    "fisher": fisher,
    "snip": snip,
    "grasp": grasp,
}
"""Every score but `random`, which needs no adapter."""


def score_all(
    model: nn.Module, seen: dict[str, Seen], random: np.random.Generator
) -> dict[ScoreName, dict[str, np.ndarray]]:
    """Every score of every neuron: score name -> site name -> (N,) float32. Initial ones only where they are known."""
    adapters = adapters_of(model)
    with torch.no_grad():
        scores: dict[ScoreName, dict[str, np.ndarray]] = {
            name: {site: score(adapter, seen[site]).float().cpu().numpy() for site, adapter in adapters.items()}
            for name, score in SCORES.items()
        }
    for name in INITIAL:
        if any(np.isnan(values).any() for values in scores[name].values()):
            del scores[name]
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
            if adapter.down.grad is None or adapter.up.grad is None:
                continue
            seen, gradients = self.seen[site], by_neuron(adapter.down.grad, adapter.up.grad)
            moved = (by_neuron(adapter.down, adapter.up) * gradients).abs_()
            seen.taylor.lerp_(moved.sum(1), 1 - DECAY)
            seen.importance.lerp_(moved, 1 - DECAY)
            seen.uncertainty.lerp_(moved.sub_(seen.importance).abs_(), 1 - DECAY)
            if self.last_epoch:
                seen.gradient += gradients.abs().sum(1)
                seen.squares.addcmul_(gradients, gradients)

    def carry_over(self, before: dict[str, Seen], survivors: Mapping[str, np.ndarray]) -> None:
        """Take the initial scores of the neurons that survived a cut from what was seen before it."""
        for site, seen in self.seen.items():
            kept = torch.as_tensor(survivors[site], device=seen.snip.device)
            seen.snip, seen.grasp = before[site].snip[kept], before[site].grasp[kept]

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()
