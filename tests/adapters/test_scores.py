"""Every score against a slow, obvious reference."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.scores import SCORES, TAYLOR_DECAY, Watcher, score_all
from mimi_core.config import ScoreName

from .conftest import SITES

BATCHES = 3


def watched(model: nn.Module, images: Tensor) -> tuple[Watcher, list[dict[str, tuple[Tensor, Tensor]]]]:
    """Run three batches under a watcher (the last two as its last epoch) and keep every gradient for the reference."""
    watcher, gradients = Watcher(model), []
    for batch in range(BATCHES):
        watcher.last_epoch = batch > 0
        model.zero_grad()
        F.cross_entropy(model(images.roll(batch, 0) * (1 + batch)), torch.arange(8) % 4).backward()
        watcher.after_backward()
        gradients.append({s: (a.down.grad.clone(), a.up.grad.clone()) for s, a in adapters_of(model).items()})
    return watcher, gradients


def test_every_score_of_the_config_exists() -> None:
    assert {*SCORES, "random"} == set(ScoreName.__args__)


def test_weight_scores_neuron_by_neuron(adapted: nn.Module) -> None:
    scores = score_all(adapted, Watcher(adapted).seen, np.random.default_rng(0))
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            row, column = adapter.down[j].tolist(), adapter.up[:, j].tolist()
            assert scores["mimi"][site][j] == pytest.approx(sum(map(abs, row)) + sum(map(abs, column)), rel=1e-5)
            assert scores["down_only"][site][j] == pytest.approx(sum(map(abs, row)), rel=1e-5)
            assert scores["l2"][site][j] == pytest.approx(sum(w * w for w in row + column) ** 0.5, rel=1e-5)


def test_gradient_sums_absolute_values_over_all_batches_of_the_last_epoch(adapted: nn.Module, images: Tensor) -> None:
    watcher, gradients = watched(adapted, images)
    for site in SITES:
        for j in range(6):
            expected = sum(float(g[site][0][j].abs().sum() + g[site][1][:, j].abs().sum()) for g in gradients[1:])
            assert float(watcher.seen[site].gradient[j]) == pytest.approx(expected, rel=1e-4)


def test_taylor_is_a_moving_average_of_weight_times_gradient(adapted: nn.Module, images: Tensor) -> None:
    watcher, gradients = watched(adapted, images)
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            average = 0.0
            for g in gradients:
                moved = (adapter.down[j] * g[site][0][j]).abs().sum() + (
                    adapter.up[:, j] * g[site][1][:, j]
                ).abs().sum()
                average = TAYLOR_DECAY * average + (1 - TAYLOR_DECAY) * float(moved.detach())
            assert float(watcher.seen[site].taylor[j]) == pytest.approx(average, rel=1e-4)


def test_activation_by_a_second_forward_pass(adapted: nn.Module, images: Tensor) -> None:
    watcher, _ = watched(adapted, images)
    recorded: dict[str, list[Tensor]] = {site: [] for site in SITES}
    twin = copy.deepcopy(adapted)
    for site, adapter in adapters_of(twin).items():
        adapter.act.register_forward_hook(lambda _, __, z, site=site: recorded[site].append(z))
    with torch.no_grad():
        for batch in (1, 2):
            twin(images.roll(batch, 0) * (1 + batch))
    scores = score_all(adapted, watcher.seen, np.random.default_rng(0))["activation"]
    for site, adapter in adapters_of(adapted).items():
        mean = sum(z.abs().mean((0, 1)) for z in recorded[site])
        np.testing.assert_allclose(scores[site], (mean * adapter.up.abs().sum(0)).detach().numpy(), rtol=1e-4)


def test_random_depends_on_its_seed_alone(adapted: nn.Module) -> None:
    seen = Watcher(adapted).seen
    first, again, other = (score_all(adapted, seen, np.random.default_rng(seed))["random"] for seed in (1, 1, 2))
    assert all(np.array_equal(first[site], again[site]) for site in SITES)
    assert not any(np.array_equal(first[site], other[site]) for site in SITES)


def test_a_closed_watcher_sees_nothing(adapted: nn.Module, images: Tensor) -> None:
    watcher = Watcher(adapted)
    watcher.last_epoch = True
    watcher.close()
    adapted(images)
    assert all(float(seen.activation.sum()) == 0 for seen in watcher.seen.values())


def test_evaluation_is_not_counted_as_training(adapted: nn.Module, images: Tensor) -> None:
    watcher = Watcher(adapted)
    watcher.last_epoch = True
    with torch.no_grad():
        adapted(images)
    assert all(float(seen.activation.sum()) == 0 for seen in watcher.seen.values())
