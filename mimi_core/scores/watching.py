"""What is seen of adapters while they train, or before; and every score of every neuron made of it.

Which numbers are kept is what the scores of the catalogue declare. For the worker alone: this module needs torch.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from mimi_core.scores.catalogue import AT_START, SCORES
from mimi_core.scores.entry import Watch

if TYPE_CHECKING:
    from mimi_core.adapters.adapter import Adapter

Adapters = Mapping[str, "Adapter"]
"""Site name -> adapter."""


class Seen(dict[str, Tensor]):
    """What was kept for one adapter, by the names that the scores declare: (N,), or (N, 2 M) as `Adapter.by_neuron`.

    What scores of the start keep is NaN where it is not known.
    """

    lot: np.random.Generator | None = None
    """Where random numbers come from while neurons are scored."""
    place: int = 0
    """Which of the adapters it is, in the model's order, while neurons are scored."""

    @classmethod
    def nothing(cls, adapter: "Adapter") -> "Seen":
        parameters = adapter.by_neuron(adapter.down, adapter.up).detach()
        empty = {"neuron": torch.zeros_like(parameters[:, 0]), "parameter": torch.zeros_like(parameters)}
        seen = cls({k: empty[per].clone() for score in SCORES.values() for k, per in score.watch.keeps.items()})
        seen.update({name: torch.full_like(empty["neuron"], float("nan")) for name in AT_START})
        return seen

    def drawn(self, neurons: int) -> Tensor:
        """(N,) uniform float32 in [0, 1)."""
        assert self.lot is not None, "random numbers are there only while neurons are scored"
        return torch.from_numpy(self.lot.random(neurons, np.float32))


class Batch:
    """One adapter after one backward pass. `weights` and `gradients`: (N, 2 M) as `Adapter.by_neuron`."""

    def __init__(self, weights: Tensor, gradients: Tensor, last_epoch: bool) -> None:
        self.weights, self.gradients = weights, gradients
        self.last_epoch = last_epoch
        """Whether it is of the last epoch of its cycle."""

    @cached_property
    def moved(self) -> Tensor:
        """(N, 2 M) |weight * gradient|. Not to be changed: all scores read it."""
        return (self.weights * self.gradients).abs_()


@dataclass(frozen=True)
class AtStart:
    """One adapter before any training: all (N, 2 M), as `Adapter.by_neuron`. The loss is a mean over images."""

    weights: Tensor
    gradients: Tensor
    products: Tensor
    """Hessian of the loss times its gradient."""


class Watcher:
    """Fills `Seen` while adapters train. Call `after_backward` once for every batch, before gradients are clipped."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters
        self._watches: list[Watch] = [score.watch for score in SCORES.values()]
        self.seen = {site: Seen.nothing(adapter) for site, adapter in adapters.items()}
        self.last_epoch = False
        self._hooks = [a.act.register_forward_hook(self._on_activation(site)) for site, a in adapters.items()]

    def _on_activation(self, site: str) -> Callable[[nn.Module, object, Tensor], None]:
        def add(_: nn.Module, __: object, activations: Tensor) -> None:
            if self.last_epoch and torch.is_grad_enabled():
                with torch.no_grad():
                    for watch in self._watches:
                        if watch.on_activation:
                            watch.on_activation(self.seen[site], activations.detach())

        return add

    @torch.no_grad()
    def after_backward(self) -> None:
        for site, adapter in self._adapters.items():
            if adapter.down.grad is None or adapter.up.grad is None:
                continue
            weights = adapter.by_neuron(adapter.down, adapter.up)
            batch = Batch(weights, adapter.by_neuron(adapter.down.grad, adapter.up.grad), self.last_epoch)
            for watch in self._watches:
                if watch.after_backward:
                    watch.after_backward(self.seen[site], batch)

    def carry_over(self, before: Mapping[str, Seen], survivors: Mapping[str, np.ndarray]) -> None:
        """Take what neurons keep from the start, for those that survived a cut, from what was seen before it."""
        for site, seen in self.seen.items():
            for name in AT_START:
                kept = torch.as_tensor(survivors[site], device=seen[name].device)
                seen[name] = before[site][name][kept]

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


def score_all(
    adapters: Adapters, seen: Mapping[str, Seen], random: np.random.Generator
) -> dict[str, dict[str, np.ndarray]]:
    """Every score of every neuron: score name -> site name -> (N,) float32. Those of the start where they are known."""
    scores: dict[str, dict[str, np.ndarray]] = {}
    for place, site in enumerate(adapters):
        seen[site].lot, seen[site].place = random, place
    with torch.no_grad():
        for name, entry in SCORES.items():
            values = {site: entry.score(adapter, seen[site]) for site, adapter in adapters.items()}
            scores[name] = {site: value.float().cpu().numpy() for site, value in values.items()}
    unknown = {name for name in AT_START if any(np.isnan(values).any() for values in scores[name].values())}
    return {name: values for name, values in scores.items() if name not in unknown}


def score_at_start(
    model: nn.Module, adapters: Adapters, losses: Callable[[], Iterable[Tensor]], seen: Mapping[str, Seen]
) -> None:
    """Fill in what is known before any training.

    A score that needs `up`, and is zero for all neurons, stays unknown.

    Args:
        losses: gives, each time it is called, losses of the same batches, which add up to the mean loss.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    gradients = _sums(torch.autograd.grad(loss, trained) for loss in losses())
    with sdpa_kernel(SDPBackend.MATH):  # the fused attentions cannot be differentiated twice
        products = _sums(_hessian_times(gradients, loss, trained) for loss in losses())
    by_parameter = dict(zip(trained, zip(gradients, products, strict=True), strict=True))
    with torch.no_grad():
        starts = {site: _start_of(adapter, by_parameter) for site, adapter in adapters.items()}
        for name, entry in SCORES.items():
            if entry.at_start is None:
                continue
            values = {site: entry.at_start(start) for site, start in starts.items()}
            if entry.needs_up and not any(value.any() for value in values.values()):
                continue
            for site, value in values.items():
                seen[site][name] = value


def _start_of(adapter: "Adapter", by_parameter: Mapping[nn.Parameter, tuple[Tensor, Tensor]]) -> AtStart:
    down, up = by_parameter[adapter.down], by_parameter[adapter.up]
    gradients, products = (adapter.by_neuron(d, u) for d, u in zip(down, up, strict=True))
    return AtStart(adapter.by_neuron(adapter.down, adapter.up), gradients, products)


def _hessian_times(vectors: list[Tensor], loss: Tensor, parameters: list[nn.Parameter]) -> Iterable[Tensor]:
    """H v of one batch, by differentiating the gradient's product with v."""
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    product = torch.stack([(g * v).sum() for g, v in zip(gradients, vectors, strict=True)]).sum()
    second = torch.autograd.grad(product, parameters, allow_unused=True)
    return [torch.zeros_like(p) if s is None else s for p, s in zip(parameters, second, strict=True)]


def _sums(parts: Iterable[Iterable[Tensor]]) -> list[Tensor]:
    """Element by element, over all batches."""
    totals: list[Tensor] = []
    for part in parts:
        totals = [total + new for total, new in zip(totals, part, strict=True)] if totals else list(part)
    return totals
