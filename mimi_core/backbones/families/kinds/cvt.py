"""CvT, which transformers knows and timm does not."""

from mimi_core.backbones.families.entry import Family, Tiny, sized

FAMILIES = (
    Family(
        "CvT",
        sized("hf:microsoft/cvt-{}", "13", "21", "w24-384-22k"),
        Tiny("hf:microsoft/cvt-13", 32, 6, 6, {"embed_dim": (16, 24, 32), "depth": (1, 2, 3), "num_heads": (1, 1, 2)}),
        in_papers=True,
        order=140,
    ),
)
