"""Why: the stored scores of a cut explain it exactly, other settings answer at once, and a broken file hurts nobody."""

import io
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.tables import cycles_table
from mimi_core.analysis.why import figures as why_figures
from mimi_core.analysis.why import tables as why
from mimi_core.analysis.why import words as why_words
from mimi_core.analysis.why.cut_scores import Cut, read_cut
from mimi_core.config import Scope
from mimi_core.errors import RunError
from mimi_core.runs.events import SiteInfo
from mimi_core.runs.formats.scores import path_of as scores_path
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import ROOT
from tests.recorded import swin_sites, vit_sites
from tests.recorded_cuts import run_with_scores

EXAMPLES = sorted(path.parent for path in (ROOT / "mimi_core" / "resources" / "examples").glob("*/events.jsonl"))


def cut_of(store: Store, run_id: str, cycle: int) -> Cut:
    return read_cut(store.folder(run_id), store.state(run_id), cycle)


# --- the real cut -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["mimi", "taylor", "random"])
@pytest.mark.parametrize("scope", get_args(Scope))
@pytest.mark.parametrize("rho", [0.5, 0.3])
def test_the_settings_of_the_run_give_the_cut_of_the_run(store: Store, score: str, scope: str, rho: float) -> None:
    run_id = run_with_scores(store, score=score, scope=scope, rho=rho)
    for cycle in range(1, len(store.state(run_id).cuts) + 1):
        cut = cut_of(store, run_id, cycle)
        again, real = why.what_if(cut, cut.real), why.as_it_was(cut)
        assert why.same_survivors(again, real)
        assert why.overlap(again, real) == 1
        assert again.threshold == real.threshold


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_the_bundled_examples_are_explained_exactly(folder: Path) -> None:
    state = Store(folder.parent).state(folder.name)
    for event in state.scored:
        cut = read_cut(folder, state, event.cycle)
        again = why.what_if(cut, cut.real)
        assert why.same_survivors(again, why.as_it_was(cut))
        assert again.threshold == event.threshold


def test_every_share_on_offer_can_be_cut_and_the_real_one_is_exact(store: Store) -> None:
    run_id = run_with_scores(store, rho=0.3)
    last = len(store.state(run_id).cuts)
    cut = cut_of(store, run_id, last)
    shares = why.rhos(cut)
    assert why.rho_of(cut, cut.real.keep) in shares.values()
    assert cut.real.keep == Fraction(2, 32)
    for rho in shares.values():
        for scope in get_args(Scope):
            outcome = why.what_if(cut, replace(cut.real, keep=cut.keep_before * (1 - rho), scope=scope))
            assert outcome.kept == int(cut.keep_before * (1 - rho) * sum(cut.initial_widths.values()))


def test_a_run_whose_config_does_not_tell_its_budget_still_cuts_as_many(store: Store) -> None:
    run_id = run_with_scores(store)
    state = store.state(run_id)
    assert state.started
    for config in ({}, {"adapter": {"sigma_0": 2}, "prune": {"sigma_target": 32, "rho": 1e-12}}, {"adapter": 3}):
        state.started = state.started.model_copy(update={"config": config})
        cut = read_cut(store.folder(run_id), state, 2)
        assert why.same_survivors(why.what_if(cut, cut.real), why.as_it_was(cut))


# --- what if ----------------------------------------------------------------------------------------------------------


def test_every_setting_answers_and_the_tables_agree(store: Store) -> None:
    run_id = run_with_scores(store)
    cut, named = cut_of(store, run_id, 2), layers(store.state(run_id).sites)
    real = why.as_it_was(cut)
    for score in SCORES:
        for how in NORMALISERS:
            for scope in get_args(Scope):
                outcome = why.what_if(cut, replace(cut.real, score=score, how=how, scope=scope))
                neurons, table = why.neurons_table(named, outcome, real), why.layers_table(named, outcome, real)
                assert neurons["kept"].sum() == table["kept"].sum() == outcome.kept == real.kept
                assert neurons["was_kept"].sum() == table["real"].sum() == real.kept
                assert (neurons.loc[neurons["kept"], "margin"] >= 0).all()
                assert 0 <= why.overlap(outcome, real) <= 1


def test_overlap_is_the_jaccard_index() -> None:
    scores = {"a": np.arange(4.0), "b": np.arange(2.0)}
    sides = [{"a": np.array([0, 1]), "b": np.array([1])}, {"a": np.array([1, 2]), "b": np.array([], int)}]
    one, other = (why.Outcome(None, scores, survivors) for survivors in sides)
    assert why.overlap(one, other) == pytest.approx(1 / 4)
    nothing = why.Outcome(None, scores, {site: np.array([], int) for site in scores})
    assert why.overlap(nothing, nothing) == 1


def test_the_nearest_neurons_stand_around_the_threshold(store: Store) -> None:
    run_id = run_with_scores(store)
    cut, named = cut_of(store, run_id, 1), layers(store.state(run_id).sites)
    real = why.as_it_was(cut)
    near = why.nearest_table(why.neurons_table(named, real, real), "global", each=5)
    assert list(near["kept"]) == [True] * 5 + [False] * 5
    assert near["score"].is_monotonic_decreasing
    assert near["score"][4] == real.threshold
    own = why.what_if(cut, replace(cut.real, scope="local"))
    near = why.nearest_table(why.neurons_table(named, own, real), "local", each=5)
    assert (near["margin"] != 0).all()


def test_a_what_if_of_36_000_neurons_is_drawn_with_few_marks(store: Store) -> None:
    sites = [SiteInfo(name=f"blocks.{i}.attn", block=i, position="attn", width=3000) for i in range(24)]
    run_id = run_with_scores(store, sites=sites, cuts=1)
    cut, named = cut_of(store, run_id, 1), layers(sites)
    real = why.as_it_was(cut)
    assert cut.neurons_before == 36_000
    outcome = why.what_if(cut, replace(cut.real, score="activation", keep=Fraction(1, 3)))
    assert why_words.layers_moved(why.layers_table(named, outcome, real))
    drawn = why.thinned_neurons(why.neurons_table(named, outcome, real))
    assert len(drawn) <= 4500
    assert drawn["site"].nunique() == 24


# --- words and figures ------------------------------------------------------------------------------------------------


def told(store: Store, cycle: int, **options: object) -> str:
    run_id = run_with_scores(store, **options)
    real = why.as_it_was(cut_of(store, run_id, cycle))
    table = why.layers_table(layers(store.state(run_id).sites), real, real)
    return f"{why_words.title(table, cycle)}. {why_words.because(table, real)}"


def test_the_reason_is_told_in_words(store: Store) -> None:
    assert "The cut kept the best 736 of the 1,472 neurons" in told(store, 1)
    assert "None of their neurons reached it" in told(store, 4)
    assert "Layers did not compete" in told(store, 1, scope="local")
    assert "drawn by lot" in told(store, 1, score="random")


def test_the_words_follow_one_layer(store: Store) -> None:
    run_id = run_with_scores(store)
    cut, named = cut_of(store, run_id, 4), layers(store.state(run_id).sites)
    real = why.as_it_was(cut)
    table = why.layers_table(named, real, real)
    lost, kept = table[table["kept"] == 0].iloc[0], table[table["kept"].between(1, table["before"] - 1)].iloc[0]
    assert "short of the threshold." in why_words.of_layer(table, lost["site"], real)
    assert why_words.of_layer(table, kept["site"], real).endswith(f"keeps {kept['kept']}.")
    mild = why.what_if(cut, replace(cut.real, keep=cut.keep_before * Fraction(19, 20)))
    now = why.layers_table(named, mild, real)
    assert why_words.of_layer(now, lost["site"], mild).endswith("in the run it kept none.")
    assert "would keep" in why_words.layers_moved(now)


def test_layers_are_chosen_by_site_stage_or_position() -> None:
    named = layers(swin_sites())
    assert why.matching(named, []) == named
    assert [layer.label for layer in why.matching(named, ["layers.0.blocks.1.attn", "nothing"])] == ["1.2 attn"]
    assert {layer.group for layer in why.matching(named, ["stage 3"])} == {"stage 3"}
    assert len(why.matching(named, ["mlp"])) == len(named) / 2


@pytest.mark.parametrize("scope", get_args(Scope))
@pytest.mark.parametrize("sites", [swin_sites(), swin_sites(4), vit_sites(2)], ids=["24", "96", "plain"])
def test_the_figures_draw_every_shape(store: Store, sites: list[SiteInfo], scope: Scope) -> None:
    run_id = run_with_scores(store, sites=sites, cuts=2)
    cut, named = cut_of(store, run_id, 2), layers(sites)
    real = why.as_it_was(cut)
    outcome = why.what_if(cut, replace(cut.real, scope=scope))
    table = why.layers_table(named, outcome, real)
    height = why_figures.rows_height(table)
    assert height >= 11 * len(table)
    neurons = why.thinned_neurons(why.neurons_table(named, outcome, real))
    figure = why_figures.scores_figure(neurons, table, threshold=outcome.threshold, unit="score", height=height)
    data = figure["datasets"]
    assert (len(data["common"]), len(data["own"]) > 0) == ((1, False) if scope == "global" else (0, True))
    assert set(data["neurons"]["label"]) <= set(figure["layer"][3]["encoding"]["y"]["scale"]["domain"])
    widths = why_figures.widths_what_if_figure(table, height=height)
    assert len(widths["datasets"]["points"]) == len(table) * (3 if scope == "local" else 2)


@pytest.mark.parametrize("scope", get_args(Scope))
def test_the_figures_are_vega_lite(store: Store, scope: Scope) -> None:
    run_id = run_with_scores(store, cuts=2)
    cut, state = cut_of(store, run_id, 2), store.state(run_id)
    named, real = layers(state.sites), why.as_it_was(cut)
    outcome = why.what_if(cut, replace(cut.real, scope=scope))
    table, neurons = why.layers_table(named, outcome, real), why.neurons_table(named, outcome, real)
    for figure in (
        why_figures.scores_figure(neurons, table, threshold=outcome.threshold, unit="score", height=400),
        why_figures.widths_what_if_figure(table, height=400),
        why_figures.damage_figure(cycles_table(state), 2),
    ):
        hold_to_schema(figure)


# --- files that cannot be trusted -------------------------------------------------------------------------------------


def test_what_is_wrong_with_the_file_is_one_error(store: Store) -> None:
    run_id = run_with_scores(store, cuts=1)
    path = scores_path(store.folder(run_id), 1)
    with np.load(path) as whole:
        arrays = dict(whole)
    site = next(key for key in arrays if key.startswith("mimi/"))
    kept = next(key for key, values in arrays.items() if key.startswith("survivors/") and len(values))

    def pickled() -> bytes:
        made = io.BytesIO()
        np.save(made, np.array([{}] * len(arrays[site]), dtype=object), allow_pickle=True)
        return made.getvalue()

    def bomb() -> bytes:
        return b"\x93NUMPY" + bytes(50_000_000)

    def huge_header() -> bytes:
        made = io.BytesIO()
        np.lib.format.write_array_header_1_0(made, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
        return made.getvalue()

    changes: list[dict[str, np.ndarray | bytes]] = [
        {site: arrays[site][:-1]},
        {site: arrays[site][None]},
        {site: np.full_like(arrays[site], np.nan)},
        {site: arrays[site].astype(str)},
        {site: pickled()},
        {site: bomb()},
        {site: huge_header()},
        {site: b""},
        {kept: arrays[kept] + 10_000},
        {kept: arrays[kept] - 10_000},
        {kept: np.full_like(arrays[kept], 1.5, dtype=float)},
    ]
    for change in changes:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, values in (arrays | change).items():
                made = io.BytesIO()
                if isinstance(values, np.ndarray):
                    np.save(made, values)
                archive.writestr(f"{name}.npy", values if isinstance(values, bytes) else made.getvalue())
        with pytest.raises(RunError, match=r"cut 1"):
            cut_of(store, run_id, 1)
    for content in (b"", b"PK", b"not a zip", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(RunError, match="cannot be read"):
            cut_of(store, run_id, 1)
    path.unlink()
    with pytest.raises(RunError, match="is missing"):
        cut_of(store, run_id, 1)
