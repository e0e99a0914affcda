"""Runs compared: what differs is found, tables hold what the runs did, and sentences claim no more than they may."""

import json
from collections.abc import Sequence
from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mimi_core.analysis.common.theme import colour_scale
from mimi_core.analysis.common.words import p_said
from mimi_core.analysis.compare import agreement
from mimi_core.analysis.compare import figures as comparison_figures
from mimi_core.analysis.compare import words as comparison_words
from mimi_core.analysis.compare.contrasts import MEASURES, curves_by_level_table, levels_table, measures, pairs_table
from mimi_core.analysis.compare.design import EVERY, by_level, design, task_of
from mimi_core.analysis.compare.tables import Facts, Point, facts, for_spreadsheets, points_table, runs_table, with_area
from mimi_core.analysis.why.cut_scores import read_cut
from mimi_core.config import make_config
from mimi_core.config.identity import UNUSED, used_values
from mimi_core.runs.store import Store
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE, MakeRun
from tests.recorded_cuts import run_with_scores

ACCURACY = MEASURES["accuracy"]


def run(seed: int, accuracy: float = 0.8, *, cuts: int = 2, name: str = "", **settings: Any) -> Facts:
    """A finished run of the demo with these settings, which halves its 1,000 adapter parameters with every cut."""
    sets = [f"{path.replace('__', '.')}={json.dumps(value)}" for path, value in settings.items()]
    config = make_config({"name": name}, "demo", [*sets, f"seed={seed}"])
    points = tuple(
        Point(k, 100 + 1000 // 2**k, 64 // 2**k, accuracy, nan if k == 0 else 0.7, 12 * (k + 1))
        for k in range(cuts + 1)
    )
    return Facts(
        id=f"{seed}-{'-'.join(sets)}-{name}",
        created=float(seed),
        seed=seed,
        data_seed=0,
        values=used_values(config),
        points=points,
        val=accuracy,
        head=100,
        sigma=8.0,
        seconds=10.0 + seed,
        memory=nan,
        shares=tuple({"a": 0.5**k, "b": 0.25**k, "c": 0.0 if k == cuts else 0.1} for k in range(cuts + 1)),
    )


def three_settings() -> list[Facts]:
    """Global is 4, 5, 4, 3 points above local, and random all over the place."""
    accuracies = {
        "global": (0.84, 0.86, 0.85, 0.85),
        "local": (0.80, 0.81, 0.81, 0.82),
        "random": (0.80, 0.88, 0.78, 0.83),
    }
    return [
        *(run(seed, value) for seed, value in enumerate(accuracies["global"])),
        *(run(seed, value, prune__scope="local") for seed, value in enumerate(accuracies["local"])),
        *(run(seed, value, prune__score="random") for seed, value in enumerate(accuracies["random"])),
    ]


def tables(runs: Sequence[Facts], compared: str = EVERY) -> tuple[pd.DataFrame, pd.DataFrame]:
    how = design([one.values for one in runs])
    levels = by_level(runs_table(runs, how), how, compared)
    return levels_table(levels, ACCURACY, "t"), pairs_table(levels, ACCURACY, None, "t")


# --- what differs -----------------------------------------------------------------------------------------------------


def test_what_differs_is_found_and_named() -> None:
    how = design([one.values for one in three_settings()])
    assert how.fields == ("prune.score", "prune.scope")
    assert how.along == ()
    assert list(how.labels.values()) == ["MiMi score · global", "MiMi score · local", "random score · global"]
    assert how.constant["data.name"] == "digits"
    assert "branch" not in how.constant
    assert "seed" not in how.constant
    assert "digits" in comparison_words.told_apart(how)


def test_titles_name_settings_where_each_has_its_own() -> None:
    named = [run(seed, name=name, prune__scope=name) for seed in (0, 1) for name in ("local", "global")]
    assert list(design([one.values for one in named]).labels.values()) == ["global", "local"]
    mixed = [*named, run(2, name="local", prune__scope="global")]
    assert list(design([one.values for one in mixed]).labels.values()) == ["global", "local"]
    assert design([one.values for one in mixed]).labels[("global",)] == "global"


def test_what_plays_no_part_does_not_differ_and_what_goes_along_is_told() -> None:
    runs = [
        run(0, method="mimi"),
        run(0, method="full", cuts=0, train__lr=0.001),
        run(0, method="linear", cuts=0, prune__rho=0.3, adapter__sigma_0=4),
    ]
    how = design([one.values for one in runs])
    assert (how.fields, how.along) == (("method",), ("train.lr",))
    assert runs[2].values["prune.rho"] == runs[2].values["adapter.sigma_0"] == UNUSED
    assert "train.lr differs, and never alone" in comparison_words.told_apart(how)
    assert list(how.labels.values()) == ["MiMi", "linear probe", "full fine-tuning"]


def test_what_plays_a_part_differs() -> None:
    places = [run(0, method="lora", cuts=0, adapter__positions=positions) for positions in ("attn", "mlp")]
    assert design([one.values for one in places]).fields == ("adapter.positions",)
    uncut = [run(0, cuts=0, adapter__sigma_0=2, prune__sigma_target=2), run(0, prune__sigma_target=32)]
    assert design([one.values for one in uncut]).fields == ("prune.sigma_target",)
    ranks = [run(0, method="adalora", cuts=1, prune__rho=rho) for rho in (0.25, 0.5)]
    assert design([one.values for one in ranks]).fields == (), "its ranks are told as a cut, but rho has no part in it"
    beside = [run(0, method="adaptformer", cuts=0, adapter__placement=place) for place in ("series", "parallel")]
    assert design([one.values for one in beside]).fields == (), "it has a place of its own"


def test_a_method_always_names_its_settings() -> None:
    runs = [run(0, prune__rho=0.25), run(0, prune__rho=0.5), run(0, method="linear", cuts=0)]
    how = design([one.values for one in runs])
    assert list(how.labels.values()) == ["MiMi · ρ 0.25", "MiMi · ρ 0.5", "linear probe"]


def test_a_seed_that_was_run_twice_counts_once() -> None:
    once = [run(0, 0.90), run(1, 0.93), *(run(seed, 0.8 + seed / 100, prune__scope="local") for seed in (0, 1))]
    twice = [*once, replace(once[0], id="again"), replace(once[1], id="and again")]
    for table, expected in zip(tables(twice), tables(once), strict=True):
        pd.testing.assert_frame_equal(table, expected)
    alike = agreement.seeds_table({"global": [twice[0], twice[4]]})
    assert alike.empty, "a run is no seed beside itself"


def test_p_is_never_rounded_onto_the_limit() -> None:
    said = [p_said(p) for p in (0.0002, 0.04976, 0.0503, 0.0612, 0.3)]
    assert said == ["p < 0.001", "p = 0.0498", "p = 0.0503", "p = 0.061", "p = 0.300"]


def test_numbers_are_in_their_order_and_long_names_stay_apart() -> None:
    rhos = [run(0, prune__rho=rho) for rho in (0.75, 0.5, 0.25)]
    assert list(design([one.values for one in rhos]).labels.values()) == ["ρ 0.25", "ρ 0.5", "ρ 0.75"]
    paths = [run(0, data__name=f"folder:/{'x' * 60}/{middle}/{'y' * 60}") for middle in "ab"]
    labels = list(design([one.values for one in paths]).labels.values())
    assert len(set(labels)) == 2
    assert max(map(len, labels)) < 60


def test_a_task_is_data_and_backbone_whatever_the_seed() -> None:
    config = make_config(preset="quick")
    assert task_of(config) == "digits, 10 images per class, at most 200 evaluated · demo"
    assert task_of(make_config(preset="quick", sets=["data.seed=3", "prune.rho=0.3"])) == task_of(config)
    assert task_of(make_config(preset="quick", sets=["backbone.image_size=64"])).endswith(" · demo, 64 pixels")


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_finished_run_is_read_and_no_other(make_run: MakeRun, store: Store) -> None:
    def read(run_id: str) -> Facts | None:
        return facts(store.summary(run_id), store.config(run_id), store.state(run_id), store.status(run_id))

    found = read(make_run())
    assert found is not None
    state = store.state(found.id)
    assert found.accuracy == state.accuracy(4)
    assert [point.parameters for point in found.points][1:] == [cut.trained_parameters for cut in state.cuts]
    assert found.epochs == 5 * 12
    assert found.gone == len(state.removed_at)
    assert read(make_run(cuts=2, outcome="stopped")) is None
    assert read(make_run(cuts=2, outcome=None)) is None


def test_a_last_cut_without_training_counts_as_it_is() -> None:
    whole = run(0, 0.8)
    last = replace(whole.points[-1], accuracy=nan, cut=0.6)
    cut = replace(whole, points=(*whole.points[:-1], last))
    assert cut.accuracy == 0.6
    how = design([cut.values])
    assert list(points_table([cut], how)["accuracy"]) == [0.8, 0.8, 0.6]
    assert runs_table([cut], how).loc[0, "without_head"] == 250


def test_the_area_is_over_what_all_curves_share() -> None:
    runs = [run(0, 0.8), run(1, 0.9, cuts=1), run(0, 0.5, method="linear", cuts=0)]
    how = design([one.values for one in runs])
    table = with_area(runs_table(runs, how), points_table(runs, how), "parameters")
    assert list(table["area"][:2]) == pytest.approx([0.8, 0.9])
    assert isnan(table["area"][2])  # a point is no curve
    assert "area" in [measure.column for measure in measures(table)]
    assert "seconds" in [measure.column for measure in measures(table)]
    assert "area" not in [measure.column for measure in measures(table[2:])]


def test_csv_holds_no_formulas() -> None:
    content = for_spreadsheets(pd.DataFrame({"name": ["=HYPERLINK(1)", "-1+1", "plain"], "n": [-1.5, 2, 3]})).decode()
    assert content.splitlines()[1:] == ["'=HYPERLINK(1),-1.5", "'-1+1,2.0", "plain,3.0"]


# --- comparisons ------------------------------------------------------------------------------------------------------


def test_settings_are_compared_seed_by_seed() -> None:
    means, pairs = tables(three_settings())
    assert list(means["level"]) == ["MiMi score · global", "MiMi score · local", "random score · global"]
    assert list(means["n"]) == [4, 4, 4]
    assert means["mean"][0] == pytest.approx(0.85)
    first = pairs.iloc[0]
    assert (first["first"], first["second"], first["pairs"]) == ("MiMi score · global", "MiMi score · local", 4)
    assert first["difference"] == pytest.approx(0.04)  # of 4, 5, 4, 3 points
    assert first["effect"] == pytest.approx(4 / np.sqrt(2 / 3))
    assert first["corrected"] == pytest.approx(3 * first["p"])
    assert list(pairs["claimed"]) == [True, False, False]
    assert (pairs["difference"] >= 0).all()  # the higher one comes first


def test_seeds_without_a_partner_are_left_out() -> None:
    runs = [*three_settings()[:8], run(9, 0.1, prune__scope="local")]
    means, pairs = tables(runs)
    assert list(means["n"]) == [4, 5]
    assert pairs.loc[0, "pairs"] == 4
    seeds = {"a": ["0/0", "1/0"], "b": ["0/0", "0/0"]}
    said = comparison_words.uneven(means, seeds)
    assert "same seeds" in said
    assert "count as one" in said


def test_one_field_is_compared_within_the_others_and_a_seed_counts_once() -> None:
    runs = [
        run(
            seed,
            0.8 + 0.01 * seed + gain * (scope == "global") + 0.05 * (rho == 0.3),
            prune__scope=scope,
            prune__rho=rho,
        )
        for seed, gain in enumerate((0.02, 0.03, 0.04))
        for scope in ("global", "local")
        for rho in (0.3, 0.5)
    ]
    means, pairs = tables(runs, "prune.scope")
    assert list(means["block"]) == ["ρ 0.3", "ρ 0.3", "ρ 0.5", "ρ 0.5"]
    assert len(pairs) == 1
    assert pairs.loc[0, "pairs"] == 3  # seeds, not runs
    assert pairs.loc[0, "difference"] == pytest.approx(0.03)
    how = design([one.values for one in runs])
    table = by_level(runs_table(runs, how), how, EVERY)
    assert len(pairs_table(table, ACCURACY, "ρ 0.3 · local", "t")) == 3  # all others with the reference


# --- in words ---------------------------------------------------------------------------------------------------------


def test_a_difference_is_claimed_only_when_it_survives_the_correction() -> None:
    means, pairs = tables(three_settings())
    assert (
        comparison_words.headline(means, pairs, ACCURACY)
        == "MiMi score · global is more accurate than MiMi score · local"
    )
    said = comparison_words.finding(means, pairs, ACCURACY)
    assert "is 4.0 points above MiMi score · local (95 % t interval 2.0 to 6.0, 4 paired seeds, p = 0.007, both" in said
    assert said.endswith("No other difference of 3 is shown.")
    means, pairs = tables([one for one in three_settings() if "local" not in one.id])
    assert comparison_words.headline(means, pairs, ACCURACY).startswith(
        "Undecided: no clear difference in test accuracy between"
    )
    assert comparison_words.finding(means, pairs, ACCURACY).endswith("would show in four of five such comparisons.")


def test_too_little_is_said_to_be_too_little() -> None:
    one, alone = tables([run(0), run(1)]), tables([run(0, 0.9), run(0, 0.8, prune__scope="local")])
    assert comparison_words.headline(*one, ACCURACY) == "One setting, nothing to compare it with"
    assert "too few seeds" in comparison_words.headline(*alone, ACCURACY)
    assert "10.0 points above local for the one seed" in comparison_words.finding(*alone, ACCURACY)
    apart = tables([run(0, 0.9), run(1, 0.8, prune__scope="local")])
    assert "no seed in common" in comparison_words.finding(*apart, ACCURACY)
    steady = tables([run(s, 0.9 - 0.1 * (c == "local"), prune__scope=c) for s in (0, 1) for c in ("global", "local")])
    assert "without any spread no test can be made" in comparison_words.finding(*steady, ACCURACY)
    same = tables([run(s, 0.8, prune__scope=c) for s in (0, 1) for c in ("global", "local")])
    assert "on average the same as" in comparison_words.finding(*same, ACCURACY)


def test_what_has_not_finished_is_said() -> None:
    phases = ["finished", "training", "queued", "failed", "died"]
    assert comparison_words.left_out(phases) == (
        "Not in the comparison: 2 runs have not finished yet, 1 run failed and 1 run died."
    )
    assert comparison_words.left_out(["finished"]) == ""


# --- agreement --------------------------------------------------------------------------------------------------------


def test_scores_that_rank_alike_agree(store: Store) -> None:
    run_id = run_with_scores(store)
    cut = read_cut(store.folder(run_id), store.state(run_id), 1)
    doubled = replace(cut, raw={"mimi": cut.raw["mimi"], "l2": {s: 2 * v for s, v in cut.raw["mimi"].items()}})
    assert agreement.score_correlations(doubled, "mimi") == {"l2": pytest.approx(1.0)}
    assert agreement.score_correlations(doubled, "taylor") == {}
    table = agreement.score_agreement_table([(1, {"l2": 0.2}), (1, {"l2": 0.6}), (2, {"l2": nan})])
    assert list(table.columns) == agreement.COLUMNS
    assert table.loc[0, ["tau", "low", "high", "n"]].tolist() == pytest.approx([0.4, 0.2, 0.6, 2])
    assert table.loc[1, "n"] == 0


def test_seeds_that_keep_the_same_layers_agree() -> None:
    other = replace(run(1), shares=({"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 0.1, "b": 0.2, "c": 0.3}))
    table = agreement.seeds_table({"x": [run(0, cuts=1), other], "alone": [run(0)]})
    assert list(table["label"]) == ["x"]
    assert table.loc[0, "tau"] == pytest.approx(-1.0)  # 0.5, 0.25, 0 against 0.1, 0.2, 0.3
    losses = agreement.losses_table({"x": [run(0, cuts=1), other], "none": []})
    assert losses.to_dict("records") == [{"setting": "x", "runs": 2, "always": 0, "sometimes": 1, "never": 2}]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_are_what_the_schema_allows_and_names_are_data() -> None:
    runs = [
        run(seed, 0.8, name=name, prune__scope=scope)
        for seed in (0, 1)
        for name, scope in ((HOSTILE[:80], "local"), ("b", "global"))
    ]
    how = design([one.values for one in runs])
    levels, points = (by_level(table, how, EVERY) for table in (runs_table(runs, how), points_table(runs, how)))
    means, curves = levels_table(levels, ACCURACY, "t"), curves_by_level_table(points, "without_head", "t")
    assert list(curves["cycle"]) == [0, 1, 2, 0, 1, 2]
    assert list(curves["parameters"][:3]) == [1000, 500, 250]
    specs = [
        comparison_figures.curves_figure(curves, points.table, order=levels.order, parameters="without_head"),
        comparison_figures.measure_figure(means, levels.table, order=levels.order, measure=ACCURACY, chosen=["b"]),
        comparison_figures.agreement_figure(
            agreement.seeds_table({levels.order[0]: runs[:2]}), levels.order, colour_scale("dark"), row="setting"
        ),
    ]
    for spec in specs:
        hold_to_schema(spec)
    assert not any("onerror" in str(code) for spec in specs for code in _code(spec))
    assert "head left out" in str(specs[0])
    assert specs[0]["layer"][0]["params"][0]["bind"] == "legend"  # on another layer clicks would find nothing


def _code(node: Any) -> list[object]:
    """All that a browser would run of a specification."""
    if isinstance(node, list):
        return [found for item in node for found in _code(item)]
    if not isinstance(node, dict):
        return []
    own = [value for key, value in node.items() if key in ("expr", "calculate", "test", "filter")]
    return own + [found for item in node.values() for found in _code(item)]


def test_one_difference_that_can_be_tested_is_not_the_largest_of_one() -> None:
    """Settings whose seeds do not overlap cannot be paired, so of three pairs a single one may be left."""
    runs = [run(seed, 0.8 + 0.001 * seed) for seed in (0, 1, 2)]
    runs += [run(seed, 0.8 + 0.002 * (2 - seed), prune__scope="local") for seed in (0, 1, 2)]
    runs += [run(seed, 0.7, prune__score="random") for seed in (8, 9)]
    means, pairs = tables(runs)
    assert int(pairs["p"].notna().sum()) == 1
    told = comparison_words.finding(means, pairs, ACCURACY)
    assert "The only one that can be tested: MiMi score" in told
    assert "largest of" not in told


def test_how_many_tests_are_corrected_for_is_said_and_verdicts_have_one_vocabulary() -> None:
    _, pairs = tables(three_settings())
    assert set(pairs["tests"]) == {3}
    assert "corrected for the 3 comparisons of this table" in comparison_words.corrected_for(pairs)
    assert comparison_words.corrected_for(pairs.head(0)) == ""
    assert [ACCURACY.called(one) for one in ("higher", "lower", "undecided")] == ["better", "worse", "undecided"]
    assert MEASURES["seconds"].called("higher") == "higher"
