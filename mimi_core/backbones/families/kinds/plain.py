"""Columns of equal blocks that are no plain ViT."""

from mimi_core.backbones.families.entry import Family, Tiny

_VIT = {"img_size": 32, "embed_dim": 48, "depth": 2, "num_heads": 3}

FAMILIES = (
    Family("CaiT", ("cait_xxs24_224", "cait_s24_224"), Tiny("cait_xxs24_224", 32, 4, 4, _VIT)),
    Family(
        "ConViT",
        ("convit_small",),
        Tiny("convit_tiny", 32, 4, 4, {"img_size": 32, "depth": 4, "embed_dim": 12, "num_heads": 2}),
    ),
    Family(
        "CrossViT", ("crossvit_small_240",), Tiny("crossvit_tiny_240", 240, 3, 3, {"depth": ((1, 2, 0),)}), exact=False
    ),
    Family(
        "TNT",
        ("tnt_s_patch16_224",),
        Tiny("tnt_s_legacy_patch16_224", 32, 4, 4, {"img_size": 32, "depth": 2, "embed_dim": 48, "inner_dim": 24}),
    ),
    Family(
        "VOLO",
        ("volo_d1_224",),
        Tiny(
            "timm.models.volo.VOLO",
            64,
            6,
            6,
            {
                "img_size": 64,
                "embed_dims": (24, 48, 48, 48),
                "num_heads": (1, 2, 2, 2),
                "outlook_attention": (True, False, False, False),
                "post_layers": ("ca", "ca"),
            },
            arguments=((1, 1, 1, 1),),
        ),
        exact=False,
    ),
    Family("XCiT", ("xcit_small_12_p16_224",), Tiny("xcit_nano_12_p16_224", 32, 4, 4, _VIT), exact=False),
)
