"""Numbers as people read them: one rule for every digit that is shown."""

import re
from fractions import Fraction
from math import floor, inf, isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mimi_core.analysis.common.charts import told
from mimi_core.analysis.common.statistics import Interval, of_setting
from mimi_core.analysis.common.tables import in_percent
from mimi_core.analysis.common.words import (
    amount_interval,
    decimal,
    percent,
    percent_interval,
    points,
    points_interval,
    rounded,
)
from mimi_core.analysis.compare.contrasts import MEASURES
from mimi_core.cli.common import percent_unspaced as percent_of_commands

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.8825, "88.3 %"),  # f"{88.25:.1f}" is 88.2, JavaScript's toFixed makes 88.3 of it
        (0.8835, "88.4 %"),
        (0.5785, "57.9 %"),  # 100 * 0.5785 is 57.849999999999994
        (0.88249999, "88.2 %"),
        (0.0, "0.0 %"),
        (-0.0004, "0.0 %"),
        (-0.0005, "-0.1 %"),
        (1.0, "100.0 %"),
        (nan, "–"),
        (None, "–"),
    ],
)
def test_halves_go_up_whatever_the_last_bit_says(share: float | None, said: str) -> None:
    assert percent(share) == said


def test_every_number_of_right_images_is_rounded_as_by_hand() -> None:
    """Exact arithmetic decides; a mean over seeds may be a last bit beside it."""
    for images in (80, 360, 400, 2000):
        for right in range(images + 1):
            exact = floor(Fraction(1000 * right, images) + Fraction(1, 2))
            for share in (right / images, float(np.mean([right / images] * 3)), 1 - (images - right) / images):
                assert percent(share) == f"{exact // 10}.{exact % 10} %"


def test_a_rounded_number_is_not_rounded_again() -> None:
    for value in np.random.default_rng(0).uniform(-100, 100, 300):
        assert rounded(rounded(value, 1), 1) == rounded(value, 1)
        assert f"{rounded(value, 1) + 0:.1f}" == decimal(value)
    assert rounded(inf) == inf
    assert isnan(rounded(nan, 1))
    assert str(rounded(-0.01, 1)) == "0.0"


def test_a_number_is_the_same_in_sentence_table_tooltip_and_command() -> None:
    found = of_setting({0: 0.8805, 1: 0.8845})
    assert found.mean == pytest.approx(0.8825)
    table = told(in_percent(_row(found), ["mean"]).assign(mean=found.mean), ["mean"])
    assert table["mean_text"].iloc[0] == percent(found.mean) == MEASURES["accuracy"].said(found.mean) == "88.3 %"
    assert f"{in_percent(_row(found), ['mean'])['mean'].iloc[0]:.1f} %" == "88.3 %"
    assert percent_of_commands(found.mean) == "88.3%"
    assert percent_interval(found).startswith("88.3 ± ")


def test_differences_have_a_sign_where_there_is_one() -> None:
    assert [points(d, signed=True) for d in (0.0125, -0.0125, 0.0, -0.0001, nan)] == ["+1.3", "-1.3", "0.0", "0.0", "–"]
    assert points(0.0125) == "1.3"
    assert points_interval(Interval(3, 0.01, 0.01, -0.02, 0.04)) == "+1.0 (-2.0 to +4.0)"
    assert points_interval(Interval(1, 0.01, nan, nan, nan)) == "+1.0"


def test_amounts_have_their_interval_too() -> None:
    assert amount_interval(Interval(3, 1472.5, 5.0, 1460.0, 1485.0)) == "1,473 ± 13"
    assert amount_interval(Interval(2, 2.0, 2.0, 0.0, 20.0), 1) == "2.0 (0.0 to 20.0)"
    assert amount_interval(Interval(1, 7.0, nan, nan, nan)) == "7"
    assert amount_interval(Interval(0, nan, nan, nan, nan)) == "–"


def _row(found: Interval) -> pd.DataFrame:
    return pd.DataFrame({"mean": [found.mean]})


def test_every_percentage_is_rounded_by_the_one_rule() -> None:
    """Python and browsers round halves in ways of their own: `f"{share:.1%}"` says 0.2 % of 0.0025."""
    by_hand = re.compile(r":[.0-9]*%\}|100 \* [^{}]+:\.\d+f\} ?%")
    parts = [ROOT / "mimi_core", ROOT / "pages"]
    said = {path: by_hand.findall(path.read_text()) for part in parts for path in sorted(part.rglob("*.py"))}
    assert not {path: literals for path, literals in said.items() if literals}
