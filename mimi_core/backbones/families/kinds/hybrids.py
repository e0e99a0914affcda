"""Convolutions first and attention after, many of them made for phones."""

from mimi_core.backbones.families.entry import Family, Tiny

_DEPTHS, _DIMS = (1, 1, 2, 1), (16, 24, 32, 48)

FAMILIES = (
    Family(
        "CoAt",
        ("coat_lite_small",),
        Tiny("coat_lite_tiny", 64, 5, 5, {"img_size": 64, "embed_dims": (16, 16, 32, 32), "serial_depths": _DEPTHS}),
    ),
    Family("CoAtNet", ("coatnet_0_rw_224",), Tiny("test_coatnet", 64, 3, 3, {"img_size": 64})),
    Family(
        "EdgeNeXt",
        ("edgenext_small",),
        Tiny("edgenext_xx_small", 64, 3, 7, {"depths": (1, 2, 2, 2), "dims": _DIMS, "heads": (4, 4, 4, 4)}),
        exact=False,
    ),
    Family(
        "EfficientFormer",
        ("efficientformer_l1",),
        Tiny("efficientformer_l1", 224, 1, 5, {"depths": (1, 1, 1, 2), "embed_dims": (16, 16, 24, 32)}),
    ),
    Family(
        "EfficientFormer V2",
        ("efficientformerv2_s1",),
        Tiny("efficientformerv2_s0", 64, 4, 6, {"img_size": 64, "depths": (1, 1, 2, 2), "embed_dims": _DIMS}),
    ),
    Family(
        "FastViT",
        ("fastvit_sa12",),
        Tiny("fastvit_sa12", 64, 1, 4, {"layers": (1, 1, 1, 1), "embed_dims": (16, 16, 32, 32)}),
    ),
    Family(
        "LeViT",
        ("levit_256",),
        Tiny(
            "levit_128s",
            64,
            5,
            5,
            {"img_size": 64, "depth": (1, 1, 1), "embed_dim": (16, 32, 32), "num_heads": (1, 2, 2)},
        ),
        exact=False,
    ),
    Family("MaxViT", ("maxvit_tiny_tf_224",), Tiny("test_maxvit", 64, 8, 8, {"img_size": 64})),
    Family("MobileViT", ("mobilevit_s",), Tiny("mobilevit_xxs", 32, 9, 9)),
    Family("MobileViT V2", ("mobilevitv2_100",), Tiny("mobilevitv2_050", 32, 9, 9)),
    Family("Next-ViT", ("nextvit_small",), Tiny("nextvit_small", 32, 11, 8, {"depths": (1, 1, 5, 1)})),
    Family(
        "TinyViT",
        ("tiny_vit_21m_224",),
        Tiny(
            "timm.models.tiny_vit.TinyVit",
            64,
            4,
            4,
            {
                "window_sizes": (7, 7, 14, 7),
                "depths": _DEPTHS,
                "embed_dims": (16, 32, 32, 64),
                "num_heads": (1, 2, 2, 4),
            },
        ),
    ),
)
