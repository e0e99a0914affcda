"""The planned study: what is compared shares all that it should, and nothing is chosen by test images."""

from pathlib import Path

import pytest

from mimi_core.config import RunConfig
from mimi_core.config.identity import used_values
from mimi_core.errors import RunError
from mimi_core.runs.store import Store
from mimi_core.study import plan
from mimi_core.study.plan import CONTRASTS, GRADIENT, MIMI, PRIMARY, RANDOM, SMALL, TASKS, Arm, config, stages


def of(arm: Arm, rate: float = 0.005) -> RunConfig:
    return config(arm, TASKS[1], 21, rate, plan.STUDY)


def test_seeds_that_choose_learning_rates_are_used_for_nothing_else() -> None:
    assert not set(plan.TUNING_SEEDS) & set(plan.SEEDS)
    assert len(plan.SEEDS) == 12


def test_arms_of_a_contrast_differ_in_what_it_asks_alone() -> None:
    def differ(one: Arm, other: Arm) -> set[str]:
        ours, theirs = used_values(of(one)), used_values(of(other))
        return {path for path in ours if ours[path] != theirs[path] and path != "name"}

    assert differ(MIMI, RANDOM) == {"prune.score", "prune.normalise"}, "nothing divides what is drawn by lot"
    assert differ(MIMI, GRADIENT) == {"prune.score"}
    assert {first.name for first, _ in CONTRASTS} == {MIMI.name}
    assert {second.name for _, second in CONTRASTS} == {arm.name for arm in PRIMARY} - {MIMI.name}
    whole, small = of(MIMI), of(SMALL)
    assert len(whole.kept_shares) + 1 == small.train.cycles == plan.COURSES, "as many courses of the learning rate"
    assert whole.train.epochs == small.train.epochs
    assert small.adapter.sigma_0 == whole.prune.sigma_target


def test_every_seed_draws_its_images_and_its_backbone_and_all_arms_share_them() -> None:
    for seed in plan.SEEDS:
        drawn = {config(arm, TASKS[0], seed, 0.005, plan.STUDY).data for arm in (MIMI, RANDOM, GRADIENT, SMALL)}
        assert [data.seed for data in drawn] == [seed]
        assert config(MIMI, TASKS[0], seed, 0.005, plan.STUDY).backbone.name == f"demo-half-{seed % 2}"


def test_learning_rates_come_first_and_later_stages_wait_for_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second, *_ = stages()
    runs = first.runs(store)
    assert len(runs) == 4 * len(TASKS) * len(plan.RATES) * len(plan.TUNING_SEEDS)
    assert {run.group for run in runs} == {plan.TUNING}
    with pytest.raises(RunError, match="not finished yet"):
        second.runs(store)


def test_the_rate_with_the_best_validation_accuracy_is_taken_and_the_lower_of_equals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = {0.0025: 0.7, 0.005: 0.8, 0.01: 0.8}
    monkeypatch.setattr(plan, "_finished", lambda store, configs: [str(c.train.lr) for c in configs])
    monkeypatch.setattr(plan, "_validation_accuracy", lambda store, run: reached[float(run)])
    assert plan.chosen(Store(tmp_path), [MIMI]) == {(MIMI.name, task.name): 0.005 for task in TASKS}
