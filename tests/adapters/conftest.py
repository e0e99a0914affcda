"""A tiny real ViT, with and without adapters."""

import pytest
import torch
from torch import Tensor, nn

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.adapters.attach import attach
from mimi_core.adapters.sites import Site, find_sites
from mimi_core.config import AdapterConfig, Init

EDGE = 32
SITES = ["blocks.0.attn", "blocks.0.mlp", "blocks.1.attn", "blocks.1.mlp"]


def tiny_vit() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(
        "vit_tiny_patch16_224", img_size=EDGE, patch_size=8, embed_dim=24, depth=2, num_heads=2, num_classes=4
    )
    return model.eval()


def with_adapters(model: nn.Module, width: int = 6, init: Init = "paper", **config: object) -> list[Site]:
    sites = find_sites(model, EDGE, placement=config.get("placement", "series"))  # type: ignore[arg-type]
    settings = AdapterConfig(init=init, **config)  # type: ignore[arg-type]
    attach(model, sites, {site.name: width for site in sites}, settings, torch.Generator().manual_seed(1))
    return sites


@pytest.fixture
def bare() -> nn.Module:
    return tiny_vit()


@pytest.fixture
def adapted() -> nn.Module:
    """Four adapters of six neurons that do something from the start."""
    model = tiny_vit()
    with_adapters(model)
    return model


@pytest.fixture
def images() -> Tensor:
    return torch.randn(8, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(2))
