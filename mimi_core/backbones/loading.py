"""Backbones: any timm model, CvT, weights from the hub or a local file, and the small one bundled for the demo."""

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mimi_core.backbones import cvt as hf_backbones
from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip
from timm.layers.drop import DropPath
from timm.models import _builder, model_entrypoint

from mimi_core.backbones.checkpoint import Remap, Weights, first_line, fit, read_checkpoint, refuse_not_finite
from mimi_core.config import DEMO_BACKBONE, BackboneConfig
from mimi_core.errors import BackboneError
from mimi_core.resources import BACKBONES

DEMO_IMAGE_SIZE = 64
_HUB_PREFIXES = ("hf-hub:", "hf_hub:")


@dataclass(frozen=True)
class Backbone:
    """A model with a fresh classifier head, and what its images must look like.

    Attributes:
        image_size: edge of the square input in pixels.
        mean, std: of the three channels, for images in 0..1.
        warnings: what a user should know about the weights.
    """

    model: nn.Module
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    warnings: tuple[str, ...] = ()


def load_backbone(config: BackboneConfig, num_classes: int, seed: int = 0, drop_path: float = 0.0) -> Backbone:
    """Build the model, fill in its weights, and give it a head for `num_classes`.

    Random numbers (head, or all weights when none are loaded) depend on `seed` alone.

    Args:
        drop_path: rate at the last block, rising from 0 at the first (Huang et al. 2016, arXiv 1603.09382).

    Raises:
        BackboneError: unknown name, hub out of reach, a checkpoint that is missing, unsafe, or of another model, or a
            model without drop path where some is asked for.
    """
    dropping: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        warnings: list[str] = []
        if config.name in BACKBONES:
            model = demo_swin(image_size=config.image_size or DEMO_IMAGE_SIZE, **dropping)
            if config.checkpoint or config.pretrained:
                warnings += _load_weights(model, config.checkpoint or BACKBONES[config.name], config.name)
        elif config.name.startswith(hf_backbones.PREFIX):
            model = hf_backbones.cvt(config.name)
            if config.checkpoint or config.pretrained:
                warnings += _load_weights(model, config.checkpoint or _fetched_cvt(config.name), config.name)
        else:
            model = _timm_model(config, **dropping)
            if config.checkpoint:
                weights = read_checkpoint(config.checkpoint)
                if pool := _pooling(weights, model):
                    model = _timm_model(config, global_pool=pool, **dropping)
                    warnings.append(f"the model pools its tokens by {pool!r}, as the one that the checkpoint is of")
                warnings += _load(model, weights, config.checkpoint, config.name)
            elif config.pretrained:
                refuse_not_finite(dict(model.named_parameters()), f"what the hub has of {config.name}")
        if not config.pretrained and not config.checkpoint:
            warnings.append("the backbone has random weights: set backbone.pretrained or backbone.checkpoint")
        model.reset_classifier(num_classes)  # type: ignore[operator]  # every timm model has it
    if drop_path and not drop_paths(model):
        raise _no_drop_path(config.name)
    expected: dict[str, Any] = getattr(model, "pretrained_cfg", {})
    size = config.image_size or (DEMO_IMAGE_SIZE if config.name in BACKBONES else expected["input_size"][-1])
    _try_out(model, config.name, size)
    warnings += _cut_off(model, size)
    return Backbone(model, size, tuple(expected["mean"]), tuple(expected["std"]), tuple(warnings))


def drop_paths(model: nn.Module) -> list[nn.Module]:
    """The modules that skip a block for some images while training."""
    return [module for module in model.modules() if isinstance(module, DropPath) and module.drop_prob]


def outline(name: str, image_size: int | None = None) -> Backbone:
    """The model on torch's meta device, without a head: all of its shapes, none of its weights, in no memory.

    Raises:
        BackboneError: unknown name.
    """
    with torch.device("meta"):
        return load_backbone(BackboneConfig(name=name, pretrained=False, image_size=image_size), num_classes=0)


def _try_out(model: nn.Module, name: str, size: int) -> None:
    """One forward, so that a size that does not fit is told here and in the user's words."""
    try:
        with torch.no_grad():
            model.eval()(next(model.parameters()).new_zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise BackboneError(
            f"{name} cannot take images of {size} pixels ({first_line(error)}); change backbone.image_size"
        ) from error


def _cut_off(model: nn.Module, size: int) -> list[str]:
    """What of an image no patch covers, where patches tile it."""
    embed = getattr(model, "patch_embed", None)
    conv = getattr(embed, "proj", None)
    if not isinstance(conv, nn.Conv2d) or conv.kernel_size != conv.stride or getattr(embed, "dynamic_img_pad", False):
        return []
    patch, rest = int(conv.stride[0]), size % int(conv.stride[0])
    if not rest:
        return []
    return [
        f"of images of {size} pixels the model sees {size - rest}: {rest} rows and columns are cut off, because its "
        f"patches have {patch}; set backbone.image_size to {size - rest} or {size - rest + patch}"
    ]


def demo_swin(num_classes: int = 0, drop_path_rate: float = 0.0, image_size: int = DEMO_IMAGE_SIZE) -> nn.Module:
    """The bundled architecture: 3.1 M parameters, 12 blocks in four stages like Swin-T, for images of 64 pixels."""
    model: nn.Module = timm.create_model(
        "swin_tiny_patch4_window7_224",
        img_size=image_size,
        window_size=4,
        embed_dim=32,
        depths=(2, 2, 6, 2),
        num_heads=(1, 2, 4, 8),
        num_classes=num_classes,
        drop_path_rate=drop_path_rate,
    )
    half = (0.5, 0.5, 0.5)
    model.pretrained_cfg = {**model.pretrained_cfg, "mean": half, "std": half}  # type: ignore[dict-item, assignment]
    return model


def _timm_model(config: BackboneConfig, **changes: Any) -> nn.Module:
    from_hub = config.pretrained and not config.checkpoint
    if not config.name.startswith(_HUB_PREFIXES) and not timm.is_model(config.name):
        names = [*BACKBONES, *timm.list_models()]
        close = difflib.get_close_matches(config.name, names, n=3, cutoff=0.4)
        raise BackboneError(
            f"unknown backbone {config.name!r}: choose `{DEMO_BACKBONE}`, a CvT as hf:microsoft/cvt-13, or a timm model"
            + (f", such as {', '.join(close)}" if close else "")
        )
    sized: dict[str, Any] = {"img_size": config.image_size} if config.image_size else {}
    try:
        return _create(config.name, from_hub, sized, changes)
    except Exception as error:  # timm, huggingface_hub and its HTTP library each raise their own kinds
        if "drop_path_rate" in changes and "drop_path_rate" in str(error):
            raise _no_drop_path(config.name) from error
        if from_hub or config.name.startswith(_HUB_PREFIXES):
            raise _not_fetched(config.name, error) from error
        size = f" for {config.image_size} pixels" if config.image_size else ""
        raise BackboneError(f"{config.name} cannot be built{size}: {first_line(error)}") from error


def _no_drop_path(name: str) -> BackboneError:
    return BackboneError(f"{name} has no drop path: set train.drop_path=0")


def _fetched_cvt(name: str) -> Path:
    try:
        return hf_backbones.fetch(name)
    except Exception as error:  # as above
        raise _not_fetched(name, error) from error


class NotFetchedError(BackboneError):
    """It is the hub's, not on this machine, and the hub could or may not be asked."""


def _not_fetched(name: str, error: Exception) -> NotFetchedError:
    return NotFetchedError(
        f"the weights of {name} could not be fetched from the hub ({first_line(error)}). Give a local file with "
        f"backbone.checkpoint=FILE, use the bundled backbone with backbone={DEMO_BACKBONE}, or set "
        "backbone.pretrained=false for random weights"
    )


def _create(name: str, pretrained: bool, sized: dict[str, Any], changes: dict[str, Any]) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, **sized, **changes)
    except TypeError:  # models for images of any size take no img_size
        if not sized:
            raise
        model = timm.create_model(name, pretrained=pretrained, num_classes=0, **changes)
    return model


def _load_weights(model: nn.Module, path: Path, name: str) -> list[str]:
    """Load a local file, with the renaming and resampling of the model's own library; the head is left out.

    Returns:
        What a user should know about it.
    """
    return _load(model, read_checkpoint(path), path, name)


def _load(model: nn.Module, weights: Weights, path: Path, name: str) -> list[str]:
    heads = _classifier_names(model)
    fitted = fit(weights, model, _remap(model, name), heads, f"{path} does not fit {name}")
    model.load_state_dict(fitted.weights, strict=False)
    return list(fitted.remarks)


def _remap(model: nn.Module, name: str) -> Remap | None:
    """The function, with the arguments, by which timm brings published weights into this model's terms."""
    if not timm.is_model(name):
        return getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    seen: list[Remap | None] = []
    real = _builder.load_pretrained
    _builder.load_pretrained = lambda *_, filter_fn=None, **__: seen.append(filter_fn)
    try:  # timm keeps it to itself: it is only told to the function that loads
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            timm.create_model(name, pretrained=True)
    except Exception:  # it was built before; what a model does besides is not asked for here
        seen.clear()
    finally:
        _builder.load_pretrained = real
    if seen:
        return seen[0]
    return getattr(sys.modules[model_entrypoint(name).__module__], "checkpoint_filter_fn", None)


def _pooling(weights: Weights, model: nn.Module) -> str | None:
    """How the model that a file is of pools its tokens, where that is another way than this model's.

    timm's vision transformers normalise either every token (`norm`), of which the class token is then taken, or the
    mean of all of them (`fc_norm`).
    """
    if not all(hasattr(model, part) for part in ("norm", "fc_norm", "global_pool")):
        return None
    inside = ("blocks.", "patch_embed.")
    tops = {
        name.split(".")[-2] for name in weights if name.endswith("norm.weight") and not any(i in name for i in inside)
    }
    if "fc_norm" in tops and "norm" not in tops and isinstance(model.fc_norm, nn.Identity):
        return "avg"
    if "norm" in tops and "fc_norm" not in tops and isinstance(model.norm, nn.Identity):
        return "token"
    return None


def _classifier_names(model: nn.Module) -> tuple[str, ...]:
    named = getattr(model, "pretrained_cfg", {}).get("classifier") or "head"
    return tuple(f"{name}." for name in ((named,) if isinstance(named, str) else named))
