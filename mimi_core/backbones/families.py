"""Families of backbones whose whole life with adapters is tested; the tests, the form and docs/backbones.md read this.

No torch, so that the app can. Any other timm model works as well if a place for adapters is found in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Backbones of one architecture.

    Attributes:
        models: names for `backbone.name`.
        exact: with adapters that are zero the forward is the same to the bit; else to rounding, because adding zero
            changes how a later tensor lies in memory, and so the order of a sum.
    """

    name: str
    models: tuple[str, ...]
    exact: bool = True


def _sized(pattern: str, *sizes: str) -> tuple[str, ...]:
    return tuple(pattern.format(size) for size in sizes)


FAMILIES = (
    Family("Swin", _sized("swin_{}_patch4_window7_224", "tiny", "small", "base", "large")),
    Family("Swin V2", (*_sized("swinv2_{}_window8_256", "tiny", "small", "base"), "swinv2_large_window12_192")),
    Family("ViT", _sized("vit_{}_patch16_224", "tiny", "small", "base", "large")),
    Family("DeiT", _sized("deit_{}_patch16_224", "tiny", "small", "base")),
    Family("DeiT, distilled", _sized("deit_{}_distilled_patch16_224", "tiny", "small", "base")),
    Family("DeiT III", _sized("deit3_{}_patch16_224", "small", "medium", "base", "large")),
    Family("DINOv2", _sized("vit_{}_patch14_dinov2", "small", "base", "large")),
    Family("DINOv3", _sized("vit_{}_patch16_dinov3", "small", "base", "large")),
    Family("BEiT", _sized("beit_{}_patch16_224", "base", "large")),
    Family("BEiT v2", _sized("beitv2_{}_patch16_224", "base", "large")),
    Family("EVA-02", _sized("eva02_{}_patch14_224", "tiny", "small", "base", "large")),
    Family("ConvNeXt", _sized("convnext_{}", "tiny", "small", "base", "large")),
    Family("ConvNeXt V2", _sized("convnextv2_{}", "tiny", "base", "large")),
    Family("CvT", _sized("hf:microsoft/cvt-{}", "13", "21", "w24-384-22k")),
)
"""Those that papers on fine-tuning use."""

OTHERS = (
    Family("CaiT", ("cait_xxs24_224", "cait_s24_224")),
    Family("CAFormer", ("caformer_s18",)),
    Family("CoAt", ("coat_lite_small",)),
    Family("CoAtNet", ("coatnet_0_rw_224",)),
    Family("ConViT", ("convit_small",)),
    Family("CrossViT", ("crossvit_small_240",), exact=False),
    Family("DaViT", ("davit_tiny",)),
    Family("EdgeNeXt", ("edgenext_small",)),
    Family("EfficientFormer", ("efficientformer_l1",)),
    Family("EfficientFormer V2", ("efficientformerv2_s1",)),
    Family("FastViT", ("fastvit_sa12",)),
    Family("FocalNet", ("focalnet_tiny_srf",)),
    Family("GC ViT", ("gcvit_tiny",)),
    Family("Hiera", ("hiera_tiny_224", "hiera_base_224")),
    Family("InceptionNeXt", ("inception_next_tiny",)),
    Family("LeViT", ("levit_256",), exact=False),
    Family("MaxViT", ("maxvit_tiny_tf_224",)),
    Family("MobileViT", ("mobilevit_s",)),
    Family("MobileViT V2", ("mobilevitv2_100",)),
    Family("MViTv2", ("mvitv2_tiny", "mvitv2_base")),
    Family("NesT", ("nest_tiny",)),
    Family("Next-ViT", ("nextvit_small",)),
    Family("PiT", ("pit_s_224",), exact=False),
    Family("PoolFormer", ("poolformer_s12",)),
    Family("PVT v2", ("pvt_v2_b2",)),
    Family("Swin V2-CR", ("swinv2_cr_tiny_224",)),
    Family("TinyViT", ("tiny_vit_21m_224",)),
    Family("TNT", ("tnt_s_patch16_224",)),
    Family("Twins", ("twins_pcpvt_small", "twins_svt_small")),
    Family("ViT, relative positions", ("vit_relpos_small_patch16_224",)),
    Family("VOLO", ("volo_d1_224",), exact=False),
    Family("XCiT", ("xcit_small_12_p16_224",), exact=False),
)
"""Found by what they can do."""
