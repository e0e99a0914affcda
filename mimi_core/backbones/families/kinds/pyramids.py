"""Attention in stages of falling resolution."""

from mimi_core.backbones.families.entry import Call, Family, Tiny

_DEPTHS = (1, 1, 2, 1)
_PYRAMID = {"depths": _DEPTHS, "embed_dims": (16, 32, 32, 64), "num_heads": (1, 2, 2, 4)}

FAMILIES = (
    Family("DaViT", ("davit_tiny",), Tiny("davit_tiny", 64, 8, 8, {**_PYRAMID, "depths": (1, 1, 1, 1)}), exact=False),
    Family(
        "GC ViT",
        ("gcvit_tiny",),
        Tiny(
            "timm.models.gcvit.GlobalContextVit",
            64,
            5,
            5,
            {
                "img_size": 64,
                "window_ratio": (16, 16, 16, 32),
                "depths": _DEPTHS,
                "embed_dim": 16,
                "num_heads": (1, 2, 4, 8),
                "layer_scale": 1e-5,
            },
        ),
    ),
    Family(
        "Hiera",
        ("hiera_tiny_224", "hiera_base_224"),
        Tiny("hiera_tiny_224", 64, 5, 5, {"img_size": 64, "embed_dim": 16, "num_heads": 1, "stages": _DEPTHS}),
    ),
    Family(
        "MViTv2",
        ("mvitv2_tiny", "mvitv2_base"),
        Tiny(
            "timm.models.mvitv2.MultiScaleVit",
            64,
            5,
            5,
            {"img_size": 64},
            arguments=(
                Call("timm.models.mvitv2.MultiScaleVitCfg", {"depths": _DEPTHS, "embed_dim": 16, "num_heads": 1}),
            ),
        ),
    ),
    Family(
        "NesT",
        ("nest_tiny",),
        Tiny(
            "timm.models.nest.Nest",
            64,
            3,
            3,
            {"img_size": 64, "embed_dims": (16, 32, 32), "num_heads": (1, 2, 2), "depths": (1, 1, 1)},
        ),
    ),
    Family("PVT v2", ("pvt_v2_b2",), Tiny("pvt_v2_b0", 64, 5, 5, {**_PYRAMID, "num_heads": (1, 2, 2, 2)})),
    Family(
        "Twins",
        ("twins_pcpvt_small", "twins_svt_small"),
        Tiny("twins_svt_small", 64, 4, 4, {"img_size": 64, "depths": (1, 1, 1, 1), "embed_dims": (16, 32, 32, 32)}),
    ),
    Family(
        "PiT",
        ("pit_s_224",),
        Tiny(
            "timm.models.pit.PoolingVisionTransformer",
            64,
            3,
            3,
            {"img_size": 64, "base_dims": (16, 16, 16), "depth": (1, 1, 1), "heads": (1, 2, 4)},
        ),
        exact=False,
    ),
)
