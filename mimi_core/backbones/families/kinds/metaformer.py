"""MetaFormers: the same block around other ways to mix tokens, from pooling to focal modulation."""

from mimi_core.backbones.families.entry import Family, Tiny

_DEPTHS = (1, 1, 2, 1)
_PATH = "timm.models.metaformer"

FAMILIES = (
    Family(
        "CAFormer",
        ("caformer_s18",),
        Tiny(
            f"{_PATH}.MetaFormer",
            64,
            3,
            5,
            {
                "depths": _DEPTHS,
                "dims": (16, 24, 32, 64),
                "token_mixers": (f"{_PATH}.SepConv",) * 2 + (f"{_PATH}.Attention",) * 2,
                "norm_layers": (f"{_PATH}.LayerNorm2dNoBias",) * 2 + (f"{_PATH}.LayerNormNoBias",) * 2,
            },
        ),
    ),
    Family(
        "FocalNet",
        ("focalnet_tiny_srf",),
        Tiny(
            "timm.models.focalnet.FocalNet",
            64,
            0,
            5,
            {"depths": _DEPTHS, "embed_dim": 16, "focal_levels": (2, 2, 2, 2)},
        ),
    ),
    Family(
        "PoolFormer",
        ("poolformer_s12",),
        Tiny(f"{_PATH}.MetaFormer", 64, 0, 5, {"depths": _DEPTHS, "dims": (16, 24, 32, 48)}),
    ),
)
