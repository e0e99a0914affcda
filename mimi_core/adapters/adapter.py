"""The adapter: a bottleneck MLP on tokens, and the module that holds one at its site.

Houlsby et al. 2019 (arXiv 1902.00751) without biases, as in MiMi (arXiv 2311.03873): a neuron whose weights are zero
then does nothing at all, so a score of the weights sees the whole neuron.
"""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from mimi_core.config import Init, Placement

INIT_STD = 0.02


class Adapter(nn.Module):
    """`up(gelu(down(h)))` on tokens h of shape `(..., M)`; the identity path belongs to `Adapted`.

    Neuron j is row j of `down` and column j of `up`: 2 M parameters.

    Attributes:
        down: (N, M)
        up: (M, N)
    """

    def __init__(self, token_width: int, hidden_width: int, init: Init, generator: Generator | None = None) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(hidden_width, token_width))
        self.act = nn.GELU()
        self.up = nn.Parameter(torch.zeros(token_width, hidden_width))
        nn.init.trunc_normal_(self.down, std=INIT_STD, generator=generator)
        if init == "paper":
            nn.init.trunc_normal_(self.up, std=INIT_STD, generator=generator)

    @property
    def token_width(self) -> int:
        """M"""
        return self.down.shape[1]

    @property
    def hidden_width(self) -> int:
        """N"""
        return self.down.shape[0]

    @staticmethod
    def by_neuron(down: Tensor, up: Tensor) -> Tensor:
        """(N, 2 M): row j is row j of `down`, then column j of `up`. For weights, or for their gradients."""
        return torch.cat([down, up.T], 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(self.act(F.linear(tokens, self.down)), self.up)

    def extra_repr(self) -> str:
        return f"token_width={self.token_width}, hidden_width={self.hidden_width}"


class Wrapper(nn.Module):
    """Stands in the place of `base`: every attribute that callers ask for and that is not its own is that of `base`."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            modules = self.__dict__.get("_modules", {})
            if "base" not in modules:  # while being unpickled or copied
                raise
            return getattr(modules["base"], name)


class Adapted(Wrapper):
    """A module of the backbone with an adapter: on its output (series) or beside it (parallel).

    Keyword arguments and further outputs of the module pass through.

    Args:
        base: the original module.
        site: name of the site, see `sites.Site`.
        channel_dim: dimension of the tokens' features: -1, or 1 for feature maps `(B, M, H, W)`.
        scale: factor s of a parallel adapter; a series adapter has none.
    """

    def __init__(
        self,
        base: nn.Module,
        adapter: Adapter,
        site: str,
        placement: Placement,
        channel_dim: int = -1,
        scale: float = 1.0,
    ) -> None:
        super().__init__(base)
        self.adapter = adapter
        self.site = site
        self.placement = placement
        self.channel_dim = channel_dim
        self.scale = scale
        self.is_on = True
        """False: the module computes what it did without its adapter."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output = self.base(*args, **kwargs)
        if not self.is_on:
            return output
        first, *rest = output if isinstance(output, tuple) else (output,)
        if self.placement == "series":
            first = first + self._adapt(first)
        else:
            first = first + self.scale * self._adapt(args[0])
        return (first, *rest) if isinstance(output, tuple) else first

    def _adapt(self, tokens: Tensor) -> Tensor:
        if self.channel_dim == -1:
            return self.adapter(tokens)
        return self.adapter(tokens.movedim(self.channel_dim, -1)).movedim(-1, self.channel_dim)
