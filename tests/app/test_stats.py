"""Statistics over seeds, against numbers worked out elsewhere."""

from math import isnan, nan

import pytest

from mimi_core.analysis.stats import mean_interval


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
