"""The normalisers: declared once, and everything that offers or applies them asks the catalogue."""

from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import RunConfig, make_config
from mimi_core.config.settings import settings
from mimi_core.errors import ConfigError
from mimi_core.scores.normalisers import NORMALISERS
from mimi_core.select import normalise
from mimi_core.sweeps.questions import QUESTIONS

RAW = np.array([-6.0, 3.0, 1.5])
DIVISORS = {"per_parameter": 2 * 8, "fan": 8 + 3, "layer_max": 6, "none": 1}


def test_what_scores_are_divided_by() -> None:
    assert {name: entry.divisor(8, RAW) for name, entry in NORMALISERS.items()} == DIVISORS
    for name, divisor in DIVISORS.items():
        assert normalise({"a": RAW}, {"a": 8}, name)["a"].tolist() == (RAW / divisor).tolist()


def test_a_site_without_any_score_is_divided_by_one() -> None:
    for raw in (np.zeros(2), np.zeros(0)):
        assert NORMALISERS["layer_max"].divisor(8, raw) == 1


def test_another_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown normaliser 'per_paramter': did you mean 'per_parameter'"):
        normalise({"a": RAW}, {"a": 8}, "per_paramter")
    with pytest.raises(ConfigError, match="did you mean 'layer_max'"):
        make_config(sets=["prune.normalise=layermax"])


def test_all_who_offer_them_list_the_same() -> None:
    assert settings()["prune.normalise"].choices == tuple(NORMALISERS) == tuple(DIVISORS)
    assert QUESTIONS["normalisers"]["grid"] == {"prune.normalise": list(NORMALISERS)}
    assert RunConfig().prune.normalise == next(iter(NORMALISERS))


def test_docs_explain_each() -> None:
    text = (Path(__file__).parents[2] / "docs" / "method.md").read_text(encoding="utf-8")
    assert [name for name in NORMALISERS if f"(`{name}`)" not in text] == []
