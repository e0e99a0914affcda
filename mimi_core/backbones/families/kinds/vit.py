"""The plain ViT, under its many ways of pre-training."""

from collections.abc import Mapping

from mimi_core.backbones.families.entry import Family, Tiny, sized

_VIT = {"embed_dim": 48, "depth": 2, "num_heads": 3}
_32, _28 = {**_VIT, "img_size": 32}, {**_VIT, "img_size": 28}


def _tiny(made_by: str, options: Mapping[str, int]) -> Tiny:
    return Tiny(made_by, options["img_size"], 2, 2, options)


def _family(order: int, name: str, models: tuple[str, ...], tiny: Tiny) -> Family:
    return Family(name, models, tiny, in_papers=True, order=order)


FAMILIES = (
    _family(
        30, "ViT", sized("vit_{}_patch16_224", "tiny", "small", "base", "large"), _tiny("vit_tiny_patch16_224", _32)
    ),
    _family(40, "DeiT", sized("deit_{}_patch16_224", "tiny", "small", "base"), _tiny("deit_tiny_patch16_224", _32)),
    _family(
        50,
        "DeiT, distilled",
        sized("deit_{}_distilled_patch16_224", "tiny", "small", "base"),
        _tiny("deit_tiny_distilled_patch16_224", _32),
    ),
    _family(
        60,
        "DeiT III",
        sized("deit3_{}_patch16_224", "small", "medium", "base", "large"),
        _tiny("deit3_small_patch16_224", _32),
    ),
    _family(
        70, "DINOv2", sized("vit_{}_patch14_dinov2", "small", "base", "large"), _tiny("vit_small_patch14_dinov2", _28)
    ),
    _family(
        80, "DINOv3", sized("vit_{}_patch16_dinov3", "small", "base", "large"), _tiny("vit_small_patch16_dinov3", _32)
    ),
    _family(90, "BEiT", sized("beit_{}_patch16_224", "base", "large"), _tiny("beit_base_patch16_224", _32)),
    _family(100, "BEiT v2", sized("beitv2_{}_patch16_224", "base", "large"), _tiny("beitv2_base_patch16_224", _32)),
    _family(
        110,
        "EVA-02",
        sized("eva02_{}_patch14_224", "tiny", "small", "base", "large"),
        _tiny("eva02_tiny_patch14_224", _28),
    ),
    Family("ViT, relative positions", ("vit_relpos_small_patch16_224",), _tiny("vit_relpos_small_patch16_224", _32)),
)
