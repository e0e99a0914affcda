"""A whole life with adapters in every family of `mimi_core.backbones.families`, in tiny models with random weights."""

import copy
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from safetensors.torch import save_file
from torch import Tensor, nn

from mimi_core.backbones import cvt as hf_backbones

import timm  # isort: skip
from timm.models import focalnet, gcvit, metaformer, mvitv2, nest, pit, tiny_vit, volo

from docs.backbones import FILE, HEAD, row
from mimi_core.adapters.attach import adapters_of, attach
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.adapters.sites import find_sites
from mimi_core.backbones.cvt import cvt
from mimi_core.backbones.families import FAMILIES, OTHERS
from mimi_core.backbones.loading import load_backbone
from mimi_core.config import AdapterConfig, BackboneConfig
from mimi_core.errors import BackboneError
from mimi_core.scores.watching import Watcher
from mimi_core.train.resume import Position, pack, restore_model, restore_optimizer

VIT = {"embed_dim": 48, "depth": 2, "num_heads": 3}
VIT_32, VIT_28 = {**VIT, "img_size": 32}, {**VIT, "img_size": 28}
SWIN = {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)}
DIMS, FEW = (16, 24, 32, 48), (1, 1, 2, 1)
PYRAMID = {"depths": FEW, "embed_dims": (16, 32, 32, 64), "num_heads": (1, 2, 2, 4)}
CVT = {"embed_dim": (16, 24, 32), "depth": (1, 2, 3), "num_heads": (1, 1, 2)}
CAFORMER = {
    "token_mixers": (metaformer.SepConv, metaformer.SepConv, metaformer.Attention, metaformer.Attention),
    "norm_layers": (metaformer.LayerNorm2dNoBias,) * 2 + (metaformer.LayerNormNoBias,) * 2,
}


def named(name: str, **options: object) -> Callable[[], nn.Module]:
    return partial(timm.create_model, name, num_classes=4, **options)


# A family's name -> how a tiny model of it is made, the edge of its images, its numbers of attentions and MLPs.
TINY: dict[str, tuple[Callable[[], nn.Module], int, int, int]] = {
    "Swin": (named("swin_tiny_patch4_window7_224", **SWIN), 64, 5, 5),
    "Swin V2": (named("swinv2_tiny_window8_256", **SWIN), 64, 5, 5),
    "ViT": (named("vit_tiny_patch16_224", **VIT_32), 32, 2, 2),
    "DeiT": (named("deit_tiny_patch16_224", **VIT_32), 32, 2, 2),
    "DeiT, distilled": (named("deit_tiny_distilled_patch16_224", **VIT_32), 32, 2, 2),
    "DeiT III": (named("deit3_small_patch16_224", **VIT_32), 32, 2, 2),
    "DINOv2": (named("vit_small_patch14_dinov2", **VIT_28), 28, 2, 2),
    "DINOv3": (named("vit_small_patch16_dinov3", **VIT_32), 32, 2, 2),
    "BEiT": (named("beit_base_patch16_224", **VIT_32), 32, 2, 2),
    "BEiT v2": (named("beitv2_base_patch16_224", **VIT_32), 32, 2, 2),
    "EVA-02": (named("eva02_tiny_patch14_224", **VIT_28), 28, 2, 2),
    "ConvNeXt": (named("convnext_tiny", depths=FEW, dims=DIMS), 64, 0, 5),
    "ConvNeXt V2": (named("convnextv2_tiny", depths=FEW, dims=DIMS), 64, 0, 5),
    "CvT": (
        partial(cvt, "hf:microsoft/cvt-13", embed_dim=(16, 24, 32), depth=(1, 2, 3), num_heads=(1, 1, 2)),
        32,
        6,
        6,
    ),
    "CaiT": (named("cait_xxs24_224", **VIT_32), 32, 4, 4),
    "CAFormer": (
        partial(metaformer.MetaFormer, num_classes=4, depths=FEW, dims=(16, 24, 32, 64), **CAFORMER),
        64,
        3,
        5,
    ),
    "CoAt": (named("coat_lite_tiny", img_size=64, embed_dims=(16, 16, 32, 32), serial_depths=FEW), 64, 5, 5),
    "CoAtNet": (named("test_coatnet", img_size=64), 64, 3, 3),
    "ConViT": (named("convit_tiny", img_size=32, depth=4, embed_dim=12, num_heads=2), 32, 4, 4),
    "CrossViT": (named("crossvit_tiny_240", depth=((1, 2, 0),)), 240, 3, 3),
    "DaViT": (named("davit_tiny", **{**PYRAMID, "depths": (1, 1, 1, 1)}), 64, 8, 8),
    "EdgeNeXt": (named("edgenext_xx_small", depths=(1, 2, 2, 2), dims=DIMS, heads=(4, 4, 4, 4)), 64, 3, 7),
    "EfficientFormer": (named("efficientformer_l1", depths=(1, 1, 1, 2), embed_dims=(16, 16, 24, 32)), 224, 1, 5),
    "EfficientFormer V2": (named("efficientformerv2_s0", img_size=64, depths=(1, 1, 2, 2), embed_dims=DIMS), 64, 4, 6),
    "FastViT": (named("fastvit_sa12", layers=(1, 1, 1, 1), embed_dims=(16, 16, 32, 32)), 64, 1, 4),
    "FocalNet": (
        partial(focalnet.FocalNet, num_classes=4, depths=FEW, embed_dim=16, focal_levels=(2, 2, 2, 2)),
        64,
        0,
        5,
    ),
    "GC ViT": (
        partial(
            gcvit.GlobalContextVit,
            num_classes=4,
            img_size=64,
            window_ratio=(16, 16, 16, 32),
            depths=FEW,
            embed_dim=16,
            num_heads=(1, 2, 4, 8),
            layer_scale=1e-5,
        ),
        64,
        5,
        5,
    ),
    "Hiera": (named("hiera_tiny_224", img_size=64, embed_dim=16, num_heads=1, stages=FEW), 64, 5, 5),
    "InceptionNeXt": (named("inception_next_atto", depths=FEW, dims=(16, 16, 32, 32)), 64, 0, 5),
    "LeViT": (
        named("levit_128s", img_size=64, depth=(1, 1, 1), embed_dim=(16, 32, 32), num_heads=(1, 2, 2)),
        64,
        5,
        5,
    ),
    "MaxViT": (named("test_maxvit", img_size=64), 64, 8, 8),
    "MobileViT": (named("mobilevit_xxs"), 32, 9, 9),
    "MobileViT V2": (named("mobilevitv2_050"), 32, 9, 9),
    "MViTv2": (
        partial(
            mvitv2.MultiScaleVit,
            mvitv2.MultiScaleVitCfg(depths=FEW, embed_dim=16, num_heads=1),
            num_classes=4,
            img_size=64,
        ),
        64,
        5,
        5,
    ),
    "NesT": (
        partial(
            nest.Nest,
            num_classes=4,
            img_size=64,
            embed_dims=(16, 32, 32),
            num_heads=(1, 2, 2),
            depths=(1, 1, 1),
        ),
        64,
        3,
        3,
    ),
    "Next-ViT": (named("nextvit_small", depths=(1, 1, 5, 1)), 32, 11, 8),
    "PiT": (
        partial(
            pit.PoolingVisionTransformer,
            num_classes=4,
            img_size=64,
            base_dims=(16, 16, 16),
            depth=(1, 1, 1),
            heads=(1, 2, 4),
        ),
        64,
        3,
        3,
    ),
    "PoolFormer": (partial(metaformer.MetaFormer, num_classes=4, depths=FEW, dims=DIMS), 64, 0, 5),
    "PVT v2": (named("pvt_v2_b0", **{**PYRAMID, "num_heads": (1, 2, 2, 2)}), 64, 5, 5),
    "Swin V2-CR": (named("swinv2_cr_tiny_224", **{**SWIN, "window_size": 2}), 64, 5, 5),
    "TinyViT": (partial(tiny_vit.TinyVit, num_classes=4, window_sizes=(7, 7, 14, 7), **PYRAMID), 64, 4, 4),
    "TNT": (named("tnt_s_legacy_patch16_224", img_size=32, depth=2, embed_dim=48, inner_dim=24), 32, 4, 4),
    "Twins": (named("twins_svt_small", img_size=64, depths=(1, 1, 1, 1), embed_dims=(16, 32, 32, 32)), 64, 4, 4),
    "ViT, relative positions": (named("vit_relpos_small_patch16_224", **VIT_32), 32, 2, 2),
    "VOLO": (
        partial(
            volo.VOLO,
            (1, 1, 1, 1),
            num_classes=4,
            img_size=64,
            embed_dims=(24, 48, 48, 48),
            num_heads=(1, 2, 2, 2),
            outlook_attention=(True, False, False, False),
            post_layers=("ca", "ca"),
        ),
        64,
        6,
        6,
    ),
    "XCiT": (named("xcit_nano_12_p16_224", **VIT_32), 32, 4, 4),
}
EXACT = {family.name: family.exact for family in FAMILIES + OTHERS}


def build(name: str) -> tuple[nn.Module, int]:
    make, size, *_ = TINY[name]
    torch.manual_seed(0)
    model = make().eval()
    for parameter in model.parameters():  # some families start branches at zero or nearly so: nothing would reach them
        if parameter.abs().max() < 1e-3:
            nn.init.normal_(parameter, std=0.5)
    return model, size


def step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    optimizer.zero_grad()
    model(images).square().sum().backward()
    optimizer.step()


def of_adapters(model: nn.Module) -> list[nn.Parameter]:
    return [p for adapter in adapters_of(model).values() for p in adapter.parameters()]


def test_every_family_is_tested() -> None:
    assert set(TINY) == set(EXACT)


@pytest.mark.parametrize("name", TINY)
def test_a_whole_life(name: str) -> None:
    """Put in without a trace, all trained, cut, saved, resumed in another model, taken out without a trace."""
    model, size = build(name)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(images)
    sites = find_sites(model, size)
    assert [sum(site.position == position for site in sites) for position in ("attn", "mlp")] == [*TINY[name][2:]]
    same = {"rtol": 0.0, "atol": 0.0} if EXACT[name] else {}
    attach(model, sites, {site.name: 3 for site in sites}, AdapterConfig(init="near_identity"), torch.Generator())
    other = copy.deepcopy(model)
    with torch.no_grad():
        torch.testing.assert_close(model(images), before, **same)

    optimizer = torch.optim.AdamW(of_adapters(model), lr=0.05)
    step(model, optimizer, images)
    for site, adapter in adapters_of(model).items():
        assert adapter.up.grad is not None, site
        assert adapter.up.grad.any(), f"{site} is never used"

    first, *_, last = [site.name for site in sites]
    carry_state(optimizer, shrink(model, {first: np.array([0, 2]), last: np.array([], int)}))
    assert [a.hidden_width for a in adapters_of(model).values()] == [2] + [3] * (len(sites) - 2)
    arrays, metadata = pack(model, optimizer, Watcher(adapters_of(model)), Position())
    arrays = load(save(arrays))
    restore_model(other, arrays, metadata)
    resumed = torch.optim.AdamW(of_adapters(other), lr=0.05)
    restore_optimizer(resumed, other, arrays)
    for twin, moments in ((model, optimizer), (other, resumed)):
        step(twin, moments, images)
    assert all(torch.equal(a, b) for a, b in zip(of_adapters(model), of_adapters(other), strict=True))

    shrink(model, {site.name: np.array([], int) for site in sites})
    with torch.no_grad():
        torch.testing.assert_close(model(images), before, **same)


def test_the_table_in_docs_is_of_these_families() -> None:
    text = FILE.read_text()
    assert text.startswith(HEAD), "make backbones"
    families = FAMILIES + OTHERS
    assert re.findall(r"^\| `(.+?)` ", text, re.MULTILINE) == [model for family in families for model in family.models]
    for family in families:
        if family.name in ("ViT", "ConvNeXt"):
            assert f"| {' | '.join(row(family.models[0], family))} |" in text


# --- CvT comes from another library -----------------------------------------------------------------------------------


def test_cvt_computes_what_transformers_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import CvtConfig, CvtForImageClassification

    monkeypatch.setitem(hf_backbones.SHAPES, "13", CVT)
    theirs = CvtForImageClassification(CvtConfig(num_labels=4, **CVT)).eval()
    save_file(theirs.state_dict(), tmp_path / "cvt.safetensors")
    config = BackboneConfig(name="hf:microsoft/cvt-13", checkpoint=tmp_path / "cvt.safetensors", image_size=32)
    loaded = load_backbone(config, num_classes=4)
    assert (loaded.image_size, loaded.warnings) == (32, ())
    assert load_backbone(config, num_classes=0).model(torch.zeros(1, 3, 32, 32)).shape == (1, 32)
    loaded.model.get_classifier().load_state_dict(theirs.classifier.state_dict())  # type: ignore[operator]
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.model(images), theirs(images).logits)


def test_cvt_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str) -> Path:
        raise OSError("no connection")

    monkeypatch.setattr(hf_backbones, "fetch", unreachable)
    monkeypatch.setitem(hf_backbones.SHAPES, "13", CVT)
    with pytest.raises(BackboneError, match=r"cvt-13 could not be fetched .*no connection.*backbone.checkpoint=FILE"):
        load_backbone(BackboneConfig(name="hf:microsoft/cvt-13"), 4)
    with pytest.raises(BackboneError, match=r"only CvT is read.*hf:microsoft/cvt-13"):
        load_backbone(BackboneConfig(name="hf:google/vit-base-patch16-224"), 4)
    monkeypatch.setitem(sys.modules, "transformers.models.cvt.modeling_cvt", None)
    with pytest.raises(BackboneError, match="pip install transformers"):
        load_backbone(BackboneConfig(name="hf:microsoft/cvt-13"), 4)
