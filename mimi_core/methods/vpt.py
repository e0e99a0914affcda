"""Visual prompt tuning: learned tokens among those of the image (Jia et al. 2022, arXiv 2203.12119).

Shallow: `peft.prompts` tokens go in before the first block and come out behind the last. Deep: every block has its own.
They stand behind the other tokens: a global attention does not see the order, and what reads the class token, or means
over the image's tokens, finds them where they were.
"""

import math

import torch
from torch import Generator, Tensor, nn

from mimi_core.adapters.adapter import Wrapper
from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Site, called_modules, find_sites
from mimi_core.config import RunConfig
from mimi_core.errors import ConfigError
from mimi_core.methods.method import Method

FITS = "choose a plain Vision Transformer, such as vit_small_patch16_224 or deit_small_patch16_224, or another method"


class Prompted(Wrapper):
    """A block that takes `(B, N, M)`: prompts join the tokens before it, and the last `leave` leave behind it.

    Attributes:
        prompts: (P, M), or None where none join.
    """

    def __init__(self, base: nn.Module, prompts: Tensor | None, leave: int) -> None:
        super().__init__(base)
        self.prompts = None if prompts is None else nn.Parameter(prompts)
        self.leave = leave

    def forward(self, tokens: Tensor, *args: object, **kwargs: object) -> Tensor:
        if self.prompts is not None:
            tokens = torch.cat([tokens, self.prompts.expand(len(tokens), -1, -1)], 1)
        tokens = self.base(tokens, *args, **kwargs)
        return tokens[:, : tokens.shape[1] - self.leave]


def tuned(deep: bool) -> Method:
    """The method with prompts of its own for every block, or for the first alone."""

    def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
        """Raises ConfigError for a model whose blocks do not all see the same tokens."""
        sites = find_sites(model, image_size)
        blocks = list(dict.fromkeys(site.name.rpartition(".")[0] for site in sites))
        width, count = _common_width(model, blocks, image_size), config.peft.prompts
        freeze_all_but_head(model)
        bound = math.sqrt(6 / (_patch(model) + width))  # Xavier's, as for the patches
        like = next(model.parameters())
        for name in blocks:
            joins, leaves = deep or name == blocks[0], deep or name == blocks[-1]
            prompts = like.new_empty(count, width).uniform_(-bound, bound, generator=generator) if joins else None
            block = Prompted(model.get_submodule(name), prompts, count if leaves else 0)
            if joins or leaves:
                model.set_submodule(name, block)
        try:
            called_modules(model, image_size)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ConfigError(
                f"method={config.method} adds tokens, and {type(model).__name__} takes none ({str(error)[:80]}); {FITS}"
            ) from error
        return []

    return Method(prepare)


def _common_width(model: nn.Module, blocks: list[str], image_size: int) -> int:
    """M, where every block takes and gives `(B, N, M)` with the same N and M."""
    shapes: set[tuple[int, ...]] = set()

    def remember(_: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        for given in (inputs[0], output):
            shapes.add(tuple(given.shape) if isinstance(given, Tensor) else ())

    handles = [model.get_submodule(name).register_forward_hook(remember) for name in blocks]
    try:
        called_modules(model, image_size)
    finally:
        for handle in handles:
            handle.remove()
    shape = shapes.pop()
    if shapes or len(shape) != 3:
        raise ConfigError(
            f"prompt tokens need blocks that all see the same tokens, and those of {type(model).__name__} do not "
            f"(they work on windows, feature maps or stages); {FITS}"
        )
    return shape[-1]


def _patch(model: nn.Module) -> int:
    """Numbers in one patch of the image: what the first convolution takes in."""
    first = next((part for part in model.modules() if isinstance(part, nn.Conv2d)), None)
    return first.weight[0].numel() if first else 0
