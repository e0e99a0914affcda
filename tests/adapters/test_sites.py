"""Sites are found by capability, in many families of timm models with random weights."""

import numpy as np
import pytest
import torch
from torch import nn

from mimi_core import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.adapters.attach import adapters_of, attach
from mimi_core.adapters.shrink import shrink
from mimi_core.adapters.sites import find_sites
from mimi_core.backbones import demo_swin
from mimi_core.config import AdapterConfig
from mimi_core.errors import NoSitesError

from .conftest import EDGE, SITES

# name -> (options that make it small, image size, blocks)
FAMILIES: dict[str, tuple[dict[str, object], int, int | None]] = {
    "swin_tiny_patch4_window7_224": (
        {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 2, 1)},
        64,
        5,
    ),
    "swinv2_tiny_window8_256": ({"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 2, 1)}, 64, 5),
    "swinv2_cr_tiny_224": ({"img_size": 64, "window_size": 2, "embed_dim": 24, "depths": (1, 1, 2, 1)}, 64, 5),
    "vit_tiny_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "vit_small_patch14_dinov2": ({"img_size": 28, "embed_dim": 48, "depth": 3, "num_heads": 3}, 28, 3),
    "deit_tiny_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "deit_tiny_distilled_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "deit3_small_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "vit_relpos_small_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "beit_base_patch16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "eva02_tiny_patch14_224": ({"img_size": 28, "embed_dim": 48, "depth": 3, "num_heads": 3}, 28, 3),
    "cait_xxs24_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 5),
    "xcit_nano_12_p16_224": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 5),
    "twins_svt_small": ({"img_size": 224, "depths": (1, 1, 1, 1), "embed_dims": (16, 32, 64, 128)}, 224, 4),
    "pvt_v2_b0": ({}, 64, 8),
    "mvitv2_tiny": ({"img_size": 64}, 64, 10),
    "convit_tiny": ({"img_size": 32, "embed_dim": 48, "depth": 3, "num_heads": 3}, 32, 3),
    "davit_tiny": ({"depths": (1, 1, 1, 1), "embed_dims": (16, 32, 64, 128), "num_heads": (1, 2, 4, 8)}, 64, 8),
    "gcvit_xxtiny": ({"img_size": 224}, 224, 12),
    "hiera_tiny_224": ({"img_size": 64, "embed_dim": 32, "stages": (1, 1, 2, 1)}, 64, 5),
    "levit_128s": ({}, 224, 11),
    "nest_tiny": ({"img_size": 64}, 64, 12),
    "pit_ti_224": ({"img_size": 64}, 64, 12),
    "tiny_vit_5m_224": ({}, 224, 10),
    "volo_d1_224": ({"img_size": 64}, 64, 20),
    "coatnet_nano_rw_224": ({"img_size": 64}, 64, None),
    "edgenext_xx_small": ({}, 64, 3),
    "caformer_s18": ({}, 64, 12),
    "mobilevitv2_050": ({}, 64, 9),
}
OTHER_LAYOUT = ("pit_ti_224", "volo_d1_224", "xcit_nano_12_p16_224")
"""Adding zero changes how a later tensor lies in memory there, and so the order of a sum: equal to rounding only."""


def build(name: str) -> tuple[nn.Module, int]:
    options, size, _ = FAMILIES[name]
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=4, **options).eval()
    for parameter in model.parameters():  # some families start whole branches at zero, and nothing would reach them
        if not parameter.any():
            nn.init.normal_(parameter, std=0.5)
    return model, size


def assert_same(name: str, actual: torch.Tensor, expected: torch.Tensor) -> None:
    exact = {} if name in OTHER_LAYOUT else {"rtol": 0.0, "atol": 0.0}
    torch.testing.assert_close(actual, expected, **exact)


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str) -> None:
    """Identical at the start; every adapter gets a gradient; cut and removed ones leave a model that runs."""
    model, size = build(name)
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(images)
    sites = find_sites(model, size)
    blocks = FAMILIES[name][2]
    assert blocks is None or len({site.block for site in sites}) == blocks
    assert len({site.name for site in sites}) == len(sites)
    attach(model, sites, {site.name: 3 for site in sites}, AdapterConfig(init="near_identity"), torch.Generator())
    with torch.no_grad():
        assert_same(name, model(images), before)
    model(images).square().sum().backward()
    adapters = adapters_of(model)
    assert list(adapters) == [site.name for site in sites]
    for site, adapter in adapters.items():
        assert adapter.up.grad is not None, site
        assert adapter.up.grad.abs().sum() > 0, f"{site} is never used"
    first, *others = sites
    shrink(model, {first.name: np.array([1]), **{site.name: np.array([], int) for site in others}})
    assert list(adapters_of(model)) == [first.name]
    with torch.no_grad():
        assert_same(name, model(images), before)  # zero-initialised neurons add nothing, however many are left


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


def test_series_adapters_sit_behind_the_layer_scale() -> None:
    model, size = build("deit3_small_patch16_224")
    assert [site.anchor for site in find_sites(model, size)][:2] == ["blocks.0.ls1", "blocks.0.ls2"]
    assert [site.anchor for site in find_sites(model, size, placement="parallel")][:2] == [
        "blocks.0.attn",
        "blocks.0.mlp",
    ]
    beit, size = build("beit_base_patch16_224")
    assert find_sites(beit, size)[0].anchor == "blocks.0.drop_path1", "its LayerScale is a parameter of the block"


def test_a_position_mlp_is_no_site() -> None:
    model, size = build("vit_relpos_small_patch16_224")
    assert not any("rel_pos" in site.name for site in find_sites(model, size))


@pytest.mark.parametrize("name", ["resnet18", "mixer_s32_224"])
def test_a_model_without_sites_is_refused_by_name_of_its_blocks(name: str) -> None:
    model = timm.create_model(name, pretrained=False)
    with pytest.raises(NoSitesError, match=r"Block.*choose a Vision Transformer"):
        find_sites(model, 224)


def test_the_probe_leaves_no_trace(bare: nn.Module) -> None:
    bare.train()
    find_sites(bare, EDGE)
    assert bare.training
    assert all(not module._forward_hooks for module in bare.modules())
