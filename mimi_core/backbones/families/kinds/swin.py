"""Swin and its kin: attention in shifted windows."""

from mimi_core.backbones.families.entry import Family, Tiny, sized

_TINY = {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)}

FAMILIES = (
    Family(
        "Swin",
        sized("swin_{}_patch4_window7_224", "tiny", "small", "base", "large"),
        Tiny("swin_tiny_patch4_window7_224", 64, 5, 5, _TINY),
        in_papers=True,
        order=10,
    ),
    Family(
        "Swin V2",
        (*sized("swinv2_{}_window8_256", "tiny", "small", "base"), "swinv2_large_window12_192"),
        Tiny("swinv2_tiny_window8_256", 64, 5, 5, _TINY),
        in_papers=True,
        order=20,
    ),
    Family("Swin V2-CR", ("swinv2_cr_tiny_224",), Tiny("swinv2_cr_tiny_224", 64, 5, 5, {**_TINY, "window_size": 2})),
)
