"""Every score against a slow, obvious reference."""

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import shrink
from mimi_core.scores.catalogue import AT_START
from mimi_core.scores.entry import DECAY
from mimi_core.scores.watching import Watcher, score_all, score_at_start
from tests.adapters.conftest import SITES, tiny_vit, with_adapters

BATCHES = 3


def watched(model: nn.Module, images: Tensor) -> tuple[Watcher, list[dict[str, tuple[Tensor, Tensor]]]]:
    """Run three batches under a watcher (the last two as its last epoch) and keep every gradient for the reference."""
    watcher, gradients = Watcher(adapters_of(model)), []
    for batch in range(BATCHES):
        watcher.last_epoch = batch > 0
        model.zero_grad()
        F.cross_entropy(model(images.roll(batch, 0) * (1 + batch)), torch.arange(8) % 4).backward()
        watcher.after_backward()
        gradients.append({s: (a.down.grad.clone(), a.up.grad.clone()) for s, a in adapters_of(model).items()})
    return watcher, gradients


def test_weight_scores_neuron_by_neuron(adapted: nn.Module) -> None:
    scores = score_all(adapters_of(adapted), Watcher(adapters_of(adapted)).seen, np.random.default_rng(0))
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            row, column = adapter.down[j].tolist(), adapter.up[:, j].tolist()
            assert scores["mimi"][site][j] == pytest.approx(sum(map(abs, row)) + sum(map(abs, column)), rel=1e-5)
            assert scores["down_only"][site][j] == pytest.approx(sum(map(abs, row)), rel=1e-5)
            assert scores["l2"][site][j] == pytest.approx(sum(w * w for w in row + column), rel=1e-5)


def test_gradient_sums_absolute_values_over_all_batches_of_the_last_epoch(adapted: nn.Module, images: Tensor) -> None:
    watcher, gradients = watched(adapted, images)
    for site in SITES:
        for j in range(6):
            expected = sum(float(g[site][0][j].abs().sum() + g[site][1][:, j].abs().sum()) for g in gradients[1:])
            assert float(watcher.seen[site]["gradient"][j]) == pytest.approx(expected, rel=1e-4)


def test_taylor_is_a_moving_average_of_weight_times_gradient(adapted: nn.Module, images: Tensor) -> None:
    watcher, gradients = watched(adapted, images)
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            average = 0.0
            for g in gradients:
                moved = (adapter.down[j] * g[site][0][j]).abs().sum() + (
                    adapter.up[:, j] * g[site][1][:, j]
                ).abs().sum()
                average = DECAY * average + (1 - DECAY) * float(moved.detach())
            assert float(watcher.seen[site]["taylor"][j]) == pytest.approx(average, rel=1e-4)


def test_sensitivity_follows_every_weight_by_itself(adapted: nn.Module, images: Tensor) -> None:
    """AdaLoRA's equations 8 to 10, weight by weight and batch by batch."""
    adapted, images = adapted.double(), images.double()
    watcher, gradients = watched(adapted, images)
    scores = score_all(adapters_of(adapted), watcher.seen, np.random.default_rng(0))["sensitivity"]
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            expected = 0.0
            for part in range(2):
                w = (adapter.down[j], adapter.up[:, j])[part].tolist()
                for k, weight in enumerate(w):
                    smooth = uncertain = 0.0
                    for g in gradients:
                        importance = abs(weight * float((g[site][0][j], g[site][1][:, j])[part][k]))
                        smooth = DECAY * smooth + (1 - DECAY) * importance
                        uncertain = DECAY * uncertain + (1 - DECAY) * abs(importance - smooth)
                    expected += smooth * uncertain
            assert scores[site][j] == pytest.approx(expected, rel=1e-5)


def test_fisher_sums_squared_gradients_over_the_last_epoch(adapted: nn.Module, images: Tensor) -> None:
    watcher, gradients = watched(adapted, images)
    scores = score_all(adapters_of(adapted), watcher.seen, np.random.default_rng(0))["fisher"]
    for site, adapter in adapters_of(adapted).items():
        down = sum(g[site][0].square() for g in gradients[1:]) * adapter.down.detach().square()
        up = sum(g[site][1].square() for g in gradients[1:]) * adapter.up.detach().square()
        for j in range(6):
            assert scores[site][j] == pytest.approx(float(down[j].sum() + up[:, j].sum()), rel=1e-4)


LABELS = torch.arange(8) % 4


def loss_of(model: nn.Module, images: Tensor) -> Tensor:
    return F.cross_entropy(model(images), LABELS)


def initially(model: nn.Module, images: Tensor, batch: int = 3) -> dict[str, dict[str, np.ndarray]]:
    """The scores before any training, from batches of unequal size."""

    def losses() -> Iterator[Tensor]:
        for some, labels in zip(images.split(batch), LABELS.split(batch), strict=True):
            yield F.cross_entropy(model(some), labels, reduction="sum") / len(images)

    watcher = Watcher(adapters_of(model))
    score_at_start(model, adapters_of(model), losses, watcher.seen)
    assert all(p.grad is None for p in model.parameters()), "training starts with a clean slate"
    return {str(n): s for n, s in score_all(adapters_of(model), watcher.seen, np.random.default_rng(0)).items()}


def test_snip_is_the_loss_s_sensitivity_to_every_weight(adapted: nn.Module, images: Tensor) -> None:
    adapted, images = adapted.double(), images.double()
    scores = initially(adapted, images)["snip"]
    loss_of(adapted, images).backward()
    for site, adapter in adapters_of(adapted).items():
        for j in range(6):
            down, up = adapter.down[j] * adapter.down.grad[j], adapter.up[:, j] * adapter.up.grad[:, j]
            assert scores[site][j] == pytest.approx((down.abs().sum() + up.abs().sum()).item(), rel=1e-5)


@pytest.mark.parametrize("init", ["paper", "near_identity"])
def test_grasp_is_how_the_gradient_norm_changes_with_the_neuron(init: str, images: Tensor) -> None:
    """By finite differences: scale one neuron up and down a little, and look at the squared norm of all gradients."""
    model, images = tiny_vit(), images.double()
    with_adapters(model, init=init)  # type: ignore[arg-type]
    model.double()
    scores = initially(model, images)["grasp"]
    trained = [p for p in model.parameters() if p.requires_grad]
    step = 1e-4

    def norm(site: str, j: int, factor: float) -> float:
        adapter, gradients = adapters_of(model)[site], []
        with torch.no_grad():
            before = adapter.down[j].clone(), adapter.up[:, j].clone()
            adapter.down[j] *= factor
            adapter.up[:, j] *= factor
        gradients = torch.autograd.grad(loss_of(model, images), trained)
        with torch.no_grad():
            adapter.down[j], adapter.up[:, j] = before
        return float(sum(g.square().sum() for g in gradients))

    for site in (SITES[0], SITES[3]):
        for j in (0, 5):
            expected = (norm(site, j, 1 + step) - norm(site, j, 1 - step)) / (4 * step)
            assert scores[site][j] == pytest.approx(expected, rel=1e-4)
    assert any((values < 0).any() for values in scores.values()) or init == "near_identity"


def test_snip_is_unknown_where_it_says_nothing(images: Tensor) -> None:
    """With `up` at zero every product of weight and gradient is zero: no score is better than one that is all ties."""
    model = tiny_vit()
    with_adapters(model, init="near_identity")
    assert "snip" not in initially(model, images)


def test_initial_scores_go_with_their_neurons(adapted: nn.Module, images: Tensor) -> None:
    watcher = Watcher(adapters_of(adapted))
    score_at_start(adapted, adapters_of(adapted), lambda: [loss_of(adapted, images)], watcher.seen)
    before = score_all(adapters_of(adapted), watcher.seen, np.random.default_rng(0))
    survivors = {site: np.array([1, 4]) for site in SITES} | {SITES[2]: np.array([], np.int64)}
    shrink(adapted, survivors)
    later = Watcher(adapters_of(adapted))
    later.carry_over(watcher.seen, survivors)
    after = score_all(adapters_of(adapted), later.seen, np.random.default_rng(0))
    for name in AT_START:
        assert list(after[name]) == [SITES[0], SITES[1], SITES[3]]
        assert all(np.array_equal(values, before[name][site][[1, 4]]) for site, values in after[name].items())


def test_activation_by_a_second_forward_pass(adapted: nn.Module, images: Tensor) -> None:
    watcher, _ = watched(adapted, images)
    recorded: dict[str, list[Tensor]] = {site: [] for site in SITES}
    twin = copy.deepcopy(adapted)
    for site, adapter in adapters_of(twin).items():
        adapter.act.register_forward_hook(lambda _, __, z, site=site: recorded[site].append(z))
    with torch.no_grad():
        for batch in (1, 2):
            twin(images.roll(batch, 0) * (1 + batch))
    scores = score_all(adapters_of(adapted), watcher.seen, np.random.default_rng(0))["activation"]
    for site, adapter in adapters_of(adapted).items():
        mean = sum(z.abs().mean((0, 1)) for z in recorded[site])
        np.testing.assert_allclose(scores[site], (mean * adapter.up.abs().sum(0)).detach().numpy(), rtol=1e-4)


def test_random_depends_on_its_seed_alone(adapted: nn.Module) -> None:
    seen = Watcher(adapters_of(adapted)).seen
    first, again, other = (
        score_all(adapters_of(adapted), seen, np.random.default_rng(seed))["random"] for seed in (1, 1, 2)
    )
    assert all(np.array_equal(first[site], again[site]) for site in SITES)
    assert not any(np.array_equal(first[site], other[site]) for site in SITES)


def test_a_closed_watcher_sees_nothing(adapted: nn.Module, images: Tensor) -> None:
    watcher = Watcher(adapters_of(adapted))
    watcher.last_epoch = True
    watcher.close()
    adapted(images)
    assert all(float(seen["activation"].sum()) == 0 for seen in watcher.seen.values())


def test_evaluation_is_not_counted_as_training(adapted: nn.Module, images: Tensor) -> None:
    watcher = Watcher(adapters_of(adapted))
    watcher.last_epoch = True
    with torch.no_grad():
        adapted(images)
    assert all(float(seen["activation"].sum()) == 0 for seen in watcher.seen.values())
