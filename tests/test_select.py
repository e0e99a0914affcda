"""Selection: equal to the authors' code, and exact where theirs is not."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimi_core.errors import BudgetError, ScoreError
from mimi_core.select import normalise, normaliser_of, select

ORACLE = json.loads((Path(__file__).parent / "golden" / "official_selection.json").read_text())
EXACT_ROUNDS = {"layerwise": 4, "layerwise_unnormalised": 4, "magnitude": 2}
"""The official local selection halves every site by itself, which from round 2 on is not the exact total."""


def official_weights(seed: int) -> dict[str, tuple[int, np.ndarray, np.ndarray]]:
    """Site -> M, down (N, M), up (M, N): drawn exactly as the oracle's makers did."""
    random = np.random.default_rng(seed)
    weights = {}
    for block, width in enumerate(ORACLE["dims"]):
        for adapter in (1, 2):
            hidden = width // ORACLE["reduction"]
            scale = random.uniform(0.5, 2.0)
            down = random.standard_normal((hidden, width)) * 0.02 * scale * random.uniform(0.3, 1.7, (hidden, 1))
            up = random.standard_normal((width, hidden)) * 0.02 * scale * random.uniform(0.3, 1.7, (1, hidden))
            weights[f"{block}.{adapter}"] = width, down.astype(np.float32), up.astype(np.float32)
    return weights


@pytest.mark.parametrize("record", ORACLE["records"], ids=lambda r: f"{r['kind']}-{r['seed']}")
def test_the_same_neurons_survive_as_in_the_authors_code(record: dict[str, Any]) -> None:
    weights = official_weights(record["seed"])
    raw = {site: np.abs(down).sum(1) + np.abs(up).sum(0) for site, (_, down, up) in weights.items()}
    how = "per_parameter" if record["kind"] == "layerwise" else "none"
    scores = normalise(raw, {site: width for site, (width, *_) in weights.items()}, how)
    initial = {site: len(values) for site, values in raw.items()}
    alive = {site: np.arange(width) for site, width in initial.items()}
    for cut in range(EXACT_ROUNDS[record["kind"]]):
        kept = select(
            {site: scores[site][alive[site]] for site in alive},
            initial,
            0.5 ** (cut + 1),
            "local" if record["kind"] == "magnitude" else "global",
        )
        alive = {site: alive[site][kept[site]] for site in alive}
        assert [alive[site].tolist() for site in alive] == record["rounds"][cut]


few_values = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=9)  # many ties
score_sets = st.lists(few_values, min_size=1, max_size=6).map(
    lambda sites: {f"site{i}": np.array(values) for i, values in enumerate(sites)}
)
scopes = st.sampled_from(["global", "local"])
keeps = st.fractions(0, 1, max_denominator=40)


def widths_of(scores: dict[str, np.ndarray]) -> dict[str, int]:
    return {site: len(values) for site, values in scores.items()}


@given(score_sets, keeps, scopes)
def test_counts_are_exact_whatever_the_ties(scores: dict[str, np.ndarray], keep: Fraction, scope: Any) -> None:
    survivors = select(scores, widths_of(scores), keep, scope)
    assert list(survivors) == list(scores)
    assert sum(map(len, survivors.values())) == int(keep * sum(widths_of(scores).values()))
    for site, kept in survivors.items():
        assert np.all(np.diff(kept) > 0), "sorted, and each neuron once"
        assert len(kept) == 0 or (kept[0] >= 0 and kept[-1] < len(scores[site]))


@given(score_sets, keeps)
def test_global_never_drops_a_better_neuron_and_ties_go_to_the_earlier(
    scores: dict[str, np.ndarray], keep: Fraction
) -> None:
    survivors = select(scores, widths_of(scores), keep, "global")
    order = [
        (-scores[site][j], i, j, j in survivors[site])
        for i, site in enumerate(scores)
        for j in range(len(scores[site]))
    ]
    kept_in_order = [kept for *_, kept in sorted(order)]
    assert kept_in_order == sorted(kept_in_order, reverse=True)


@given(score_sets, keeps)
def test_local_gives_every_site_its_share(scores: dict[str, np.ndarray], keep: Fraction) -> None:
    for site, kept in select(scores, widths_of(scores), keep, "local").items():
        share = keep * len(scores[site])
        assert int(share) <= len(kept) <= int(share) + 1
        dropped = np.setdiff1d(np.arange(len(scores[site])), kept)
        assert len(kept) == 0 or len(dropped) == 0 or scores[site][kept].min() >= scores[site][dropped].max()


@given(score_sets, st.lists(keeps, min_size=2, max_size=5), st.lists(scopes, min_size=5, max_size=5), st.randoms())
def test_cuts_compose_and_a_removed_neuron_never_comes_back(
    scores: dict[str, np.ndarray], falling: list[Fraction], scope_of: list[Any], random: Any
) -> None:
    initial = widths_of(scores)
    alive = {site: np.arange(width) for site, width in initial.items()}
    for keep, scope in zip(sorted(falling, reverse=True), scope_of, strict=False):
        fresh = {site: np.array([random.random() for _ in indices]) for site, indices in alive.items()}
        kept = select(fresh, initial, keep, scope)
        later = {site: alive[site][kept[site]] for site in alive}
        assert all(set(later[site]) <= set(alive[site]) for site in alive)
        assert sum(map(len, later.values())) == int(keep * sum(initial.values()))
        alive = later


@given(score_sets, scopes)
def test_keep_nothing_and_keep_all(scores: dict[str, np.ndarray], scope: Any) -> None:
    assert all(len(kept) == 0 for kept in select(scores, widths_of(scores), 0.0, scope).values())
    everything = select(scores, widths_of(scores), 1.0, scope)
    assert {site: len(kept) for site, kept in everything.items()} == widths_of(scores)


def test_largest_remainder_by_hand() -> None:
    """Shares 1.5, 2.1, 0.9 of a budget of 4: floors 1, 2, 0; the one left over goes to 0.9."""
    scores = {"a": np.arange(5.0), "b": np.arange(7.0), "c": np.arange(3.0)}
    kept = select(scores, widths_of(scores), 0.3, "local")
    assert {site: indices.tolist() for site, indices in kept.items()} == {"a": [4], "b": [5, 6], "c": [2]}


def test_a_site_without_adapter_may_be_absent_or_empty() -> None:
    scores = {"a": np.array([1.0, 2.0]), "b": np.array([])}
    assert select(scores, {"a": 2, "b": 2, "c": 2}, 0.2)["a"].tolist() == [1]


@pytest.mark.parametrize("scope", ["global", "local"])
def test_impossible_budgets_are_refused(scope: Any) -> None:
    with pytest.raises(BudgetError, match="only 1 are left"):
        select({"a": np.array([1.0])}, {"a": 4}, 0.5, scope)
    for keep in (-0.1, 1.1, float("nan")):
        with pytest.raises(BudgetError, match="outside"):
            select({"a": np.array([1.0])}, {"a": 1}, keep, scope)


def test_scores_that_cannot_be_ranked_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"lower train\.lr"):
        select({"a": np.array([1.0, np.nan])}, {"a": 2}, 0.5)
    with pytest.raises(ScoreError, match="shape"):
        select({"a": np.ones((2, 2))}, {"a": 2}, 0.5)
    with pytest.raises(ScoreError, match="no initial width"):
        select({"a": np.ones(2)}, {"b": 2}, 0.5)
    with pytest.raises(ScoreError, match="started with"):
        select({"a": np.ones(3)}, {"a": 2}, 0.5)


def test_normalisers() -> None:
    raw = {"a": np.array([4.0, 8.0]), "b": np.array([3.0])}
    widths = {"a": 4, "b": 2}
    assert normalise(raw, widths, "per_parameter")["a"].tolist() == [0.5, 1.0]
    assert normalise(raw, widths, "fan")["b"].tolist() == [1.0]
    assert normalise(raw, widths, "layer_max")["a"].tolist() == [0.5, 1.0]
    signed = {"a": np.array([-3.0, 1e-6]), "b": np.array([-2.0])}
    assert normalise(signed, widths, "layer_max")["a"].tolist() == pytest.approx([-1.0, 1e-6 / 3])
    assert normalise(signed, widths, "layer_max")["b"].tolist() == [-1.0]
    assert normalise(raw, widths, "none")["b"].tolist() == [3.0]
    assert normalise({"a": np.zeros(2), "b": np.array([])}, widths, "layer_max")["a"].tolist() == [0.0, 0.0]
    assert normaliser_of("random", "per_parameter") == "none"
    assert normaliser_of("mimi", "fan") == "fan"
