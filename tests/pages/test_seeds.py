"""Widths across seeds: which runs repeat one another, and what they agree on."""

import numpy as np
import pytest

from mimi_core.analysis.common.agreement import Agreement, agreement
from mimi_core.analysis.common.theme import colour_scale
from mimi_core.analysis.widths import seeds
from mimi_core.config import make_config
from mimi_core.runs.events import RunState
from mimi_core.runs.store import Store
from tests.analysis.test_analysis import state_of
from tests.pages.opening import MakeRun, Open, texts
from tests.recorded import vit_sites

SITES = vit_sites(2)


def run(last: list[int], *, cuts: int = 1, **values: object) -> RunState:
    """A run of four layers of 4 neurons, with these widths at its end."""
    state = state_of([[4, 4, 4, 4], last], SITES, {})
    assert state.started
    config = make_config({"prune": {"rho": 0.5}, **values}, preset="demo").model_dump(mode="json")
    state.started = state.started.model_copy(update={"config": config, "keep_fractions": [0.5] * cuts})
    return state


def test_only_runs_that_differ_by_their_seeds_repeat_one_another() -> None:
    this = run([2, 0, 1, 0])
    alike = [
        run([2, 1, 0, 0], seed=1),
        run([2, 1, 0, 0], name="another", group="g", seed=2),
        run([1] * 4, data={"seed": 1}),
    ]
    others = [
        run([0, 0, 0, 0], seed=3, prune={"rho": 0.4}),
        run([0, 0, 0, 0], seed=4, cuts=2),
        run([0, 0, 0, 0]),
        run([0, 0, 0, 0], seed=1),
        RunState(),
    ]
    hostile = run([0, 0, 0, 0], seed=5)
    assert hostile.started
    hostile.started = hostile.started.model_copy(update={"config": {"method": 3}})
    assert seeds.repetitions(this, [*alike, *others, hostile]) == [this, *alike]
    assert seeds.repetitions(run([2, 0, 1, 0], cuts=2), alike) == []


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
    assert "in all 2 runs" in texts(app)
    assert [metric.label for metric in app.metric] == ["Same layers", "Same widths"]
    assert len(app.get("plotly_chart")) == 2
