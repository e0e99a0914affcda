"""Widths across seeds: which runs repeat one another, and what they agree on."""

import numpy as np
import pytest

from mimi_core.analysis.common.agreement import Agreement, agreement
from mimi_core.analysis.common.statistics import one_per_seed
from mimi_core.analysis.common.theme import colour_scale
from mimi_core.analysis.compare.agreement import seeds_of
from mimi_core.analysis.compare.tables import facts
from mimi_core.analysis.overview.groups import Member, repetitions, variants
from mimi_core.analysis.widths import seeds
from mimi_core.config import make_config
from mimi_core.runs.events import RunState
from mimi_core.runs.store import Store
from tests.analysis.test_analysis import state_of
from tests.pages.opening import MakeRun, Open, texts
from tests.recorded import vit_sites

SITES = vit_sites(2)


def run(last: list[int]) -> RunState:
    """A run of four layers of 4 neurons, with these widths at its end."""
    return state_of([[4, 4, 4, 4], last], SITES, {})


def members(store: Store) -> list[Member]:
    return [(run, store.config(run.id)) for run in store.list()]


def test_only_runs_that_differ_by_their_seeds_repeat_one_another(make_run: MakeRun, store: Store) -> None:
    def made(seed: int, outcome: str = "finished", **values: object) -> str:
        config = make_config({"prune": {"rho": 0.5}, "seed": seed, **values}, preset="demo")
        return make_run(config, seed=seed, outcome=outcome)

    this = made(0)
    alike = [made(1), made(2, name="another", group="g"), made(0, data={"seed": 1})]
    for _ in range(2):
        made(3, prune={"rho": 0.4})
        made(4, outcome="stopped")
        made(0)
    known = members(store)
    own = next(member for member in known if member[0].id == this)
    for others in (known, known[::-1]):
        assert repetitions(own, others)[0].id == this
        assert {run.id for run in repetitions(own, others)} == {this, *alike}
    again = made(1)
    for others in (members(store), members(store)[::-1]):
        kept = {run.id for run in repetitions(own, others)}
        assert kept == {this, again, *alike[1:]}, "of one seed the newest counts"


def test_survival_is_counted_layer_by_layer() -> None:
    runs = [run([2, 0, 1, 0]), run([3, 0, 0, 0]), run([1, 0, 2, 0])]
    table = seeds.survival_table(runs)
    last = table[table["cycle"] == 1]
    assert list(last["survived"]) == [3, 0, 2, 0]
    assert list(last["fewest"]) == [1, 0, 0, 0]
    assert list(last["most"]) == [3, 0, 2, 0]
    assert list(last["vanished"]) == [False, True, False, True]
    assert seeds.survival_in_words(table) == (
        "1 mlp and 2 mlp lost their adapters in all 3 runs; 1 attn kept its adapter in all of them; "
        "for 2 attn it depends on the seed."
    )
    figure = seeds.survival_figure(table, colour_scale("dark"))
    assert np.array(figure.data[0].z, float)[2, 1] == pytest.approx(2 / 3)
    assert "2 of 3 runs" in figure.data[-1].hovertext[list(table["site"]).index(SITES[2].name) + 4]


def test_words_for_runs_that_agree() -> None:
    assert (
        seeds.survival_in_words(seeds.survival_table([run([1, 1, 1, 1])] * 2))
        == "All 4 layers kept an adapter in all 2 runs."
    )
    assert "; the seed made no difference." in seeds.survival_in_words(seeds.survival_table([run([1, 0, 1, 1])] * 2))
    none = seeds.survival_in_words(seeds.survival_table([run([1, 1, 0, 0]), run([0, 0, 1, 1])]))
    assert none.startswith("No layer lost its adapter in all 2 runs; none kept it in all of them; for 1 attn, ")


def test_agreement_is_set_against_chance() -> None:
    found = agreement([{"a": 2, "b": 2, "c": 0, "d": 0}, {"a": 2, "b": 0, "c": 2, "d": 0}])
    assert found.layers == pytest.approx(1 / 3)
    assert found.by_chance == pytest.approx(1 / 3), "two of four by lot share one on average"
    assert found.widths == pytest.approx(2 / 6)
    same = agreement([{"a": 2, "b": 0, "c": 0, "d": 1}] * 3)
    assert (same.layers, same.widths) == (1, 1)
    assert agreement([dict.fromkeys("abcd", 0)] * 2) == Agreement(1, 1, 1)


def test_the_page_shows_the_repetitions_of_its_run(open_page: Open, make_run: MakeRun, store: Store) -> None:
    config = make_config(preset="demo", values={"group": "seeds"})
    this = make_run(config)
    assert "No finished run here differs from this one by its seeds alone" in texts(open_page("widths", run=this))
    make_run(config.model_copy(update={"seed": 1}), seed=1)
    make_run(config.model_copy(update={"seed": 2, "group": ""}), seed=2)
    app = open_page("widths", run=this)
    assert "in all 3 runs" in texts(app), "the list that a run stands in never matters"
    assert [metric.label for metric in app.metric] == ["Same layers", "Same widths"]
    assert len(app.get("plotly_chart")) == 2


def test_pages_and_reports_take_the_same_run_of_a_seed(make_run: MakeRun, store: Store) -> None:
    """Of a seed that was run twice: the newest, whatever order a page has its runs in."""
    config = make_config(preset="demo", values={"group": "g"})
    made = [make_run(config.model_copy(update={"seed": seed}), seed=seed) for seed in (0, 1, 1)]
    newest_first = members(store)
    (variant,) = variants(newest_first)
    told = {run.id for run in one_per_seed(variant.finished, lambda run: variant.seeds[run.id])}
    assert told == {run.id for run in repetitions(newest_first[-1], newest_first)} == {made[0], made[2]}
    known = [facts(run, own, store.state(run.id), None) for run, own in newest_first]
    compared = one_per_seed([one for one in known if one], seeds_of)
    assert {run.id for run in compared} == told
