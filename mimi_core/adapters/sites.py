"""Where adapters can sit in a model, found by what its modules can do and not by what the model is called.

A block is a module that owns both an attention and an MLP child. One probe forward tells which of them are really
called, and how wide their tokens are.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mimi_core.config import Placement, Positions
from mimi_core.errors import NoSitesError

Position = Literal["attn", "mlp"]
_LAYER_SCALES: dict[Position, tuple[str, ...]] = {"attn": ("ls1", "layer_scale1"), "mlp": ("ls2", "layer_scale2")}
_GAMMAS: dict[Position, tuple[str, ...]] = {"attn": ("gamma_1", "gamma1"), "mlp": ("gamma_2", "gamma2")}
_DROP_PATHS: dict[Position, str] = {"attn": "drop_path1", "mlp": "drop_path2"}


@dataclass(frozen=True)
class Site:
    """Where an adapter sits.

    Attributes:
        name: path of the attention or MLP module, such as `layers.0.blocks.1.attn`.
        block: 0-based number of the block.
        position: "attn" or "mlp".
        width: token width M.
        anchor: path of the module that is wrapped: the one above, or the LayerScale behind it.
        channel_dim: -1 for tokens `(..., M)`, 1 for feature maps `(B, M, H, W)`.
    """

    name: str
    block: int
    position: Position
    width: int
    anchor: str = ""
    channel_dim: int = -1


def find_sites(
    model: nn.Module, image_size: int, positions: Positions = "both", placement: Placement = "series"
) -> list[Site]:
    """All sites of a model in the order of its blocks.

    Args:
        model: any model that takes images `(B, 3, image_size, image_size)`.
        placement: a series adapter sits behind the block's LayerScale where there is one, a parallel one at the module.

    Raises:
        NoSitesError: no block owns both an attention and an MLP; the message names the blocks seen.
    """
    candidates: list[tuple[str, int, Position, str]] = []
    blocks = 0
    for path, block in model.named_modules():
        attentions = [name for name, child in block.named_children() if _is_attention(name, child)]
        mlps = [name for name, child in block.named_children() if _is_mlp(name, child)]
        if not attentions or not mlps:
            continue
        kinds: list[tuple[Position, list[str]]] = [("attn", attentions), ("mlp", mlps)]
        for position, names in kinds:
            if positions in ("both", position):
                for name in names:
                    anchor = _anchor(block, position, name) if placement == "series" and len(names) == 1 else name
                    candidates.append((f"{path}.{name}".strip("."), blocks, position, f"{path}.{anchor}".strip(".")))
        blocks += 1
    shapes = _probe(model, image_size, {anchor for *_, anchor in candidates}, placement)
    sites = []
    for name, number, position, anchor in candidates:
        if anchor in shapes:
            channel_dim, width = _features(model.get_submodule(name), shapes[anchor])
            sites.append(Site(name, number, position, width, anchor, channel_dim))
    if not sites:
        raise NoSitesError(
            f"no place for an adapter in {type(model).__name__}: no module owns both an attention and an MLP "
            f"(seen: {', '.join(_block_names(model)) or 'no blocks'}); choose a Vision Transformer such as "
            "swin_tiny_patch4_window7_224 or vit_small_patch16_224"
        )
    return sites


def called_modules(model: nn.Module, image_size: int) -> dict[str, nn.Module]:
    """Name -> module, of all that are called in one forward; some are only looked into for their weights."""
    called: set[nn.Module] = set()
    handles = [module.register_forward_hook(lambda m, *_: called.add(m)) for module in model.modules()]
    try:
        _look_at_nothing(model, image_size)
    finally:
        for handle in handles:
            handle.remove()
    return {name: module for name, module in model.named_modules() if module in called}


def _look_at_nothing(model: nn.Module, image_size: int) -> None:
    """One forward on a blank image, that changes nothing."""
    was_training = model.training
    like = next(model.parameters())
    try:
        with torch.no_grad():
            model.eval()(like.new_zeros(1, 3, image_size, image_size))
    finally:
        model.train(was_training)


def _is_attention(name: str, child: nn.Module) -> bool:
    kind = type(child).__name__.lower()
    named_so = name in ("attn", "attention", "self_attn") or "attn" in kind or "attention" in kind
    return named_so and _transforms(child)


def _is_mlp(name: str, child: nn.Module) -> bool:
    kind = type(child).__name__.lower()
    return (name in ("mlp", "ffn") or (name.startswith("mlp") and "mlp" in kind)) and _transforms(child)


def _transforms(module: nn.Module) -> bool:
    """Has two or more linear maps or convolutions inside, as every attention and MLP does and pooling does not."""
    return sum(isinstance(part, nn.Linear | nn.Conv2d) for part in module.modules()) >= 2


def _anchor(block: nn.Module, position: Position, name: str) -> str:
    """The last module of the branch before the residual add, as far as it can be told."""
    for scale in _LAYER_SCALES[position]:
        if isinstance(getattr(block, scale, None), nn.Module):
            return scale
    scaled_by_parameter = any(getattr(block, gamma, None) is not None for gamma in _GAMMAS[position])
    if scaled_by_parameter and isinstance(getattr(block, _DROP_PATHS[position], None), nn.Module):
        return _DROP_PATHS[position]
    return name


def _probe(model: nn.Module, image_size: int, anchors: set[str], placement: Placement) -> dict[str, tuple[int, ...]]:
    """Shapes of what the anchors give (series) or take (parallel) in one forward; anchors never called are absent.

    A parallel adapter adds to the output what it makes of the input, so there both must have the same shape.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def remember(anchor: str) -> Any:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            given = output[0] if isinstance(output, tuple) else output
            if not isinstance(given, Tensor) or given.ndim < 3:
                return
            if placement == "series" or (isinstance(inputs[0], Tensor) and inputs[0].shape == given.shape):
                shapes[anchor] = tuple(given.shape)

        return hook

    handles = [model.get_submodule(anchor).register_forward_hook(remember(anchor)) for anchor in anchors]
    try:
        _look_at_nothing(model, image_size)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _features(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Dimension and number of the features, by the module's last map: Linear on tokens, Conv2d on feature maps."""
    maps = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    on_maps = len(shape) == 4 and isinstance(maps[-1], nn.Conv2d) and maps[-1].out_channels == shape[1]
    return (1, shape[1]) if on_maps else (-1, shape[-1])


def _block_names(model: nn.Module) -> list[str]:
    """Kinds of the repeated modules, for the error message."""
    kinds = [type(module).__name__ for module in model.modules()]
    return sorted({kind for kind in kinds if kind.lower().endswith(("block", "layer", "bottleneck"))})
