"""Shrinking is physical, and training on after it equals training a masked copy."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.adapters.adapter import Adapted, Adapter
from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.errors import BudgetError

from .conftest import SITES, tiny_vit, with_adapters

SURVIVORS = {
    SITES[0]: np.array([0, 2, 5]),
    SITES[1]: np.array([], int),
    SITES[2]: np.array([3]),
    SITES[3]: np.arange(6),
}


def optimizer_of(model: nn.Module, kind: str) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    if kind == "adamw":
        return torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.05)
    return torch.optim.SGD(trained, lr=1e-2, momentum=0.9, weight_decay=0.05)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, steps: int) -> None:
    labels = torch.arange(len(images)) % 4
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 5.0)
        optimizer.step()


def mask(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """The slow and obvious way: zero the dead neurons' weights and moments, keep their space."""
    for site, adapter in adapters_of(model).items():
        dead = torch.ones(adapter.hidden_width, dtype=torch.bool)
        dead[torch.as_tensor(SURVIVORS[site])] = False
        for parameter, where in ((adapter.down, (dead,)), (adapter.up, (slice(None), dead))):
            with torch.no_grad():
                parameter[where] = 0
                for value in optimizer.state[parameter].values():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        value[where] = 0


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_training_a_shrunk_model_equals_training_a_masked_one(kind: str, images: Tensor) -> None:
    shrunk, images = tiny_vit().double(), images.double()
    with_adapters(shrunk)
    optimizer = optimizer_of(shrunk, kind)
    train(shrunk, optimizer, images, 5)
    masked = copy.deepcopy(shrunk)
    masked_optimizer = optimizer_of(masked, kind)
    masked_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))

    carry_state(optimizer, shrink(shrunk, SURVIVORS))
    mask(masked, masked_optimizer)
    before = {site: a.down.detach().clone() for site, a in adapters_of(shrunk).items()}
    train(shrunk, optimizer, images, 20)
    train(masked, masked_optimizer, images, 20)

    kept, whole = adapters_of(shrunk), adapters_of(masked)
    assert list(kept) == [SITES[0], SITES[2], SITES[3]]
    for site, adapter in kept.items():
        rows = torch.as_tensor(SURVIVORS[site])
        torch.testing.assert_close(adapter.down, whole[site].down[rows], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(adapter.up, whole[site].up[:, rows], rtol=1e-6, atol=1e-9)
        assert not torch.equal(adapter.down, before[site]), "it did train"
    torch.testing.assert_close(shrunk(images), masked(images), rtol=1e-6, atol=1e-9)


def test_parameters_are_replaced_and_the_old_graph_stays_valid(adapted: nn.Module, images: Tensor) -> None:
    old = {site: a.down for site, a in adapters_of(adapted).items()}
    loss = adapted(images).sum()
    resized = shrink(adapted, SURVIVORS)
    loss.backward()  # would fail had the parameters been resized in place
    assert all(change.old is not change.new for change in resized)
    assert adapters_of(adapted)[SITES[0]].down is not old[SITES[0]]
    assert adapters_of(adapted)[SITES[3]].down is old[SITES[3]], "whole adapters are left alone"


def test_parameters_and_optimiser_state_really_fall(adapted: nn.Module, images: Tensor) -> None:
    optimizer = optimizer_of(adapted, "adamw")
    train(adapted, optimizer, images, 2)
    steps = {float(state["step"]) for state in optimizer.state.values()}
    carry_state(optimizer, shrink(adapted, SURVIVORS))
    widths = {site: a.hidden_width for site, a in adapters_of(adapted).items()}
    assert widths == {SITES[0]: 3, SITES[2]: 1, SITES[3]: 6}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert sum(p.numel() for p in parameters) == 2 * 24 * 10 + 24 * 4 + 4
    assert {id(p) for p in parameters} == {id(p) for p in adapted.parameters() if p.requires_grad}
    assert set(optimizer.state) == set(parameters)
    assert all(state["exp_avg"].shape == p.shape for p, state in optimizer.state.items())
    assert {float(state["step"]) for state in optimizer.state.values()} == steps, "step counts go on"


def test_a_model_that_loses_every_adapter_is_the_backbone_again(adapted: nn.Module, images: Tensor) -> None:
    shrink(adapted, {site: np.array([], int) for site in SITES})
    assert not any(isinstance(module, Adapted) for module in adapted.modules())
    assert torch.equal(adapted(images), tiny_vit()(images))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 7)))
def test_a_shrunk_adapter_computes_what_its_neurons_computed(kept: set[int]) -> None:
    model = nn.Sequential(
        Adapted(nn.Identity(), Adapter(5, 8, "paper", torch.Generator().manual_seed(3)), "s", "series")
    )
    indices = np.array(sorted(kept), int)
    adapter, tokens = model[0].adapter, torch.randn(2, 3, 5)
    rows = torch.as_tensor(indices)
    expected = tokens + F.linear(F.gelu(F.linear(tokens, adapter.down[rows])), adapter.up[:, rows])
    shrink(model, {"s": indices})
    torch.testing.assert_close(model(tokens), expected, rtol=1e-5, atol=1e-7)
    assert isinstance(model[0], Adapted) == bool(kept)


@pytest.mark.parametrize("wrong", [np.array([0, 0]), np.array([2, 1]), np.array([6]), np.array([-1])])
def test_impossible_survivors_are_refused_before_anything_is_touched(wrong: np.ndarray, adapted: nn.Module) -> None:
    with pytest.raises(BudgetError):
        shrink(adapted, {SITES[0]: np.array([1]), SITES[1]: wrong})
    assert all(a.hidden_width == 6 for a in adapters_of(adapted).values())


def test_neurons_of_an_adapter_that_is_gone_cannot_be_kept(adapted: nn.Module) -> None:
    shrink(adapted, {SITES[0]: np.array([], int)})
    shrink(adapted, {SITES[0]: np.array([], int)})  # to keep nothing of nothing is fine
    with pytest.raises(BudgetError, match="has no adapter"):
        shrink(adapted, {SITES[0]: np.array([1])})
