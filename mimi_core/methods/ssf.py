"""SSF: a learned scale and shift of the features behind every operation (Lian et al. 2022, arXiv 2210.08823).

    y = scale * op(x) + shift          op: every linear map, convolution and LayerNorm before the head

Scales start at 1 and shifts at 0, so that the model starts as it was; with `adapter.init: paper` both have a noise of
std 0.02. Once trained, both can be folded into the operation's own weight and bias.
"""

import torch
from torch import Generator, Tensor, nn

from mimi_core.adapters.adapter import INIT_STD, Wrapper
from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Site, called_modules
from mimi_core.config import Init, RunConfig
from mimi_core.methods.method import Method


class Modulated(Wrapper):
    """An operation whose features are scaled and shifted.

    Attributes:
        scale, shift: (features,)
    """

    def __init__(self, base: nn.Module, init: Init, generator: Generator) -> None:
        super().__init__(base)
        weight: Tensor = base.weight  # type: ignore[assignment]
        self.scale = nn.Parameter(torch.ones_like(weight.flatten(1)[:, 0] if weight.ndim > 1 else weight))
        self.shift = nn.Parameter(torch.zeros_like(self.scale))
        if init == "paper":
            nn.init.normal_(self.scale, 1.0, INIT_STD, generator=generator)
            nn.init.normal_(self.shift, 0.0, INIT_STD, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.base(x)
        if _on_maps(self.base):
            return output * self.scale[:, None, None] + self.shift[:, None, None]
        return output * self.scale + self.shift


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    operations = {name: m for name, m in called_modules(model, image_size).items() if _is_operation(m)}
    freeze_all_but_head(model)
    for name, operation in operations.items():
        if not any(p.requires_grad for p in operation.parameters()):  # the head's own
            model.set_submodule(name, Modulated(operation, config.adapter.init, generator))
    return []


@torch.no_grad()
def fold_into_weights(model: nn.Module) -> None:
    """Put scales and shifts into the weights and biases they follow; the model computes the same as before."""
    for name, module in list(model.named_modules()):
        if isinstance(module, Modulated):
            base, bias = module.base, getattr(module.base, "bias", None)
            base.weight.mul_(module.scale.view(-1, *[1] * (base.weight.ndim - 1)))  # type: ignore[operator]
            base.bias = nn.Parameter(module.shift if bias is None else module.scale * bias + module.shift)
            model.set_submodule(name, base)


def _is_operation(module: nn.Module) -> bool:
    """Linear in its weight, so that a scale can be folded into it."""
    kinds = isinstance(module, nn.Linear | nn.Conv2d | nn.LayerNorm) and not hasattr(module, "act")
    return kinds and isinstance(module.weight, nn.Parameter)


def _on_maps(operation: nn.Module) -> bool:
    """Features are dimension 1 of `(B, M, H, W)`, not the last."""
    return isinstance(operation, nn.Conv2d) or "2d" in type(operation).__name__


METHOD = Method(prepare)
