"""CvT through the transformers library, in the shape of a timm model (Wu et al. 2021, arXiv 2103.15808).

timm has no CvT. The library is imported when a run asks for one: that takes seconds.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mimi_core.errors import BackboneError

PREFIX = "hf:"
SHAPES: dict[str, dict[str, Any]] = {
    "13": {},
    "21": {"depth": (1, 4, 16)},
    "w24": {"depth": (2, 2, 20), "num_heads": (3, 12, 16), "embed_dim": (192, 768, 1024)},
}
"""What sets the released models apart from transformers' default, which is the smallest of them."""
_NAME = re.compile(rf"{PREFIX}microsoft/cvt-({'|'.join(SHAPES)})(-384)?(-22k)?")
_RENAMED = (
    (r"^cvt\.encoder\.", ""),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"(\.layers\.\d+)\.attention\.", r"\1.attn."),
    (r"(\.layers\.\d+)\.intermediate\.", r"\1.mlp.0."),
    (r"(\.layers\.\d+)\.output\.dense\.", r"\1.mlp.1."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.", "head."),
)


class Block(nn.Module):
    """One of transformers' layers, put together so that attention and MLP each are one module before a residual add.

    The same as theirs in evaluation. In training theirs drops the residual path along with the MLP, this one does not.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.norm1, self.attn = layer.layernorm_before, layer.attention
        self.norm2, self.mlp = layer.layernorm_after, nn.Sequential(layer.intermediate, *layer.output.children())
        self.drop_path = layer.drop_path

    def forward(self, tokens: Tensor, height: int, width: int) -> Tensor:
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens), height, width))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))


class Cvt(nn.Module):
    """Images (B, 3, H, W) -> logits (B, classes), or features (B, M) without a head."""

    def __init__(self, stages: nn.ModuleList, width: int, image_size: int) -> None:
        super().__init__()
        self.stages = stages
        self.norm = nn.LayerNorm(width)
        self.head: nn.Module = nn.Identity()
        self.num_features = width
        self.pretrained_cfg = {
            "input_size": (3, image_size, image_size),
            "mean": (0.485, 0.456, 0.406),
            "std": (0.229, 0.224, 0.225),
            "classifier": "head",
        }

    def forward(self, images: Tensor) -> Tensor:
        x, class_token = images, None
        for stage in self.stages:
            x, class_token = stage(x)
        tokens = x.flatten(2).mT if class_token is None else class_token
        logits: Tensor = self.head(self.norm(tokens).mean(1))
        return logits

    def get_classifier(self) -> nn.Module:
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()


def cvt(name: str, **shape: Any) -> Cvt:
    """A CvT with random weights and without a head.

    Args:
        name: such as `hf:microsoft/cvt-13`.
        shape: what to change of it, in the words of transformers' CvtConfig.

    Raises:
        BackboneError: an unknown name, or no transformers library.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise BackboneError(
            f"unknown backbone {name!r}: of transformers' models only CvT is read, as hf:microsoft/cvt-13, "
            "hf:microsoft/cvt-21 or hf:microsoft/cvt-w24-384-22k; for others choose the timm model of that name"
        )
    try:
        from transformers.models.cvt.configuration_cvt import CvtConfig
        from transformers.models.cvt.modeling_cvt import CvtModel
    except ImportError as error:
        raise BackboneError(f"{name} needs the transformers library: pip install transformers") from error
    config = CvtConfig(**SHAPES[match[1]] | shape)
    stages: Any = CvtModel(config, add_pooling_layer=False).encoder.stages
    for stage in stages:
        stage.layers = nn.Sequential(*(Block(layer) for layer in stage.layers))
    return Cvt(stages, config.embed_dim[-1], 384 if match[2] else 224)


def fetch(name: str) -> Path:
    """The model's safetensors file, from the hub or its cache; the hub's errors when it cannot be had."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name.removeprefix(PREFIX), "model.safetensors"))


def checkpoint_filter_fn(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Weights as transformers names them -> as `Cvt` does."""
    renamed: dict[str, Tensor] = {}
    for key, value in weights.items():
        for pattern, replacement in _RENAMED:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed
