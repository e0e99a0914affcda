"""Sites are found by capability. Every family of backbones has its turn in test_families.py."""

import pytest
import torch
from torch import nn

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.adapters.sites import find_sites
from mimi_core.backbones.loading import demo_swin
from mimi_core.errors import NoSitesError

from .conftest import EDGE, SITES
from .test_families import build


def test_swin_has_the_24_sites_of_the_paper() -> None:
    sites = find_sites(demo_swin(), 64)
    assert [site.name for site in sites[:3]] == [
        "layers.0.blocks.0.attn",
        "layers.0.blocks.0.mlp",
        "layers.0.blocks.1.attn",
    ]
    assert [site.width for site in sites] == [32] * 4 + [64] * 4 + [128] * 12 + [256] * 4
    assert [site.block for site in sites] == [i // 2 for i in range(24)]


def test_positions(bare: nn.Module) -> None:
    assert [site.name for site in find_sites(bare, EDGE)] == SITES
    assert [site.name for site in find_sites(bare, EDGE, "attn")] == SITES[::2]
    assert [site.name for site in find_sites(bare, EDGE, "mlp")] == SITES[1::2]


@pytest.mark.parametrize(
    ("family", "behind"),
    [
        ("DeiT III", ("blocks.0.ls1", "blocks.0.ls2")),
        ("BEiT", ("blocks.0.drop_path1", "blocks.0.drop_path2")),  # LayerScale is a parameter of the block
        ("FastViT", ("stages.0.blocks.0.layer_scale", "stages.1.blocks.0.layer_scale")),
        ("ConvNeXt", ("stages.0.blocks.0.drop_path", "stages.1.blocks.0.drop_path")),
        ("CaiT", ("blocks.0.attn", "blocks.0.mlp")),  # the same, and attention and MLP share the drop path behind it
    ],
)
def test_series_adapters_sit_behind_the_layer_scale(family: str, behind: tuple[str, str]) -> None:
    model, size = build(family)
    sites = find_sites(model, size)[:2]
    assert tuple(site.anchor for site in sites) == behind
    assert [site.anchor for site in find_sites(model, size, placement="parallel")[:2]] == [site.name for site in sites]


@pytest.mark.parametrize("size", [32, 64])  # 64: the first stage's maps are 16 x 16 with 16 features
@pytest.mark.parametrize("conv_mlp", [False, True])
def test_features_are_found_in_tokens_and_maps(conv_mlp: bool, size: int) -> None:
    model = timm.create_model("convnext_tiny", depths=(1, 1, 1, 1), dims=(16, 24, 32, 48), conv_mlp=conv_mlp)
    behind, beside = (find_sites(model, size, placement=placement) for placement in ("series", "parallel"))  # type: ignore[arg-type]
    assert [site.width for site in behind] == [site.width for site in beside] == [16, 24, 32, 48]
    assert {site.channel_dim for site in behind} == {1}
    assert {site.channel_dim for site in beside} == {1 if conv_mlp else -1}


def test_an_attention_may_work_on_tokens_and_give_maps() -> None:
    model, size = build("FastViT")
    assert {(site.width, site.channel_dim) for site in find_sites(model, size, "attn")} == {(32, 1)}


def test_models_without_attention_have_their_mlps() -> None:
    model, size = build("ConvNeXt")
    assert {site.position for site in find_sites(model, size)} == {"mlp"}
    with pytest.raises(NoSitesError, match=r"no attention.*ConvNeXtBlock.*positions=mlp"):
        find_sites(model, size, "attn")


def test_sites_are_the_same_without_memory() -> None:
    model, size = build("Swin")
    assert find_sites(model.to("meta"), size) == find_sites(build("Swin")[0], size)


def test_mlps_that_are_no_part_of_a_block() -> None:
    model, size = build("ViT, relative positions")
    assert not any("rel_pos" in site.name for site in find_sites(model, size))
    with torch.device("meta"):
        pooled = timm.create_model("vit_base_patch16_siglip_224", embed_dim=48, depth=1, num_heads=3)
    assert [site.name for site in find_sites(pooled, 224)] == ["blocks.0.attn", "blocks.0.mlp"], "not attn_pool.mlp"


@pytest.mark.parametrize("name", ["resnet18", "mixer_s32_224"])
def test_a_model_without_sites_is_refused_by_name_of_its_blocks(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    with pytest.raises(NoSitesError, match=r"Block.*choose a Vision Transformer"):
        find_sites(model, 224)


def test_the_probe_leaves_no_trace(bare: nn.Module) -> None:
    bare.train()
    find_sites(bare, EDGE)
    assert bare.training
    assert all(not module._forward_hooks for module in bare.modules())
