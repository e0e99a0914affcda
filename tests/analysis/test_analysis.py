"""From events to tables, sentences and figures."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mimi_core.analysis.common import tables, words
from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.theme import DARK_TEXT, LIGHT_TEXT, MUTED, colour_scale, takes_dark_text
from mimi_core.analysis.launch.words import plan_in_words
from mimi_core.analysis.widths import words as sentences
from mimi_core.analysis.widths.figures import widths_figure
from mimi_core.analysis.widths.grid import by_position, rows_of
from mimi_core.analysis.widths.heatmap import heatmap_figure
from mimi_core.config import RunConfig, make_config, settings
from mimi_core.runs.events import Evaluated, Pruned, RunStarted, RunState, SiteInfo, fold
from mimi_core.runs.store import Store
from tests.recorded import swin_sites, vit_sites

SCALE = colour_scale("light")
DEMO = make_config(preset="demo", sets=["adapter.sigma_0=2", "prune.sigma_target=32", "train.epochs=15"])
"""Four cuts of fifteen epochs, whatever the preset becomes."""
EXAMPLES = Path(__file__).resolve().parents[2] / "mimi_core" / "resources" / "examples"


def state_of(widths: list[list[int]], sites: list[SiteInfo], accuracies: dict[tuple[int, str], float]) -> RunState:
    """A run with these widths after every cut (the first entry is the start), and these test accuracies."""
    names = [site.name for site in sites]
    named = [dict(zip(names, row, strict=True)) for row in widths]
    events = [
        RunStarted(
            time=0,
            run_id="r",
            config={},
            versions={},
            device="cpu",
            sites=sites,
            initial_widths=named[0],
            keep_fractions=[0.5] * (len(widths) - 1),
            class_names=["a"],
            split_sizes={},
            backbone_parameters=0,
            head_parameters=10,
            trained_parameters=99,
        ),
        *(
            Pruned(
                time=0,
                cycle=cycle,
                widths=now,
                removed=[name for name in names if before[name] and not now[name]],
                neurons_before=sum(before.values()),
                neurons_after=sum(now.values()),
                adapter_parameters=0,
                trained_parameters=50,
                seconds=0,
            )
            for cycle, (before, now) in enumerate(pairwise(named), start=1)
        ),
        *(
            Evaluated(time=0, cycle=cycle, stage=stage, split="test", accuracy=value, loss=0, images=1)  # type: ignore[arg-type]
            for (cycle, stage), value in accuracies.items()
        ),
    ]
    return fold(events)


@pytest.fixture
def small() -> RunState:
    """Two stages of two sites; the first stage is gone after the second cut."""
    sites = [
        SiteInfo(name=f"layers.{stage}.blocks.0.{position}", block=stage, position=position, width=32 * (stage + 1))  # type: ignore[arg-type]
        for stage in range(2)
        for position in ("attn", "mlp")
    ]
    accuracies = {(0, "trained"): 0.80, (1, "cut"): 0.70, (1, "trained"): 0.85, (2, "cut"): 0.50, (2, "trained"): 0.75}
    return state_of([[4, 4, 8, 8], [2, 0, 6, 4], [0, 0, 4, 2]], sites, accuracies)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_labels_of_a_swin_count_from_one_and_know_their_stage() -> None:
    named = layers(swin_sites())
    assert [layer.label for layer in named[:3]] == ["1.1 attn", "1.1 mlp", "1.2 attn"]
    assert (named[-1].label, named[-1].stage, named[-1].group) == ("4.2 mlp", 4, "stage 4")
    assert len({layer.colour for layer in named}) == 4


def test_labels_of_a_vit_have_no_stage() -> None:
    named = layers(vit_sites())
    assert (named[0].label, named[-1].label) == ("1 attn", "12 mlp")
    assert {layer.group for layer in named} == {"all blocks"}


def test_labels_tell_two_attentions_of_one_block_apart() -> None:
    names = [f"stages.0.blocks.1.{part}.mlp" for part in ("attn_block", "attn_grid")]
    named = layers([SiteInfo(name=name, block=0, position="mlp", width=8) for name in names])
    assert [(layer.label, layer.stage) for layer in named] == [("1.2 attn_block.mlp", 1), ("1.2 attn_grid.mlp", 1)]


@pytest.mark.parametrize("names", [["a.attn", "b.attn"], ["x" * 90, "y" + "x" * 90], ["enc.0.attn", "dec.0.attn"]])
def test_labels_are_short_and_never_the_same(names: list[str]) -> None:
    named = layers([SiteInfo(name=name, block=0, position="attn", width=8) for name in names])
    assert len({layer.label for layer in named}) == len(names)
    assert all(len(layer.label) <= 26 for layer in named)


def test_matrices_of_one_attention_are_told_apart_and_cost_what_they_say() -> None:
    sites = [
        SiteInfo(name=f"layers.0.blocks.1.attn.{end}", block=1, position="attn", width=32, cost=cost)
        for end, cost in (("qkv", 129), ("proj", 65))
    ]
    assert [layer.label for layer in layers(sites)] == ["1.2 qkv", "1.2 proj"]
    assert [layer.cost for layer in layers(sites)] == [129, 65]
    assert layers([sites[0].model_copy(update={"cost": None})])[0].cost == 2 * 32


# --- tables -----------------------------------------------------------------------------------------------------------


def test_widths_table(small: RunState) -> None:
    table = tables.widths_table(small).set_index(["site", "cycle"])
    row = table.loc[("layers.1.blocks.0.attn", 1)]
    assert (row["neurons"], row["share"], row["parameters"]) == (6, 0.75, 2 * 64 * 6)
    assert table.loc[("layers.0.blocks.0.mlp", 1), "vanished"]
    assert table.loc[("layers.0.blocks.0.mlp", 2), "gone"]
    assert not table.loc[("layers.0.blocks.0.mlp", 2), "vanished"]


def test_cycles_table_tells_damage_and_recovery(small: RunState) -> None:
    table = tables.cycles_table(small)
    assert list(table["neurons"]) == [24, 12, 6]
    assert list(table["adapters"]) == [4, 3, 2]
    assert list(table["sigma"]) == [192 / 24, 192 / 12, 192 / 6]
    assert np.isnan(table["damage"][0])
    assert table["damage"][2] == pytest.approx(0.85 - 0.50)
    assert table["recovery"][2] == pytest.approx(0.75 - 0.50)


def test_removed_table_lists_the_first_cut_first(small: RunState) -> None:
    table = tables.removed_table(tables.widths_table(small))
    assert list(zip(table["label"], table["cut"], table["before"], strict=True)) == [
        ("1.1 mlp", 1, 4),
        ("1.1 attn", 2, 2),
    ]


def test_a_cut_falls_between_two_epochs(make_run: Callable[..., str], store: Store) -> None:
    state = store.state(make_run(DEMO))
    points = tables.evaluations_table(state)
    assert list(points["step"].unique()) == [15, 15.5, 30, 30.5, 45, 45.5, 60, 60.5, 75]


def test_long_curves_are_thinned_and_keep_their_end(make_run: Callable[..., str], store: Store) -> None:
    state = store.state(make_run(DEMO))
    table = tables.epochs_table(state, at_most=10)
    assert len(table) <= 11
    assert table["step"].iloc[-1] == 75


def test_an_empty_run_has_empty_tables() -> None:
    empty = RunState()
    for table in (
        tables.widths_table(empty),
        tables.cycles_table(empty),
        tables.epochs_table(empty),
        tables.evaluations_table(empty),
    ):
        assert table.empty


# --- sentences --------------------------------------------------------------------------------------------------------


def test_the_story_of_a_run(small: RunState) -> None:
    widths, cycles = tables.widths_table(small), tables.cycles_table(small)
    assert sentences.headline(widths, 2) == "2 of 4 adapters are gone after 2 cuts"
    assert sentences.story(widths, cycles, 2) == (
        "6 of 24 neurons are left, 4× fewer. Gone: all of stage 1, where the frozen backbone goes on alone. "
        "100 % of the remaining neurons sit in stage 2. "
        "Test accuracy went from 80.0 % to 75.0 %, with its best, 85.0 %, after cut 1."
    )
    assert sentences.headline(widths, 1) == "1 of 4 adapters is gone after 1 cut"
    assert sentences.headline(widths, 0) == "4 adapters, before the first cut"
    assert "Gone: 1.1 mlp, where" in sentences.story(widths, cycles, 1)


def test_the_story_before_training_again(small: RunState) -> None:
    state = fold([e for e in [small.started, *small.cuts, *small.evaluations[:-1]] if e is not None])
    told = sentences.story(tables.widths_table(state), tables.cycles_table(state), 2)
    assert told.endswith("Right after the cut, test accuracy is 50.0 %.")


def test_what_was_never_there_is_not_gone() -> None:
    """`adapter.widths` may give a layer no adapter at all."""
    state = state_of([[4, 0, 4, 0], [2, 0, 0, 0]], vit_sites(2), {})
    table = tables.widths_table(state)
    assert sentences.headline(table, 1) == "1 of 2 adapters is gone after 1 cut"
    assert sentences.headline(table, 0) == "2 adapters, before the first cut"
    assert sentences.story(table, tables.cycles_table(state), 1).startswith("2 of 4 layers were given no adapter. 2 of")


def test_everything_gone_and_nothing_gone() -> None:
    sites = vit_sites(1)
    for widths, says in (([[4, 4], [0, 0]], "All 2 adapters are gone"), ([[4, 4], [1, 3]], "All 2 adapters are still")):
        state = state_of(widths, sites, {})
        table = tables.widths_table(state)
        assert sentences.headline(table, 1).startswith(says)
        assert sentences.story(table, tables.cycles_table(state), 1)


def test_two_runs_compared(small: RunState) -> None:
    sites = small.sites
    ours = tables.widths_table(small)
    theirs = tables.widths_table(state_of([[4, 4, 8, 8], [0, 3, 3, 6]], sites, {}))
    assert sentences.losses_compared(ours, theirs) == "Both lost 1.1 attn. Only the first lost 1.1 mlp."
    other = tables.widths_table(state_of([[4, 4]], vit_sites(1), {}))
    assert "different layers" in sentences.losses_compared(ours, other)


def test_numbers_as_people_write_them() -> None:
    assert [words.duration(s) for s in (7.6, 125, 12_000)] == ["8 s", "2 min 05 s", "3 h 20 min"]
    assert [words.compact(n) for n in (912, 4096, 481_802, 1_200_000)] == ["912", "4.1k", "482k", "1.2M"]
    assert [words.size(n) for n in (512e6, 1.44e9)] == ["512 MB", "1.4 GB"]
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert (words.count(1, "cut"), words.count(1472, "neuron")) == ("1 cut", "1,472 neurons")


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_heatmap_is_one_trace_with_gone_cells_empty(small: RunState) -> None:
    widths, cycles = tables.widths_table(small), tables.cycles_table(small)
    figure = widths_figure(widths, cycles, SCALE, cycle=2, cuts=2)
    (heatmap,) = [trace for trace in figure.data if trace.type == "heatmap"]
    z = np.array(heatmap.z, dtype=float)
    assert z.shape == (5, 3), "four layers and the gap between the stages"
    assert np.isnan(z[2]).all()
    assert np.isnan(z[1, 1:]).all()
    assert z[0, 1] == pytest.approx(0.5**0.5)
    crosses = next(trace for trace in figure.data if trace.name == "adapter removed")
    assert list(crosses.x) == [2, 1] or list(crosses.x) == [1, 2]


def test_every_cell_leads_to_the_cut_that_explains_it(small: RunState) -> None:
    widths, cycles = tables.widths_table(small), tables.cycles_table(small)
    figure = widths_figure(by_position(widths), cycles, SCALE, cycle=2, cuts=2)
    cells = figure.data[-1]
    found = {
        (site, cycle): tuple(data)
        for site, cycle, data in zip(
            widths.sort_values(["cycle", "order"])["order"], cells.x, cells.customdata, strict=True
        )
    }
    assert found[0, 0] == (0, 1), "the start is explained by the first cut"
    assert found[2, 2] == (2, 2)
    assert found[1, 1] == found[1, 2] == (1, 1), "a layer that is gone, by the cut that took it"
    assert "no adapter" in cells.hovertext[list(found).index((1, 2))]
    assert [tuple(data) for trace in figure.data if trace.name == "after training" for data in trace.customdata] == [
        (-1, 1),
        (-1, 1),
        (-1, 2),
    ]


def test_rows_can_be_grouped_by_position(small: RunState) -> None:
    rows = rows_of(by_position(tables.widths_table(small)))
    assert rows.labels == ["1.1 attn", "2.1 attn", "1.1 mlp", "2.1 mlp"]
    assert [(group, colour == MUTED) for group, colour, _, _ in rows.spans()] == [("attention", True), ("MLP", True)]


def test_while_it_plays_the_cuts_to_come_are_not_drawn_but_have_their_place(small: RunState) -> None:
    widths, cycles = tables.widths_table(small), tables.cycles_table(small)
    whole, playing = (widths_figure(widths, cycles, SCALE, cycle=1, cuts=2, playing=p) for p in (False, True))
    assert playing.layout.yaxis2.range == whole.layout.yaxis2.range
    assert playing.layout.xaxis.range == whole.layout.xaxis.range
    assert playing.layout.height == whole.layout.height
    assert np.isnan(np.array(playing.data[0].z, float)[:, 2]).all()
    assert max(playing.data[-1].x) == 1


@pytest.mark.parametrize("page", ["light", "dark"])
def test_numbers_can_be_read_on_every_colour(page: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    scale = colour_scale(page)
    places = np.array([place for place, _ in scale])
    for (_, colour), dark in zip(scale, takes_dark_text(scale, places), strict=True):
        pair = sorted((luminance(colour), luminance(DARK_TEXT if dark else LIGHT_TEXT)))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 3.8


def test_a_run_that_goes_on_keeps_its_columns(small: RunState) -> None:
    figure = heatmap_figure(tables.widths_table(small), tables.cycles_table(small), SCALE, cuts=5)
    assert len(figure.layout.xaxis.ticktext) == 6
    assert tuple(figure.layout.xaxis.range) == (-0.5, 5.5)


def test_rows_fit_few_and_many_layers() -> None:
    few, many = (tables.widths_table(state_of([[4] * len(s)], s, {})) for s in (vit_sites(2), swin_sites(4)))
    assert rows_of(few).pixels == 30
    assert rows_of(many).named
    assert rows_of(many, smallest=6).pixels == 6


def test_site_names_are_escaped_in_figures() -> None:
    sites = [SiteInfo(name="<a href='x'>", block=0, position="attn", width=8)]
    state = state_of([[4], [0]], sites, {})
    figure = widths_figure(tables.widths_table(state), tables.cycles_table(state), SCALE, cycle=1, cuts=1)
    assert "<a href" not in figure.to_json().replace("\\u003c", "<")


# --- settings and the check -------------------------------------------------------------------------------------------


def test_every_setting_is_known_once_and_can_be_read() -> None:
    config = RunConfig()
    known = settings.settings()
    assert known["train.lr"].kind == "number"
    assert known["prune.scope"].choices == ("global", "local")
    assert (known["data.shots"].kind, known["data.shots"].optional) == ("integer", True)
    for path, setting in known.items():
        assert settings.value_at(config, path) == setting.default


def test_nested_values_make_the_same_config() -> None:
    config = make_config(preset="demo")
    flat = {path: settings.value_at(config, path) for path in settings.settings()}
    assert make_config(settings.nested(flat)) == config


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        ([], "4 cuts: compression σ goes 2 → 4 → 8 → 16 → 32, 6.3 % of the neurons stay, 75 epochs in all."),
        (["prune.retrain_last=false"], "60 epochs in all"),
        (["prune.sigma_target=2"], "nothing is cut"),
        (["method=linear"], "15 epochs of training, nothing is cut"),
        (["prune.rho=0.05"], "…"),
    ],
)
def test_the_plan_in_a_sentence(sets: list[str], says: str) -> None:
    assert says in plan_in_words(make_config(DEMO.model_dump(), sets=sets))


# --- the bundled examples ---------------------------------------------------------------------------------------------


def test_the_examples_are_real_runs_with_something_to_see() -> None:
    runs = Store(EXAMPLES).list()
    assert len(runs) == 2
    assert runs[0].removed > 0, "what a first visitor sees"
    for run in runs:
        state = Store(EXAMPLES).state(run.id)
        assert run.phase == "finished"
        assert (run.removed > 0) == (run.scope == "global"), "local cuts leave every layer its share"
        table = tables.widths_table(state)
        for cut in state.cuts:
            assert table.loc[table["cycle"] == cut.cycle, "parameters"].sum() == cut.adapter_parameters
