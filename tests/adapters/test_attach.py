"""Adapters go in without a trace, do what the equation says, and come out without a trace."""

import copy
import io

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.adapters.adapter import Adapted, Adapter
from mimi_core.adapters.attach import adapters_of, attach, head_parameters, remove
from mimi_core.adapters.shrink import shrink
from mimi_core.config import AdapterConfig
from mimi_core.errors import BudgetError

from .conftest import SITES, tiny_vit, with_adapters


def test_the_equation(images: Tensor) -> None:
    """adapter(h) = h + up(gelu(down(h))), written out."""
    adapter = Adapter(24, 5, "paper", torch.Generator().manual_seed(0))
    h = torch.randn(3, 7, 24)
    expected = h + F.gelu(h @ adapter.down.T) @ adapter.up.T
    torch.testing.assert_close(Adapted(nn.Identity(), adapter, "x", "series")(h), expected)


def test_a_parallel_adapter_keeps_the_identity_path() -> None:
    base, adapter = nn.Linear(24, 24), Adapter(24, 5, "paper", torch.Generator().manual_seed(0))
    h = torch.randn(3, 7, 24)
    expected = base(h) + 0.5 * F.linear(F.gelu(F.linear(h, adapter.down)), adapter.up)
    torch.testing.assert_close(Adapted(base, adapter, "x", "parallel", scale=0.5)(h), expected)


def test_feature_maps_are_adapted_along_their_channels() -> None:
    adapter = Adapter(24, 5, "paper", torch.Generator().manual_seed(0))
    tokens = torch.randn(2, 4, 4, 24)
    on_tokens = Adapted(nn.Identity(), adapter, "x", "series")(tokens)
    on_maps = Adapted(nn.Identity(), adapter, "x", "series", channel_dim=1)(tokens.movedim(-1, 1))
    torch.testing.assert_close(on_maps.movedim(1, -1), on_tokens)


@pytest.mark.parametrize("placement", ["series", "parallel"])
def test_near_identity_leaves_outputs_bit_identical_at_the_start(
    placement: str, bare: nn.Module, images: Tensor
) -> None:
    before = bare(images)
    with_adapters(bare, init="near_identity", placement=placement)
    assert torch.equal(bare(images), before)
    assert len(adapters_of(bare)) == 4


def test_adapters_change_the_output_when_they_are_not_zero(bare: nn.Module, images: Tensor) -> None:
    before = bare(images)
    with_adapters(bare, init="paper")
    assert not torch.equal(bare(images), before)


def test_removal_leaves_outputs_and_state_dict_as_they_were(bare: nn.Module, images: Tensor) -> None:
    before, keys = bare(images), list(bare.state_dict())
    modules = dict(bare.named_modules())
    with_adapters(bare)
    for site in SITES:
        remove(bare, site)
    assert torch.equal(bare(images), before)
    assert list(bare.state_dict()) == keys
    assert dict(bare.named_modules()) == modules, "the very same module objects are back"


def test_only_adapters_and_head_train(adapted: nn.Module, images: Tensor) -> None:
    trained = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert {id(p) for p in head_parameters(adapted)} <= {id(p) for p in adapted.parameters() if p.requires_grad}
    assert all(".adapter." in name or name.startswith("head.") for name in trained)
    assert len(trained) == 4 * 2 + 2
    adapted(images).square().sum().backward()
    for name, parameter in adapted.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)) == (name in trained), name


def test_state_dict_round_trip_and_deepcopy(adapted: nn.Module, images: Tensor) -> None:
    other = tiny_vit()
    with_adapters(other, init="near_identity")
    assert not torch.equal(other(images), adapted(images))
    file = io.BytesIO()
    torch.save(adapted.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(images), adapted(images))
    twin = copy.deepcopy(adapted)
    shrink(twin, {SITES[0]: np.array([], int), SITES[1]: np.array([1, 4])})
    assert adapters_of(adapted)[SITES[0]].hidden_width == 6, "the copy shares nothing"
    assert not torch.equal(twin(images), adapted(images))


def test_wrapped_modules_still_answer_for_themselves(adapted: nn.Module) -> None:
    """Some models ask their attention for its attributes."""
    assert adapted.blocks[0].attn.num_heads == 2 if not isinstance(adapted.blocks[0].attn, Adapted) else True
    wrapped = Adapted(tiny_vit().blocks[0].attn, Adapter(24, 2, "paper"), "x", "series")
    assert wrapped.num_heads == 2
    with pytest.raises(AttributeError):
        _ = wrapped.no_such_thing


def test_further_outputs_of_a_module_pass_through() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, factor: float = 1.0) -> tuple[Tensor, str]:
            return x * factor, "weights"

    adapted = Adapted(Two(), Adapter(24, 2, "near_identity"), "x", "series")
    first, second = adapted(torch.ones(1, 2, 24), factor=3.0)
    assert torch.equal(first, torch.full((1, 2, 24), 3.0))
    assert second == "weights"


def test_a_width_of_zero_is_refused_before_anything_is_touched(bare: nn.Module) -> None:
    from mimi_core.adapters.sites import find_sites

    sites, before = find_sites(bare, 32), list(bare.state_dict())
    with pytest.raises(BudgetError, match="at least one neuron"):
        attach(bare, sites, {site.name: 0 for site in sites}, AdapterConfig(), torch.Generator())
    assert list(bare.state_dict()) == before
    assert all(p.requires_grad for p in bare.parameters())
