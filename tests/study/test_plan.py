"""The planned study: what is compared shares all that it should, and nothing is chosen by test images."""

from pathlib import Path

import pytest

from mimi_core.config import RunConfig
from mimi_core.config.identity import run_key, used_values
from mimi_core.data.loading import load
from mimi_core.errors import RunError
from mimi_core.runs import control
from mimi_core.runs.store import Store
from mimi_core.study import plan, stages
from mimi_core.study.plan import (
    ASKS,
    CONTRASTS,
    FIVE_CLASSES,
    GRADIENT,
    MIMI,
    PRIMARY,
    RANDOM,
    SECONDARY,
    SMALL,
    TASKS,
    Arm,
    Ended,
    config,
)
from mimi_core.study.stages import PlanRuns, progress
from mimi_core.sweeps.matching import Planned
from tests.recorded import record

ARMS = {arm.name: arm for arm in (*PRIMARY, *SECONDARY)}
ENDED = Ended("20260101-000000-mimi-0000", 30_000)


def of(arm: Arm, rate: float = 0.005) -> RunConfig:
    return config(arm, TASKS[1], 21, rate, plan.STUDY, ENDED)


def differ(one: Arm, other: Arm) -> set[str]:
    ours, theirs = used_values(of(one)), used_values(of(other))
    return {path for path in ours if ours[path] != theirs[path] and path != "name"}


def test_seeds_that_choose_learning_rates_are_used_for_nothing_else() -> None:
    assert not set(plan.TUNING_SEEDS) & set(plan.SEEDS)
    assert len(plan.SEEDS) in (12, 20), "the plan foresees no other number"


def test_arms_of_a_contrast_differ_in_what_it_asks_alone() -> None:
    assert differ(MIMI, RANDOM) == {"prune.score", "prune.normalise"}, "nothing divides what is drawn by lot"
    assert differ(MIMI, GRADIENT) == {"prune.score"}
    assert {first.name for first, _ in CONTRASTS} == {MIMI.name}
    assert {second.name for _, second in CONTRASTS} == {arm.name for arm in PRIMARY} - {MIMI.name}
    assert len(CONTRASTS) == len(ASKS)
    whole, small = of(MIMI), of(SMALL)
    assert len(whole.kept_shares) + 1 == small.train.cycles == plan.COURSES, "as many courses of the learning rate"
    assert whole.train.epochs == small.train.epochs
    assert small.adapter.sigma_0 == whole.prune.sigma_target


def test_the_other_arms_are_what_the_plan_says() -> None:
    assert differ(MIMI, ARMS["by depth"]) == {"prune.score", "prune.normalise"}
    assert differ(SMALL, ARMS["small, one course"]) == {"train.epochs", "train.cycles"}
    assert differ(SMALL, ARMS["wide, uncut"]) == {"adapter.sigma_0"}
    assert used_values(of(ARMS["by depth"]))["prune.score"] == "depth"
    peer = ARMS["AdaLoRA"]
    assert peer.rates == (0.001, 0.0025, 0.005)
    assert of(peer).peft.parameters == ENDED.parameters
    for arm in ARMS.values():
        wanted = of(arm)
        assert wanted.train.epochs * (len(wanted.kept_shares) + 1) * wanted.train.cycles == 60, arm.name
        assert wanted.train.batch_size == 32


def test_every_seed_draws_its_images_and_its_backbone_and_all_arms_share_them() -> None:
    for seed in plan.SEEDS:
        drawn = {config(arm, TASKS[0], seed, 0.005, plan.STUDY, ENDED).data for arm in ARMS.values()}
        assert [data.seed for data in drawn] == [seed]
        assert config(MIMI, TASKS[0], seed, 0.005, plan.STUDY).backbone.name == f"demo-half-{seed % 2}"


def test_tasks_of_five_classes_have_as_many_images() -> None:
    for task in FIVE_CLASSES:
        wanted = config(MIMI, task, 20, 0.005, plan.STUDY)
        if task in TASKS:
            assert str(wanted.data.classes).count("|") == 4
            continue
        found = load(wanted.data)
        assert (len(found.class_names), len(found.train)) == (5, 150), task.name
    assert load(config(MIMI, FIVE_CLASSES[3], 20, 0.005, plan.STUDY).data).class_names[0] == "one"


def made(store: Store, monkeypatch: pytest.MonkeyPatch) -> PlanRuns:
    """Learning rates that were chosen, and MiMi runs that have ended, without making any."""
    monkeypatch.setattr(PlanRuns, "rate", lambda self, arm, task: arm.rates[1])
    monkeypatch.setattr(PlanRuns, "_mimi", lambda self, arm, task, seed, group: ENDED if arm.takes else None)
    return PlanRuns(store)


def test_stages_expand_to_what_the_plan_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = made(Store(tmp_path), monkeypatch)
    expanded = [(stage, stage.runs(known)) for stage in stages.stages()]
    assert all(len(runs) == stage.size for stage, runs in expanded)
    every = [one for _, runs in expanded for one in runs]
    assert len({run_key(one) for one in every}) == len(every), "nothing is made twice"
    proper = [one for one in every if one.group == plan.STUDY]
    seeds, orders = len(plan.SEEDS), 4
    assert len(proper) == (len(ARMS) * len(TASKS) + len(FIVE_CLASSES) - 1) * seeds + 2 * orders
    names = [stage.name for stage, _ in expanded]
    assert names.index("seed 31") < names.index("learning rates", 1) < names.index("five classes")
    assert names[-1] == "another order"
    again = expanded[-1][1]
    assert {one.seed for one in again} == {20, 21, 22, 23}
    for one in again:
        task = next(task for task in TASKS[:2] if task.name in one.name)
        first = known.of_study(MIMI, task, one.seed)
        assert one.train.order_seed is not None
        assert one.model_copy(update={"train": one.train.model_copy(update={"order_seed": None})}) == first


def test_learning_rates_come_first_and_later_stages_wait_for_them(tmp_path: Path) -> None:
    known = PlanRuns(Store(tmp_path))
    first, second, *_ = stages.stages()
    runs = first.runs(known)
    assert len(runs) == 4 * len(TASKS) * len(plan.RATES) * len(plan.TUNING_SEEDS)
    assert {run.group for run in runs} == {plan.TUNING}
    with pytest.raises(RunError, match="not finished yet"):
        second.runs(known)
    assert progress(known).done == 0
    assert progress(known).stage == first.name


def test_the_rate_with_the_best_validation_accuracy_is_taken_and_the_lower_of_equals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = {0.0025: 0.7, 0.005: 0.8, 0.01: 0.8}
    monkeypatch.setattr(PlanRuns, "validation_accuracy", lambda self, planned: reached[planned.config.train.lr])
    assert {PlanRuns(Store(tmp_path)).rate(MIMI, task) for task in TASKS} == {0.005}


def test_a_run_that_fails_is_made_once_more_and_then_counts_as_chance(tmp_path: Path) -> None:
    store, wanted = Store(tmp_path), config(MIMI, TASKS[0], 100, 0.01, plan.TUNING)
    run = record(store, wanted, cuts=0, outcome="failed")

    def looked() -> tuple[PlanRuns, Planned]:
        known = PlanRuns(store)
        return known, known.planned([wanted])[0]

    known, planned = looked()
    assert planned.run is not None
    assert not known.has_settled(planned)
    with pytest.raises(RunError, match="not finished yet"):
        known.validation_accuracy(planned)
    control.requeue(store, run, wake=False)
    status = store.status(run)
    assert status is not None
    (store.folder(run) / "status.json").write_text(status.model_copy(update={"phase": "failed"}).model_dump_json())
    known, planned = looked()
    assert known.has_settled(planned)
    assert known.validation_accuracy(planned) == pytest.approx(0.1)
