"""Widths: the page; its tables and figures are in test_analysis.py."""

import json

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.pages.opening import MakeRun, Open, button, texts
from tests.recorded import swin_sites, vit_sites


def test_the_sentence_follows_the_cycle_in_the_url(open_page: Open, make_run: MakeRun) -> None:
    run_id = make_run()
    assert open_page("widths", run=run_id).title[0].value.endswith("gone after 4 cuts")
    assert open_page("widths", run=run_id, cycle="1").title[0].value.endswith("after 1 cut")
    assert "before the first cut" in open_page("widths", run=run_id, cycle="0").title[0].value
    for nonsense in ("-1", "x", "99999999", "²"):
        assert open_page("widths", run=run_id, cycle=nonsense).title[0].value.endswith("gone after 4 cuts")


def test_the_url_follows_the_choices(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run())
    app.button_group(key="address.cycle").set_value(2).run()
    assert app.query_params["cycle"] == "2"
    assert app.title[0].value.endswith("after 2 cuts")
    app.button_group(key="rows").set_value("position").run()
    app.button_group(key="layers").set_value("mlp").run()
    assert not app.exception


@pytest.mark.parametrize(
    ("mode", "layers", "rows"),
    [("share", "all", "stage"), ("neurons", "attention", "position"), ("parameters", "all", "position")],
)
def test_every_view_of_every_shape_draws(open_page: Open, make_run: MakeRun, mode: str, layers: str, rows: str) -> None:
    for sites in (swin_sites(), swin_sites(4), vit_sites(2)):
        app = open_page("widths", run=make_run(sites=sites), mode=mode, layers=layers, rows=rows)
        spec = app.get("plotly_chart")[0].proto.spec
        assert ("adapter parameters" in spec) == (mode == "parameters")
        assert ('"MLP"' in spec) == (layers == "all" and rows == "position")


def test_a_layer_leads_to_its_neurons_at_the_cut_that_took_them(
    open_page: Open, make_run: MakeRun, store: Store
) -> None:
    run_id = make_run()
    cut = store.state(run_id).cuts[1]
    app = open_page("widths", run=run_id, cycle="4")
    app.selectbox(key="look_into").set_value(cut.removed[0]).run()
    link = next(link.proto for link in app.get("page_link") if link.proto.label.startswith("Neurons of"))
    assert (link.page, link.query_string) == ("why", f"run={run_id}&cycle=2&layer={cut.removed[0]}")


def test_bars_of_all_cuts_are_drawn_to_one_scale(open_page: Open, make_run: MakeRun) -> None:
    run_id = make_run()
    for mode in ("share", "neurons", "parameters"):
        ends = {
            json.loads(open_page("widths", run=run_id, cycle=cycle, mode=mode).get("plotly_chart")[0].proto.spec)[
                "layout"
            ]["xaxis2"]["range"][1]
            for cycle in ("0", "2", "4")
        }
        assert len(ends) == 1, "or nobody sees them shrink"


def test_a_second_run_that_is_not_there_is_said(open_page: Open, make_run: MakeRun) -> None:
    first, _ = make_run(), make_run()
    app = open_page("widths", run=first, **{"with": "gone"})
    assert "There is no run 'gone'" in app.warning[0].value.replace("\\", "")


def test_a_run_without_cuts_yet_has_a_start(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run(cuts=0, outcome="stopped"))
    assert app.title[0].value == "24 adapters, before the first cut"
    assert "Click a cell" not in texts(app)


def test_a_queued_run_has_no_widths_yet(open_page: Open, store: Store) -> None:
    app = open_page("widths", run=store.create(make_config(preset="demo")))
    assert app.title[0].value == "No widths yet"


def test_a_second_run_is_drawn_beside_the_first(open_page: Open, make_run: MakeRun) -> None:
    first, second = make_run(), make_run(seed=1)
    app = open_page("widths", run=first, **{"with": second})
    assert len(app.get("plotly_chart")) == 3
    assert "ost " in texts(app)
    assert len(open_page("widths", run=first, **{"with": "nothing"}).get("plotly_chart")) == 1


def test_play_walks_through_the_cuts_and_stops(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run(), cycle="3")
    button(app, "Play").click().run()
    assert app.query_params["cycle"] == "4"
    app.run()
    assert button(app, "Play")
