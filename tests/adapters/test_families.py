"""A whole life with adapters in every family of `mimi_core.backbones.families`, in tiny models with random weights."""

import copy
import pkgutil
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from safetensors.torch import save_file
from torch import Tensor, nn

from mimi_core.backbones import cvt as hf_backbones

import timm  # isort: skip

from docs.backbones import FILE, HEAD, row
from mimi_core.adapters.attach import adapters_of, attach
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.adapters.sites import find_sites
from mimi_core.backbones.cvt import cvt
from mimi_core.backbones.families import FAMILIES, Tiny
from mimi_core.backbones.families.catalogue import in_order
from mimi_core.backbones.families.entry import Call
from mimi_core.backbones.loading import load_backbone
from mimi_core.config import AdapterConfig, BackboneConfig
from mimi_core.errors import BackboneError
from mimi_core.scores.watching import Watcher
from mimi_core.train.course import Cursor
from mimi_core.train.resume import pack, restore_model, restore_optimizer

CVT = {"embed_dim": (16, 24, 32), "depth": (1, 2, 3), "num_heads": (1, 1, 2)}
BY_NAME = {family.name: family for family in FAMILIES}


def made(tiny: Tiny) -> nn.Module:
    options = {name: valued(value) for name, value in tiny.options.items()}
    if tiny.made_by.startswith("hf:"):
        return cvt(tiny.made_by, **options)
    if "." in tiny.made_by:
        return valued(tiny.made_by)(*map(valued, tiny.arguments), num_classes=4, **options)
    return timm.create_model(tiny.made_by, num_classes=4, **options)


def valued(value: object) -> Any:
    """What a text such as `timm.models.nest.Nest` stands for, or a call; in tuples, too."""
    if isinstance(value, tuple):
        return tuple(map(valued, value))
    if isinstance(value, Call):
        return valued(value.path)(**{name: valued(inner) for name, inner in value.options.items()})
    return pkgutil.resolve_name(value) if isinstance(value, str) and value.startswith("timm.") else value


def build(name: str) -> tuple[nn.Module, int]:
    tiny = BY_NAME[name].tiny
    torch.manual_seed(0)
    model = made(tiny).eval()
    for parameter in model.parameters():  # some families start branches at zero or nearly so: nothing would reach them
        if parameter.abs().max() < 1e-3:
            nn.init.normal_(parameter, std=0.5)
    return model, tiny.image_size


def step(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor) -> None:
    optimizer.zero_grad()
    model(images).square().sum().backward()
    optimizer.step()


def of_adapters(model: nn.Module) -> list[nn.Parameter]:
    return [p for adapter in adapters_of(model).values() for p in adapter.parameters()]


def test_no_two_families_have_one_name_or_one_model() -> None:
    swin = BY_NAME["Swin"]
    with pytest.raises(ValueError, match="two families are called 'Swin'"):
        in_order([swin, replace(swin, models=("other",))])
    with pytest.raises(ValueError, match="two families have the model 'swin_tiny"):
        in_order([swin, replace(swin, name="Swan")])


@pytest.mark.parametrize("name", BY_NAME)
def test_a_whole_life(name: str) -> None:
    """Put in without a trace, all trained, cut, saved, resumed in another model, taken out without a trace."""
    model, size = build(name)
    family = BY_NAME[name]
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(images)
    sites = find_sites(model, size)
    assert [sum(site.position == position for site in sites) for position in ("attn", "mlp")] == [
        family.tiny.attentions,
        family.tiny.mlps,
    ]
    same = {"rtol": 0.0, "atol": 0.0} if family.exact else {}
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
    arrays, metadata = pack(model, optimizer, Watcher(adapters_of(model)), Cursor())
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
    assert re.findall(r"^\| `(.+?)` ", text, re.MULTILINE) == [model for family in FAMILIES for model in family.models]
    for family in FAMILIES:
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
