"""ConvNeXt and its kin: convolutions in the shape of a transformer; MLPs and no attention."""

from mimi_core.backbones.families.entry import Family, Tiny, sized

_TINY = {"depths": (1, 1, 2, 1), "dims": (16, 24, 32, 48)}

FAMILIES = (
    Family(
        "ConvNeXt",
        sized("convnext_{}", "tiny", "small", "base", "large"),
        Tiny("convnext_tiny", 64, 0, 5, _TINY),
        in_papers=True,
        order=120,
    ),
    Family(
        "ConvNeXt V2",
        sized("convnextv2_{}", "tiny", "base", "large"),
        Tiny("convnextv2_tiny", 64, 0, 5, _TINY),
        in_papers=True,
        order=130,
    ),
    Family(
        "InceptionNeXt",
        ("inception_next_tiny",),
        Tiny("inception_next_atto", 64, 0, 5, {"depths": (1, 1, 2, 1), "dims": (16, 16, 32, 32)}),
    ),
)
