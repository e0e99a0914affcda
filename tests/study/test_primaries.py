"""The analysis of the planned study: it tells a difference from none, and its sentences say what the numbers say."""

from math import isnan, log
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mimi_core.analysis.common.statistics import POWER, SIGNIFICANT
from mimi_core.runs.store import Store
from mimi_core.study import power, primaries
from mimi_core.study.design import MIMI, SMALL, TASKS, size_of
from mimi_core.study.evidence import gather
from mimi_core.study.power import EFFECT, MadeUpTask, called, seeds_needed
from mimi_core.study.primaries import decide, logits, pooled
from mimi_core.study.secondary import images_at_random, improvement, interquartile_difference, mixed_model

STUDY = Path(__file__).parents[2] / "assets" / "study"
SEEDS = 12
ALIKE = [MadeUpTask(accuracy, 0.02, 1000) for accuracy in (0.9, 0.7, 0.6, 0.5, 0.6)]
"""Differences of two points from seed to seed, as on the old study's digits and clothes."""
UNLIKE = [
    MadeUpTask(task.accuracy, spread, 1000) for task, spread in zip(ALIKE, (0.01, 0.01, 0.01, 0.02, 0.15), strict=True)
]
"""One task makes up nearly all of the variance, as the old study's sprites-location does."""


@pytest.mark.parametrize("tasks", [ALIKE, UNLIKE], ids=["alike", "unlike"])
def test_of_studies_without_any_difference_at_most_one_in_twenty_calls_one(tasks: list[MadeUpTask]) -> None:
    assert called(tasks, SEEDS).any(axis=1).mean() <= SIGNIFICANT


def test_a_point_and_a_half_is_called_by_four_of_five_studies() -> None:
    shown = called(ALIKE, SEEDS, EFFECT)
    assert shown[:, 0].mean() >= POWER
    assert shown[:, 1:].any(axis=1).mean() <= SIGNIFICANT, "the others are no better for it"


def test_the_number_of_seeds_that_suffices_is_the_least_one() -> None:
    needed = seeds_needed(ALIKE)
    assert needed is not None
    assert needed <= SEEDS
    assert called(ALIKE, needed, EFFECT)[:, 0].mean() >= POWER > called(ALIKE, needed - 1, EFFECT)[:, 0].mean()
    wild = [MadeUpTask(0.5, 0.5, 1000)] * 5
    assert seeds_needed(wild) is None


def test_the_pooled_test_is_students_where_there_is_one_task() -> None:
    drawn = np.random.default_rng(1).normal(0.3, 1, (1, 8))
    found, wanted = pooled(drawn), stats.ttest_1samp(drawn[0], 0)
    assert (float(found.p), float(found.freedom)) == pytest.approx((wanted.pvalue, 7))


def test_degrees_of_freedom_fall_from_all_to_those_of_one_task() -> None:
    spread = np.array([-1.0, 0.0, 1.0, 0.0])
    assert float(pooled(np.stack([spread] * 5)).freedom) == pytest.approx(5 * 3)
    assert float(pooled(np.stack([spread, *[0.001 * spread] * 4])).freedom) == pytest.approx(3, rel=1e-4)


def test_logits_are_of_counts_plus_one_half() -> None:
    wanted = [log(0.5 / 10.5), log(10.5 / 0.5), log(7.5 / 3.5)]
    assert logits(np.array([0.0, 10.0, 7.0]), np.array(10)) == pytest.approx(wanted)


def one(difference: float, spread: float) -> primaries.Primary:
    """The first of four primaries, whose arms differ by so much in accuracy; the others are undecided."""
    random = np.random.default_rng(0)
    noise = random.standard_normal((4, 5, 12))
    noise -= noise.mean(axis=-1, keepdims=True)
    second = np.full((4, 5, 12), 0.7)
    by, times = np.array([difference, 0, 0, 0]), np.array([spread, 0.05, 0.05, 0.05])
    first = second + by[:, None, None] + times[:, None, None] * noise
    right = np.stack([first, second], axis=1) * 1000
    return decide([("a", "b")] * 4, right, np.array(1000.0))[0]


@pytest.mark.parametrize(
    ("difference", "spread", "verdict", "said"),
    [
        (0.03, 0.02, "higher", "better"),
        (-0.03, 0.02, "lower", "worse"),
        (0.005, 0.004, "higher", "better, though within 1 point"),
        (0.0, 0.01, "equivalent", "equivalent within 1 point"),
        (0.01, 0.08, "undecided", "undecided"),
        (0.03, 0.0, "untested", "too few runs"),
    ],
)
def test_every_verdict(difference: float, spread: float, verdict: str, said: str) -> None:
    found = one(difference, spread)
    assert (found.verdict, found.said) == (verdict, said)
    assert found.points.mean == pytest.approx(difference, abs=1e-12)
    assert found.tests == 4
    assert isnan(found.detectable) == (not spread)


def test_intervals_hold_all_at_once_and_equivalence_is_about_points() -> None:
    found = one(0.0, 0.01)
    assert found.points.low < -2.4 * found.points.error, "wider than the interval of a single comparison"
    assert found.corrected_equivalent == pytest.approx(4 * found.p_equivalent), "the smallest of four, by Holm"


def test_the_mixed_model_is_that_of_a_balanced_table() -> None:
    """Then it has a closed form: the variance of the tasks' means says how far another set of tasks may lie."""
    random = np.random.default_rng(2)
    differences = 0.5 + random.normal(0, 1, (5, 1)) + random.normal(0, 0.5, (5, 12))
    found, means = mixed_model(differences), differences.mean(axis=1)
    wanted = stats.ttest_1samp(means, 0)
    assert found.mean == pytest.approx(means.mean())
    assert found.error == pytest.approx(means.std(ddof=1) / 5**0.5, rel=1e-3)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-2)


def test_resampling_pairs_what_shares_a_seed() -> None:
    seeds = np.random.default_rng(3).normal(0.6, 0.1, (5, 12))
    better = seeds + 0.01
    assert improvement(better, seeds).mean == 1
    assert improvement(seeds, seeds).mean == 0.5
    gap = interquartile_difference(better, seeds)
    assert gap.mean == pytest.approx(0.01)
    assert (gap.low, gap.high) == pytest.approx((0.01, 0.01)), "what seeds have in common falls out"


def test_images_at_random_widen_what_seeds_alone_say() -> None:
    random = np.random.default_rng(4)
    second = [[random.random(200) < 0.6 for _ in range(4)] for _ in range(2)]
    first = [[told | (random.random(200) < 0.1) for told in task] for task in second]
    found = images_at_random(first, second)
    by_seed = [
        [float(a.mean() - b.mean()) for a, b in zip(*pair, strict=True)] for pair in zip(first, second, strict=True)
    ]
    assert found.mean == pytest.approx(np.mean(by_seed))
    assert 0 < found.low < found.mean < found.high
    seeds_alone = np.sqrt(np.var(by_seed, axis=1, ddof=0).sum() / 4) / 2
    assert found.high - found.low > 2 * 1.96 * seeds_alone


def old_spread() -> list[MadeUpTask]:
    """Of MiMi against a small adapter over the old study's five seeds."""
    evidence, tasks = gather(Store(STUDY)), []
    for task in TASKS:
        ours, theirs = (evidence.accuracies(size_of(task).name, arm) for arm in (MIMI, SMALL))
        gaps = [ours[seed] - theirs[seed] for seed in ours]
        tasks.append(MadeUpTask(float(np.mean(list(ours.values()))), float(np.std(gaps, ddof=1)), 1000))
    return tasks


def test_the_old_study_s_spread_wants_more_seeds_than_twelve_and_twenty_suffice() -> None:
    """One learning rate for all made sprites-location swing; the plan judges by the spread that tuning sees."""
    tasks = old_spread()
    assert called(tasks, SEEDS).any(axis=1).mean() <= SIGNIFICANT
    assert called(tasks, SEEDS, EFFECT)[:, 0].mean() < POWER <= called(tasks, 20, EFFECT)[:, 0].mean()


def test_all_degrees_of_freedom_would_call_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why they are Satterthwaite's; docs/study-plan.md has the figures under Changes."""

    def plain(differences: np.ndarray) -> primaries.Pooled:
        found, (*_, tasks, seeds) = pooled(differences), differences.shape
        return primaries.Pooled(found.mean, found.error, np.full_like(found.error, tasks * (seeds - 1)))

    monkeypatch.setattr(power, "pooled", plain)
    assert called(old_spread(), SEEDS).any(axis=1).mean() > SIGNIFICANT
