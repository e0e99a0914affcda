"""Budgets: exact widths and keep fractions, and the smallest number of cuts that gets there."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimi_core.budget import initial_width, plan, planned_away, sigma
from mimi_core.config import Branch, make_config
from mimi_core.config.cuts import keep_fractions as fractions_to
from mimi_core.config.cuts import last_share
from mimi_core.errors import ConfigError


def keep_fractions(sigma_0: float, sigma_target: float, rho: float) -> list[Fraction]:
    return fractions_to(last_share(sigma_0, sigma_target), rho)


def test_the_papers_schedule() -> None:
    assert keep_fractions(8, 64, 0.5) == [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]


def test_the_last_cut_lands_on_the_target() -> None:
    assert keep_fractions(8, 48, 0.5) == [Fraction(1, 2), Fraction(1, 4), Fraction(1, 6)]


def test_nothing_is_cut_when_the_target_is_the_start() -> None:
    assert keep_fractions(8, 8, 0.5) == []


def test_decimals_are_taken_as_written() -> None:
    """In floating point 1 - 0.9 is below one tenth, and a tenth of 100 neurons would be 9."""
    assert int(keep_fractions(1, 10, 0.9)[0] * 100) == 10
    assert int(keep_fractions(1, 100, 0.3)[1] * 100) == 49


@given(st.integers(1, 64), st.floats(1, 2000), st.floats(0.05, 0.95))
def test_schedules_fall_and_reach_the_target_as_soon_as_they_can(sigma_0: int, factor: float, rho: float) -> None:
    target = sigma_0 * factor
    keeps = keep_fractions(sigma_0, target, rho)
    assert all(0 < later < earlier <= 1 for earlier, later in zip([Fraction(1), *keeps], keeps, strict=False))
    if keeps:
        assert keeps[-1] == Fraction(str(sigma_0)) / Fraction(str(target))
        assert (1 - Fraction(str(rho))) ** (len(keeps) - 1) > keeps[-1]


@pytest.mark.parametrize(
    ("width", "start", "expected"), [(96, 8, 12), (100, 8, 12), (4, 8, 1), (96, 2.5, 38), (768, 1, 768)]
)
def test_initial_width_is_floored_and_at_least_one(width: int, start: float, expected: int) -> None:
    assert initial_width(width, start) == expected


def test_sigma() -> None:
    assert sigma([96, 96], [12, 12]) == 8
    assert sigma([96], [0]) == float("inf")


@pytest.mark.parametrize(
    ("sets", "keep", "epochs"),
    [
        ([], [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)], (100, 100, 100, 100)),
        (["prune.retrain_last=false"], [Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)], (100, 100, 100, 0)),
        (["prune.schedule=one_shot", "train.epochs=7"], [Fraction(1, 8)], (7, 7)),
        (["prune.schedule=one_shot", "prune.sigma_target=8"], [], (100,)),
        (["prune.schedule=anneal", "prune.sigma_target=8"], [], (100,)),
        (["method=adapter", "prune.schedule=anneal", "train.epochs=1"], [], (1,)),
    ],
)
def test_plans(sets: list[str], keep: list[Fraction], epochs: tuple[int, ...]) -> None:
    found = plan(make_config(sets=sets))
    assert (list(found.keep), found.epochs) == (keep, epochs)


def test_annealing_by_hand() -> None:
    """Ten epochs: two before any cut, three after the last, and cuts after epochs 2, 4 and 6 in between."""
    sets = ["prune.schedule=anneal", "train.epochs=10", "prune.every=2", "prune.sigma_target=64"]
    found = plan(make_config(sets=sets))
    assert found.epochs == (2, 2, 2, 4)
    assert found.keep == tuple(Fraction(1, 8) + Fraction(7, 8) * (1 - Fraction(k, 3)) ** 3 for k in (1, 2, 3))
    assert found.one_training


@given(st.integers(2, 300), st.integers(1, 40), st.floats(0, 0.99), st.floats(0, 0.99), st.floats(8.01, 1e5))
def test_annealing_spends_its_epochs_and_reaches_its_target(
    epochs: int, every: int, warm: float, settle: float, target: float
) -> None:
    if warm + settle >= 1:
        settle = 0.99 - warm if warm < 0.99 else 0.0
    values = {"schedule": "anneal", "every": every, "warm": warm, "settle": settle, "sigma_target": target}
    found = plan(make_config({"prune": values, "train": {"epochs": epochs}}))
    assert found.total_epochs == epochs
    assert min(found.epochs) >= 1
    assert len(found.epochs) == len(found.keep) + 1 >= 2
    assert found.keep[-1] == Fraction(8) / Fraction(str(target))
    assert all(later < earlier <= 1 for earlier, later in zip([Fraction(1), *found.keep], found.keep, strict=False))
    assert set(found.epochs[1:-1]) <= {every}


@pytest.mark.parametrize(
    ("sets", "cuts"),
    [
        (["adapter.sigma_0=1", "prune.sigma_target=1000000000", "prune.rho=0.0206"], 996),
        (["prune.schedule=anneal", "train.epochs=1999"], 1000),
        (["adapter.sigma_0=8", "prune.sigma_target=8.000000000000002", "prune.rho=1e-18"], 250),
    ],
)
def test_the_most_cuts_are_counted_exactly(sets: list[str], cuts: int) -> None:
    assert len(plan(make_config(sets=sets)).keep) == cuts


@pytest.mark.parametrize(
    "sets",
    [
        ["adapter.sigma_0=1", "prune.sigma_target=1000000000", "prune.rho=0.02"],
        ["prune.rho=1e-300"],
        ["prune.rho=5e-324"],
        ["prune.schedule=anneal", "train.epochs=2100"],
        ["prune.schedule=anneal", "train.epochs=1000000000000000"],
    ],
)
def test_more_cuts_are_refused_before_they_are_worked_out(sets: list[str]) -> None:
    with pytest.raises(ConfigError, match="cuts, more than 1,000: raise prune"):
        make_config(sets=sets)


# --- a target beyond the last neuron ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sets", "left", "cuts_asked"),
    [
        (["prune.sigma_target=1e6"], [48, 24, 12, 6, 3, 1], 17),
        (["prune.sigma_target=1e6", "prune.rho=0.9"], [9, 1], 6),
        (["prune.sigma_target=1e9", "prune.schedule=one_shot"], [1], 1),
        (["prune.sigma_target=1e9", "prune.schedule=anneal", "train.epochs=6"], [41, 12, 2, 1], 4),
        (["prune.sigma_target=768"], [48, 24, 12, 6, 3, 1], 7),
    ],
)
def test_no_cut_comes_behind_the_last_neuron(sets: list[str], left: list[int], cuts_asked: int) -> None:
    """96 neurons, whose adapters sit at tokens of 768 features in all."""
    config = make_config(sets=sets)
    planned = plan(config, 96)
    assert [int(share * 96) for share in planned.keep] == left
    assert len(config.kept_shares) == cuts_asked
    assert len(planned.epochs) == len(left) + 1
    told = planned_away(config, 96, [512, 256]) or ""
    assert f"cut {len(left)} leaves a single neuron of 96 (compression 768)" in told
    assert (f"{cuts_asked - len(left)} later cut" in told) == (len(left) < cuts_asked)
    assert ("is beyond that" in told) == ("prune.sigma_target=768" not in sets)


@given(st.floats(1, 64), st.floats(64, 1e9), st.floats(0.05, 0.95), st.integers(1, 5000))
def test_a_target_with_neurons_left_is_planned_as_ever(sigma_0: float, target: float, rho: float, n: int) -> None:
    config = make_config({"adapter": {"sigma_0": sigma_0}, "prune": {"sigma_target": target, "rho": rho}})
    planned, asked = plan(config, n), plan(config)
    assert all(share * n >= 1 for share in planned.keep)
    assert all(share * n >= 2 for share in planned.keep[:-1])
    assert planned.keep[:-1] == asked.keep[: max(0, len(planned.keep) - 1)]
    if not asked.keep or asked.keep[-1] * n >= 2:
        assert planned == asked
        assert planned_away(config, n, [8 * n]) is None


def test_a_branch_of_cuts_beyond_the_last_neuron_makes_no_more() -> None:
    """An earlier version made them."""
    branch = Branch(run="r", cycle=2, keep=("1/2", "1/2000"))
    config = make_config(sets=["prune.sigma_target=1e6"]).model_copy(update={"branch": branch})
    assert plan(config, 96).keep == (Fraction(1, 2), Fraction(1, 2000))
