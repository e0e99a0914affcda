"""Where adapters can sit in a model, found by what its modules can do and not by what the model is called.

A block is a module that owns an MLP, and mostly an attention beside it; those of ConvNeXt own an MLP alone. One probe
forward tells what is really called, how wide its tokens are, and where they have their features.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mimi_core.config import Placement, Positions
from mimi_core.errors import NoSitesError

Position = Literal["attn", "mlp"]
_LAYER_SCALES: dict[Position, tuple[str, ...]] = {
    "attn": ("ls1", "layer_scale1", "layer_scale_1"),
    "mlp": ("ls2", "layer_scale2", "layer_scale_2", "layer_scale", "ls"),
}
_GAMMAS: dict[Position, tuple[str, ...]] = {"attn": ("gamma_1", "gamma1"), "mlp": ("gamma_2", "gamma2", "gamma")}
_DROP_PATHS: dict[Position, tuple[str, ...]] = {"attn": ("drop_path1",), "mlp": ("drop_path2", "drop_path")}
_ATTENTIONS = ("attn", "attention", "self_attn")
_MLPS = ("mlp", "ffn")
_MAPS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Site:
    """Where an adapter sits.

    Attributes:
        name: path of the attention or MLP module, such as `layers.0.blocks.1.attn`.
        block: 0-based number of the block.
        position: "attn" or "mlp".
        width: token width M.
        anchor: path of the module that is wrapped: the one above, or the LayerScale behind it.
        channel_dim: of what the anchor gives: -1 for tokens `(..., M)`, 1 for feature maps `(B, M, H, W)`.
    """

    name: str
    block: int
    position: Position
    width: int
    anchor: str = ""
    channel_dim: int = -1


@dataclass(frozen=True)
class _Branch:
    """An attention or MLP of a block, and the last module behind it before the residual add, by path."""

    block: str
    position: Position
    name: str
    anchor: str
    alone: bool
    """Whether the block owns no attention."""


@dataclass(frozen=True)
class _Output:
    """Of one call of a module.

    Attributes:
        kept: its first input had the same shape.
        features: what the last linear map or convolution inside it gave, and whether that was on feature maps.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    kept: bool
    features: int
    on_maps: bool


_Outputs = dict[str, list[_Output]]
"""Path of a module -> what it gave in one forward, call by call."""


def find_sites(
    model: nn.Module, image_size: int, positions: Positions = "both", placement: Placement = "series"
) -> list[Site]:
    """All sites of a model in the order of its blocks.

    Args:
        model: any model that takes images `(B, 3, image_size, image_size)`; on the meta device as well.
        placement: a series adapter sits behind the block's LayerScale where there is one, a parallel one at the module.

    Raises:
        NoSitesError: no block owns what `positions` asks for; the message names the blocks seen.
    """
    branches = _branches(model)
    outputs = _probe(model, image_size, branches)
    sites: list[Site] = []
    blocks: dict[str, int] = {}
    for branch in branches:
        if place := _place(branch, outputs, placement):
            number = blocks.setdefault(branch.block, len(blocks))
            sites.append(Site(branch.name, number, branch.position, *place))
    wanted = [site for site in sites if positions in ("both", site.position)]
    if not wanted:
        kind, seen = type(model).__name__, ", ".join(_block_names(model)) or "no blocks"
        raise NoSitesError(
            f"{kind} has no attention to put an adapter at, only MLPs (seen: {seen}): ask for these "
            "(adapter.positions=mlp, or method=mlp_only), or choose a Vision Transformer such as vit_small_patch16_224"
            if sites and positions == "attn"
            else f"no place for an adapter in {kind}: no block owns an MLP, with or without an attention "
            f"(seen: {seen}); choose a Vision Transformer such as swin_tiny_patch4_window7_224 or vit_small_patch16_224"
        )
    return wanted


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
    named_so = name in _ATTENTIONS or "attn" in kind or "attention" in kind
    return named_so and _transforms(child)


def _is_mlp(name: str, child: nn.Module) -> bool:
    kind = type(child).__name__.lower()
    return (name in _MLPS or (name.startswith("mlp") and "mlp" in kind)) and _transforms(child)


def _transforms(module: nn.Module) -> bool:
    """Has two or more linear maps or convolutions inside, as every attention and MLP does and pooling does not."""
    return sum(isinstance(part, nn.Linear | nn.Conv2d) for part in module.modules()) >= 2


def _branches(model: nn.Module) -> list[_Branch]:
    branches: list[_Branch] = []
    for path, block in model.named_modules():
        if any(part in _ATTENTIONS for part in path.split(".")):
            continue
        attentions = [name for name, child in block.named_children() if _is_attention(name, child)]
        mlps = [name for name, child in block.named_children() if _is_mlp(name, child)]
        if not attentions:  # a mixer's MLPs work on other things than features, a Sequential is part of a block
            mlps = [name for name in mlps if name in _MLPS and not isinstance(block, nn.Sequential)]
        kinds: list[tuple[Position, list[str]]] = [("attn", attentions), ("mlp", mlps)]
        for position, names in kinds if mlps else ():
            for name in names:
                anchor = _anchor(block, position, name) if len(names) == 1 else name
                module, behind = f"{path}.{name}".strip("."), f"{path}.{anchor}".strip(".")
                branches.append(_Branch(path, position, module, behind, not attentions))
    return branches


def _anchor(block: nn.Module, position: Position, name: str) -> str:
    """The last module of the branch before the residual add, as far as it can be told."""
    for scale in _LAYER_SCALES[position]:
        if isinstance(getattr(block, scale, None), nn.Module):
            return scale
    if any(getattr(block, gamma, None) is not None for gamma in _GAMMAS[position]):
        for drop_path in _DROP_PATHS[position]:
            if isinstance(getattr(block, drop_path, None), nn.Module):
                return drop_path
    return name


def _probe(model: nn.Module, image_size: int, branches: list[_Branch]) -> _Outputs:
    outputs: _Outputs = {path: [] for branch in branches for path in (branch.block, branch.name, branch.anchor)}
    last: nn.Module | None = None

    def note_map(module: nn.Module, *_: Any) -> None:
        nonlocal last
        last = module

    def note_output(path: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            given = output[0] if isinstance(output, tuple) else output
            if not isinstance(given, Tensor) or given.ndim < 3 or last is None:
                return
            kept = bool(inputs) and isinstance(inputs[0], Tensor) and inputs[0].shape == given.shape
            features: int = last.out_features if isinstance(last, nn.Linear) else last.out_channels  # type: ignore[assignment]
            on_maps = not isinstance(last, nn.Linear)
            outputs[path].append(_Output(tuple(given.shape), given.stride(), kept, features, on_maps))

        return hook

    maps = [part for part in model.modules() if isinstance(part, _MAPS)]
    handles = [part.register_forward_hook(note_map) for part in maps]
    handles += [model.get_submodule(path).register_forward_hook(note_output(path)) for path in outputs]
    try:
        _look_at_nothing(model, image_size)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _place(branch: _Branch, outputs: _Outputs, placement: Placement) -> tuple[int, str, int] | None:
    """Token width, anchor and dimension of the features; None where no adapter fits.

    A parallel adapter adds to the output what it makes of the input, so there both must have the same shape. An MLP
    alone belongs to a block only where it is added to what came in: not in a pooling.
    """
    block, calls, anchor = outputs[branch.block], outputs[branch.name], branch.name
    if not calls or (branch.alone and not (block and block[-1].kept)):
        return None
    if placement == "parallel" and not calls[-1].kept:
        return None
    if placement == "series" and len(outputs[branch.anchor]) == len(calls):
        anchor = branch.anchor  # a drop path that all branches of a block share is called more often
    output = outputs[anchor][-1]
    dim = _feature_dim(output)
    return None if dim is None else (output.shape[dim], anchor, dim)


def _feature_dim(output: _Output) -> int | None:
    """The dimension that is as wide as what the last map gave. Of two, the one that lies as the map leaves it."""
    fitting = [dim for dim in (-1, 1) if output.shape[dim] == output.features]
    if output.on_maps:
        return max(fitting, default=None)
    return min(fitting, key=lambda dim: output.strides[dim], default=None)


def _block_names(model: nn.Module) -> list[str]:
    """Kinds of the repeated modules, for the error message."""
    kinds = [type(module).__name__ for module in model.modules()]
    return sorted({kind for kind in kinds if kind.lower().endswith(("block", "layer", "bottleneck"))})
