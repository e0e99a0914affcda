"""Statistics over seeds, against numbers worked out elsewhere."""

import re
from dataclasses import dataclass
from itertools import permutations
from math import atan, isnan, nan, pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from mimi_core.analysis.common.agreement import rank_correlation
from mimi_core.analysis.common.curves import area_under, pareto_front
from mimi_core.analysis.common.proportions import Z
from mimi_core.analysis.common.statistics import (
    AMOUNTS,
    CONFIDENCE,
    DIFFERENCES,
    LEVEL,
    SHARES,
    SIGNIFICANT,
    IntervalKind,
    Range,
    by_seed,
    difference,
    family,
    holm,
    mean_interval,
    of_setting,
    one_per_seed,
    paired,
    repeated_measures,
)
from mimi_core.analysis.common.words import percent_interval

ROOT = Path(__file__).resolve().parents[2]


def test_the_interval_is_students() -> None:
    found = mean_interval([1, 2, 3, 4])
    assert (found.n, found.mean) == (4, 2.5)
    assert found.std == pytest.approx(1.290994)
    assert found.half_width == pytest.approx(3.182446 * 1.290994 / 2, abs=1e-5)  # t table: 3 degrees of freedom


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    one, none = mean_interval([0.9, nan]), mean_interval([])
    assert one.mean == 0.9
    assert isnan(one.low)
    assert none.n == 0
    assert isnan(none.mean)


def test_the_bootstrap_stays_inside_the_values_and_leans_with_them() -> None:
    values = [0.80, 0.81, 0.81, 0.82, 0.90]
    found, students = mean_interval(values, kind="bootstrap"), mean_interval(values)
    assert min(values) <= found.low < found.mean < found.high <= max(values)
    assert found.high - found.mean > found.mean - found.low  # one value is far up
    assert found.half_width < students.half_width
    assert found == mean_interval(values, kind="bootstrap")  # the same on every look


@pytest.mark.parametrize("kind", ["t", "bootstrap"])
@pytest.mark.parametrize("within", [SHARES, DIFFERENCES])
def test_an_interval_holds_its_mean_and_stays_where_a_mean_can_be(kind: IntervalKind, within: Range) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        values = rng.uniform(*within, rng.integers(2, 6)) ** rng.integers(1, 9)  # odd powers keep what is below 0
        if rng.random() < 0.5:
            values = np.clip(values * 3, *within)  # many at the very limit
        found = of_setting(dict(enumerate(values)), within, kind)
        assert within[0] <= found.low <= found.mean <= found.high <= within[1]
        free = mean_interval(list(values), kind=kind)
        assert found.low in (free.low, within[0]), "where it is not cut off, it is the same"
        assert found.high in (free.high, within[1])


def test_an_interval_near_the_limit_is_cut_off_there_and_says_so() -> None:
    found = of_setting({0: 0.97, 1: 0.99})
    assert (found.low, found.high) == (pytest.approx(0.98 - 12.7062 * 0.01, abs=1e-5), 1.0)
    assert not found.is_symmetric
    assert percent_interval(found) == "98.0 % (85.3 to 100.0 %)"
    assert of_setting({0: 1.0, 1: 13.0}, AMOUNTS).low == 0, "no fewer than none"


def test_a_seed_counts_once_however_often_it_was_run() -> None:
    values = by_seed([("a", 0.75), ("b", 0.9), ("a", 0.875), ("c", None), ("d", nan)])
    assert values == {"a": 0.8125, "b": 0.9}
    assert of_setting(values) == of_setting({0: 0.8125, 1: 0.9})


@dataclass(frozen=True)
class Made:
    id: str
    created: float


def test_of_runs_of_one_seed_the_newest_counts_in_whatever_order_they_come() -> None:
    runs = [Made("a1", 1.0), Made("b1", 2.0), Made("a3", 3.0), Made("a2", 3.0)]
    for order in permutations(runs):
        assert {run.id for run in one_per_seed(order, lambda run: run.id[0])} == {"a3", "b1"}


def test_two_settings_are_compared_over_the_seeds_that_both_have() -> None:
    first, second = {0: 0.9, 1: 0.8, 2: 0.86, 3: 0.1}, {2: 0.8, 1: 0.77, 0: 0.82, 4: 0.9}
    found = difference(first, second)
    expected = paired([0.9, 0.8, 0.86], [0.82, 0.77, 0.8])
    assert (found.difference.n, found.p) == (3, expected.p)
    one, two = family([found, difference({0: 0.1, 1: 0.2}, {0: 0.3, 1: 0.1})])
    assert one.corrected == pytest.approx(2 * found.p)
    assert not found.is_clear, "before it is corrected nothing is claimed"
    assert (one.is_clear, two.is_clear) == (one.corrected < 0.05, False)


def test_pairs_are_compared_seed_by_seed() -> None:
    first, second = [1.0, 2.0, 3.0, 4.5, 9.0, nan], [0.0, 1.5, 1.0, 2.0, nan, 9.0]
    found = paired(first, second)  # differences 1, 0.5, 2, 2.5
    assert (found.difference.n, found.difference.mean) == (4, 1.5)
    assert found.effect == pytest.approx(1.5 / sqrt(2.5 / 3))
    t = 1.5 / (sqrt(2.5 / 3) / 2)
    cdf = 0.5 + (t / sqrt(3) / (1 + t * t / 3) + atan(t / sqrt(3))) / pi  # Student's with 3 degrees of freedom
    assert found.p == pytest.approx(2 * (1 - cdf))
    assert isnan(found.p_wilcoxon)
    found = paired(first, second, "bootstrap")
    assert found.p_wilcoxon == pytest.approx(2 / 2**4)  # all of one sign: the least that four pairs can give


def test_no_spread_is_not_certainty() -> None:
    same = paired([0.85, 0.845, 0.84], [0.845, 0.84, 0.835])  # three times 0.005, but for the last bit
    assert isnan(same.p)
    assert isnan(same.effect)
    assert paired([0.8, 0.9], [0.8, 0.9]).p == 1.0
    assert isnan(paired([0.8], [0.7]).p)
    assert paired([], []).difference.n == 0


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, nan, 0.6])[0::2] == pytest.approx([1.0, 1.0])  # never above 1; what is unknown does not count
    assert isnan(holm([0.5, nan])[1])
    assert holm([]) == []


def test_rank_correlation_is_kendalls_tau() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx((5 - 1) / 6)  # one pair of six is swapped
    assert rank_correlation([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / sqrt(2 * 3))  # tau-b, with a tie
    assert rank_correlation([3, 2, 1], [1, 2, 3]) == pytest.approx(-1)
    assert isnan(rank_correlation([1, 1, 1], [1, 2, 3]))
    assert isnan(rank_correlation([1], [2]))
    assert rank_correlation(np.array([1, 2, 3, 4]) * 1e-15, [1, 2, 3, 4]) == 1, "scores may be tiny"
    one, two = np.random.default_rng(0).integers(0, 9, (2, 200))  # many ties
    assert rank_correlation(one, two) == pytest.approx(kendalltau(one, two).statistic, abs=1e-12)


def test_the_area_is_the_mean_accuracy_over_the_logarithm() -> None:
    parameters, accuracy = [1000, 10, 100], [0.9, 0.5, 0.7]  # straight in log parameters
    assert area_under(parameters, accuracy, 10, 1000) == pytest.approx(0.7)
    assert area_under(parameters, accuracy, 10, 100) == pytest.approx(0.6)
    assert area_under([10, 100, 1000], [0.5, 0.9, 0.9], 10, 1000) == pytest.approx((0.7 + 0.9) / 2)
    assert isnan(area_under(parameters, accuracy, 5, 100))  # begins where nothing was measured
    assert isnan(area_under([0, 10], [0.5, 0.6], 5, 10))  # zero has no logarithm
    assert isnan(area_under([10, 100], [nan, 0.6], 10, 100))


def test_the_front_holds_what_nothing_beats() -> None:
    parameters, accuracy = [10, 20, 20, 30, 40, nan], [0.6, 0.7, 0.65, 0.7, 0.8, 0.9]
    assert list(pareto_front(parameters, accuracy)) == [True, True, False, False, True, False]
    assert list(pareto_front([5, 5], [0.5, 0.5])) == [True, True]
    assert len(pareto_front([], [])) == 0


def test_many_fronts_at_once_are_those_that_comparing_all_points_finds() -> None:
    x, y = np.random.default_rng(0).integers(0, 5, (2, 200, 7)).astype(float)  # many ties
    fewer, higher = x[:, :, None] <= x[:, None], y[:, :, None] >= y[:, None]
    beats = fewer & higher & ((x[:, :, None] < x[:, None]) | (y[:, :, None] > y[:, None]))
    assert (pareto_front(x, y) == ~beats.any(axis=1)).all()


def test_intervals_of_a_family_are_wider_and_equivalence_takes_two_tests() -> None:
    alone, *_ = family([paired([0.01, 0.02, 0.0, 0.03], [0.0] * 4, margin=0.03)])
    among, *_ = family([paired([0.01, 0.02, 0.0, 0.03], [0.0] * 4, margin=0.03)] * 5)
    assert alone.difference.half_width == pytest.approx(3.182446 * alone.difference.std / 2, rel=1e-5)
    assert among.difference.half_width == pytest.approx(5.840909 * among.difference.std / 2, rel=1e-5)  # t at 0.995
    t = (0.03 - 0.015) / (alone.difference.std / 2)
    cdf = 0.5 + (t / sqrt(3) / (1 + t * t / 3) + atan(t / sqrt(3))) / pi
    assert alone.p_equivalent == pytest.approx(1 - cdf), "the nearer of the two limits decides"
    assert among.corrected_equivalent == pytest.approx(5 * alone.p_equivalent)
    assert isnan(paired([0.1, 0.2], [0.0, 0.0]).p_equivalent), "without a margin nothing is equivalent"


def test_what_would_show_does_show_in_four_of_five() -> None:
    rng = np.random.default_rng(1)
    one, *_ = family([paired(rng.normal(0, 0.01, 6), np.zeros(6))])
    samples = rng.normal(one.detectable, one.difference.std, (3000, 6))
    shown = [family([paired(sample, np.zeros(6))])[0].is_clear for sample in samples]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.025)


def test_settings_that_differ_in_every_seed_differ_though_seeds_vary_more() -> None:
    rng = np.random.default_rng(2)
    seeds = rng.normal(0.8, 0.1, 6)
    apart = [dict(enumerate(seeds + 0.01 * k + rng.normal(0, 0.002, 6))) for k in range(4)]
    found = repeated_measures(apart)
    assert (found.n, found.p) == (6, 1 / 10_000)
    table = np.array([list(one.values()) for one in apart]).T
    residual = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    expected = (6 * table.mean(0).var(ddof=1)) / ((residual**2).sum() / 15)
    assert found.f == pytest.approx(expected)
    false = [repeated_measures([dict(enumerate(row)) for row in rng.normal(size=(4, 5))], 199).p for _ in range(400)]
    assert np.mean(np.array(false) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert isnan(repeated_measures([{0: 0.1, 1: 0.2}]).p)


@pytest.mark.parametrize("part", ["mimi_core/analysis", "mimi_core/study", "pages", "benchmarks"])
def test_the_level_stands_in_one_place(part: str) -> None:
    """Whoever changes `SIGNIFICANT` changes every sentence about it."""
    by_hand = re.compile(r"\b95 ?%|\b95 of 100|\b(below|than) 0\.05|\b1\.95\d|\bppf\(0\.9")
    files = [path for kind in ("*.py", "*.j2") for path in (ROOT / part).rglob(kind)]
    said = {str(path): by_hand.findall(path.read_text()) for path in files}
    assert files
    assert not {path: literals for path, literals in said.items() if literals}


def test_the_level_of_every_interval_is_that_of_the_tests() -> None:
    assert (SIGNIFICANT, CONFIDENCE, LEVEL) == (0.05, 0.95, "95 %")
    assert pytest.approx(1.959963984540054, abs=1e-12) == Z
