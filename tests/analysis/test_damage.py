"""What adapters were worth against their scores: every verdict in words, with made-up numbers; tables and charts."""

import numpy as np
import pandas as pd
import pytest

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.tables import widths_table
from mimi_core.analysis.report import run_report
from mimi_core.analysis.why import damage as why
from mimi_core.analysis.why import damage_words as words
from mimi_core.analysis.why.cut_scores import read_cut
from mimi_core.analysis.why.damage_figures import damage_chart
from mimi_core.analysis.widths.grid import rows_of
from mimi_core.analysis.widths.heatmap import cells_trace
from mimi_core.analysis.widths.worth import sentence, with_worth
from mimi_core.errors import RunError
from mimi_core.runs.formats.damage import Damage, path_of
from mimi_core.runs.jobs.neuron_damage import NeuronDamage, neuron_damage
from mimi_core.runs.store import Store
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE
from tests.recorded import swin_sites
from tests.recorded_cuts import measured, run_with_scores


def made_up(scores: list[float], damage: list[float], lost: int = 0, error: float = 0.001) -> pd.DataFrame:
    """A `damage_table` whose first `lost` layers lost their adapters."""
    table = pd.DataFrame({"score": scores, "damage": damage, "error": error})
    named = [f"layer {i}" for i in range(len(table))]
    return table.assign(
        label=named, lost=[i < lost for i in range(len(table))], told=table["damage"].abs() > 2 * table["error"]
    )


def told(table: pd.DataFrame) -> str:
    return words.answer(table, why.agreement_of(table))


RISING = [0.1 * i for i in range(1, 9)]


def test_the_order_is_told_no_stronger_than_it_is() -> None:
    agrees = told(made_up(RISING, RISING))
    assert agrees.startswith("On the whole, layers with a higher score were worth more (Kendall's τ +1.00, p < 0.001")
    assert "were worth less (Kendall's τ -1.00, p < 0.001, 8 layers)" in told(made_up(RISING, RISING[::-1]))
    shuffled = told(made_up(RISING, [0.3, 0.8, 0.1, 0.6, 0.2, 0.7, 0.4, 0.5]))
    assert "Whether layers with a higher score were worth more is not shown (Kendall's τ +0.07" in shuffled
    assert "were worth more (" not in shuffled
    four = told(made_up(RISING[:4], RISING[:4]))
    assert "is not shown (Kendall's τ +1.00, p = 0.083, 4 layers)" in four, "perfect, and too few to show it"
    assert told(made_up(RISING[:2], RISING[:2])).startswith("Too few layers are left")
    assert "All 8 layers scored the same, or lost the same" in told(made_up(RISING, [0.2] * 8))
    assert why.order_of(None) == "few"


def test_who_went_is_held_against_the_least_damage_and_against_chance() -> None:
    assert "The cut took no whole adapter." in told(made_up(RISING, RISING))
    assert "took all adapters that were left" in told(made_up(RISING, RISING, lost=8))
    right = told(made_up(RISING, RISING, lost=4))
    assert "Of the 4 adapters that went, 4 are among the 4 of least damage; drawn by lot it would be 2.0." in right
    wrong = told(made_up(RISING, RISING[::-1], lost=4))
    assert "Of the 4 adapters that went, none are among the 4 of least damage" in wrong
    assert "4 of the 4 mattered: layer 0 (+0.800 ± 0.001)" in wrong
    assert wrong.count("layer 3") == 0, "three are named"
    assert "and 1 more." in wrong
    least = told(made_up(RISING, RISING, lost=1))
    assert "The adapter that went, layer 0, was of the 8 the one of least damage. Its damage was +0.100 ±" in least
    assert "was of the 8 the 8th from the least damage up" in told(made_up(RISING, RISING[::-1], lost=1))


def test_what_is_near_zero_is_not_ordered_and_below_zero_is_explained() -> None:
    near = told(made_up(RISING, [0.0001 * i for i in range(-2, 6)], lost=3))
    assert "The layers are within two standard errors of no damage at all, and cannot be ordered" in near
    assert "None of them is shown to have mattered" in near
    assert "Below zero the model did better on these images without its adapter; of these 2, none by more than" in near
    some = told(made_up(RISING, [-0.5, 0.0001, *RISING[2:]], lost=1))
    assert "1 of the 8 layers is within two standard errors of no damage at all." in some
    assert "Its damage was -0.500 ± 0.001, not shown to be above zero." in some
    clear = told(made_up(RISING, RISING, lost=2))
    assert "standard errors" not in clear
    assert "Below zero" not in clear


def test_where_no_error_was_kept_nothing_is_called_near_zero() -> None:
    said = told(made_up(RISING, RISING, lost=2, error=float("nan")))
    assert "How exactly the damage was measured was not kept" in said
    assert "The largest damage of one of them is +0.200 (layer 1)." in said
    assert "within two" not in said


def test_what_it_speaks_for_is_said() -> None:
    found = Damage(1.25, 0.5, {}, {}, 40, "val", {})
    said = words.what_it_is(found, "adapter")
    assert "on 40 validation images rises when the adapter is switched off" in said
    assert "by heart" not in said
    assert "by heart" in words.what_it_is(Damage(1.25, 0.5, {}, {}, 40, "train", {}), "adapter")


def test_why_nothing_was_measured_says_how_to_have_it() -> None:
    annealed = words.not_measured({"prune": {"schedule": "anneal"}}, example=False)
    assert "with prune.schedule=anneal it is not" in annealed
    off = words.not_measured({"prune": {"measure_damage": False}}, example=False)
    assert "made with prune.measure_damage=false" in off
    assert "this example is older than prune.measure_damage" in words.not_measured({}, example=True)
    assert "the run is older" in words.not_measured({"prune": 3}, example=False)


# --- from a run -------------------------------------------------------------------------------------------------------


def test_the_tables_hold_scores_and_damage_of_the_same_layers(store: Store) -> None:
    run_id = run_with_scores(store)
    state, folder = store.state(run_id), store.folder(run_id)
    assert why.damage_of(folder, 4, state.widths[3]) is None
    worth = why.worth_of_layers(read_cut(folder, state, 4), "taylor")
    measured(store, run_id, 4, worth)
    found, cut = why.damage_of(folder, 4, state.widths[3]), read_cut(folder, state, 4)
    assert found is not None
    table = why.damage_table(layers(state.sites), cut, found)
    assert {*table["site"]} == {site for site, neurons in state.widths[3].items() if neurons}
    assert {*table.loc[table["lost"], "site"]} == {*state.cuts[3].removed}
    assert dict(zip(table["site"], table["damage"], strict=True)) == pytest.approx(worth)
    scores = why.agreements_table(cut, found)
    assert scores["score"].iloc[0] == "taylor", "the damage is its own"
    assert scores["kendall"].iloc[0] == pytest.approx(1)
    assert list(scores.loc[scores["decided"], "score"]) == ["mimi"]
    lone = [why.agreement_by_score(cut, found.of_loss)[score].kendall_p for score in scores["score"]]
    assert all(many >= one for many, one in zip(scores["p"], lone, strict=True)), "corrected for their number"
    with pytest.raises(RunError, match="of other layers"):
        why.damage_of(folder, 4, state.widths[0])


def test_damage_when_lost_is_of_the_cut_that_took_each(store: Store) -> None:
    run_id = run_with_scores(store)
    state, folder = store.state(run_id), store.folder(run_id)
    cuts = sorted({*state.removed_at.values()})
    assert why.last_that_took_one(state) == cuts[-1]
    widths = widths_table(state)
    nothing, problems = why.damage_when_lost(folder, state)
    assert (nothing, problems) == (dict.fromkeys(cuts), [])
    assert "when they went was not measured" in sentence(widths, nothing, 4)
    assert sentence(widths, nothing, 0) == ""
    for cut in cuts[:-1]:
        measured(store, run_id, cut)
    path_of(folder, cuts[-1]).write_bytes(b"no zip")
    found, problems = why.damage_when_lost(folder, state)
    assert found[cuts[-1]] is None
    assert "cannot be read" in problems[0]
    gone = why.gone_table(widths, found)
    row = gone[gone["damage"].notna()].iloc[0]
    assert row["damage"] == pytest.approx(found[row["cut"]].of_loss[row["site"]])
    said = sentence(widths, found, cuts[-1])
    assert said.startswith("Gone means ranked low by this score, which does not show that a layer needs no adapter.")
    assert f"Of {gone['damage'].isna().sum()} more it was not measured." in said
    table = with_worth(widths, found)
    assert (table["worth"] != "").equals(table["gone"])
    hovers = list(cells_trace(table, rows_of(table)).hovertext)
    lost = [hover for hover in hovers if "again the frozen original" in hover]
    assert any("switching it off changed the loss by" in hover and "(100 validation images)" in hover for hover in lost)
    assert all("was not measured" in hover or "changed the loss by" in hover for hover in lost)


def test_the_report_shows_the_last_cut_that_took_an_adapter(store: Store) -> None:
    run_id = run_with_scores(store)
    last = why.last_that_took_one(store.state(run_id))
    assert "take what mattered least" not in run_report(store, run_id)
    measured(store, run_id, last)
    page = run_report(store, run_id)
    assert f"Did cut {last} take what mattered least?" in page
    assert "drawn by lot it would be" in page
    assert 'id="worth' in page
    assert "the run&#39;s" in page
    path_of(store.folder(run_id), last).write_bytes(b"no zip")
    page = run_report(store, run_id)
    assert "take what mattered least" not in page
    assert "Left out, what the adapters were worth:" in page


def neurons_of(store: Store, run_id: str, site: str, cut: int = 1) -> NeuronDamage:
    width = store.state(run_id).widths[cut - 1][site]
    scores = read_cut(store.folder(run_id), store.state(run_id), cut).raw["mimi"][site]
    return NeuronDamage(
        site=site, cycle=cut - 1, images=50, split="val", loss=1, accuracy=0.5, error=[0.01] * width,
        loss_without=[1 + float(score) / 100 for score in scores], accuracy_without=[0.5] * width,
    )  # fmt: skip


def test_neurons_stand_in_the_order_of_the_cut(store: Store) -> None:
    run_id, site = run_with_scores(store), "layers.2.blocks.3.mlp"
    cut, found = read_cut(store.folder(run_id), store.state(run_id), 1), neurons_of(store, run_id, site)
    assert neuron_damage(found.model_dump_json()) == found
    table = why.neuron_damage_table(cut, found)
    assert len(table) == 64
    assert list(table.loc[~table["lost"], "neuron"]) == list(cut.survivors[site])
    said = words.of_neurons(table, why.agreement_of(table))
    assert "On the whole, neurons with a higher score were worth more (Kendall's τ +1.00" in said
    lost = int(table["lost"].sum())
    assert f"Of the {lost} that the cut took, {lost} are among the {lost} of least damage" in said
    assert "lost" not in why.neuron_damage_table(None, found)
    for wrong in (found.model_copy(update={"cycle": 1}), neurons_of(store, run_id, "layers.0.blocks.0.attn")):
        with pytest.raises(RunError, match="of other neurons"):
            why.neuron_damage_table(cut, wrong.model_copy(update={"site": site}))
    for text in ("", "{}", found.model_dump_json().replace('"error":[0.01,', '"error":['), '{"site": "a"}'):
        with pytest.raises(RunError, match="cannot be read"):
            neuron_damage(text)


@pytest.mark.parametrize("spread", [1.0, 1000.0])
def test_the_chart_is_vega_lite_and_names_who_went(store: Store, spread: float) -> None:
    table = made_up(RISING, [-0.01, *RISING[1:7], spread], lost=2)
    table.loc[0, "label"] = HOSTILE
    chart = damage_chart(table, unit="score")
    hold_to_schema(chart)
    assert list(chart["datasets"]["named"]["name"]) == [HOSTILE, "layer 1"]
    assert list(damage_chart(table, unit="score", named=["layer 5"])["datasets"]["named"]["name"]) == ["layer 5"]
    assert damage_chart(table.assign(lost=True), unit="score")["datasets"]["named"].shape[0] == 8
    scale = chart["layer"][2]["encoding"]["y"]["scale"]
    assert scale.get("type") == "symlog"
    assert scale["domain"][0] < -0.01
    assert scale["domain"][1] > spread
    even = damage_chart(made_up(RISING, RISING, error=0.05), unit="score")["layer"][2]["encoding"]["y"]["scale"]
    assert "type" not in even
    unknown = damage_chart(made_up(RISING, RISING, error=np.nan), unit="score")
    assert unknown["datasets"]["points"]["low"].tolist() == RISING
    many = pd.concat([made_up(RISING, RISING, lost=8)] * 2)
    assert damage_chart(many, unit="score")["datasets"]["named"].empty, "no room for sixteen names"
    assert len(swin_sites()) > 12
