"""The page Why: one cut explained, and what other settings would have taken."""

import json
import shutil

import pytest

from mimi_core.analysis.common.labels import layers
from mimi_core.config import make_config
from mimi_core.runs.events import SiteInfo
from mimi_core.runs.formats.scores import path_of as scores_path
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, Open, texts
from tests.recorded import swin_sites
from tests.recorded_cuts import run_with_scores

# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_explains_the_last_cut_that_took_an_adapter(open_page: Open, store: Store) -> None:
    app = open_page("why", run=run_with_scores(store))
    assert "at cut 4" in app.title[0].value
    assert len(app.get("vega_lite_chart")) == 3
    assert "settings of the run" in texts(app)
    for nonsense in ("0", "-1", "x", "999999999", "²"):
        assert "at cut 4" in open_page("why", cycle=nonsense).title[0].value
    assert "at cut 1" in open_page("why", cycle="1").title[0].value


def test_a_what_if_is_in_the_url_and_can_be_taken_back(open_page: Open, store: Store) -> None:
    app = open_page("why", run=run_with_scores(store), cycle="2")
    app.select_slider(key="address.rho").set_value("0.70").run()
    app.button_group(key="address.scope").set_value("local").run()
    app.selectbox(key="address.score").set_value("taylor").run()
    assert (app.query_params["rho"], app.query_params["scope"], app.query_params["score"]) == (
        "0.70",
        "local",
        "taylor",
    )
    assert "**What if:**" in texts(app)
    next(b for b in app.button if b.label == "As in the run").click().run()
    assert not {"rho", "scope", "score"} & set(app.query_params)
    assert "settings of the run" in texts(app)


def test_a_layer_in_the_url_shows_its_neurons(open_page: Open, store: Store) -> None:
    run_id = run_with_scores(store)
    site = "layers.2.blocks.3.mlp"
    app = open_page("why", run=run_id, cycle="1", layer=site)
    assert app.multiselect(key="address.layer").value == [site]
    assert "mlp had 64 neurons before the cut" in texts(app)
    neurons = app.dataframe[0].value
    assert len(neurons) == 64
    assert neurons["score"].is_monotonic_decreasing
    app.multiselect(key="address.layer").set_value(["stage 1", "mlp"]).run()
    assert app.query_params["layer"] == ["stage 1", "mlp"]
    assert "All the neurons of these layers" in [s.value for s in app.subheader]
    earlier = next(site for cut in store.state(run_id).cuts[:3] for site in cut.removed)
    assert "an earlier one took them" in texts(open_page("why", run=run_id, cycle="4", layer=earlier))
    assert not open_page("why", run=run_id, layer=HOSTILE).multiselect(key="address.layer").value


def test_the_headline_is_about_the_layers_that_were_chosen(open_page: Open, store: Store) -> None:
    run_id = run_with_scores(store)
    state = store.state(run_id)
    label = {layer.site: layer.label for layer in layers(state.sites)}
    (lost, *_), earlier = state.cuts[3].removed, state.cuts[2].widths
    kept = next(site for site, n in state.cuts[3].widths.items() if 0 < n < earlier[site])
    app = open_page("why", run=run_id, cycle="4", layer=lost)
    assert app.title[0].value.replace("\\", "") == f"{label[lost]} lost its adapter at cut 4"
    assert f"{label[lost]} had" in texts(app).replace("\\", "")
    app = open_page("why", run=run_id, cycle="4", layer=kept)
    before, after = earlier[kept], state.cuts[3].widths[kept]
    assert app.title[0].value.replace("\\", "") == f"{label[kept]} kept {after} of {before} neurons at cut 4"
    whole = "all layers together"
    assert whole in texts(app), "what decided is said of all of them"
    others = [site for site, n in state.cuts[3].widths.items() if n][:3]
    app.multiselect(key="address.layer").set_value(others).run()
    assert app.title[0].value == "None of the 3 chosen layers lost its adapter at cut 4"


def test_a_link_to_a_what_if_shows_it_and_nonsense_is_ignored(open_page: Open, store: Store) -> None:
    run_id = run_with_scores(store)
    assert "**What if:**" in texts(open_page("why", run=run_id, rho="0.20", normalise="fan"))
    assert "settings of the run" in texts(
        open_page("why", run=run_id, rho="17", scope=HOSTILE, score="../x", normalise="")
    )


def test_without_runs_or_cuts_the_page_says_what_to_do(open_page: Open, store: Store) -> None:
    assert open_page("why").subheader[0].value == "No runs yet"
    assert open_page("why", run=store.create(make_config(preset="demo"))).title[0].value == "No cut yet"
    assert open_page("why", run=run_with_scores(store, cuts=0)).title[0].value == "No cut yet"


def test_a_run_that_never_cuts_is_no_error(open_page: Open, store: Store) -> None:
    run_id = run_with_scores(store, cuts=0)
    events = store.folder(run_id) / "events.jsonl"
    first = json.loads(events.read_bytes().splitlines()[0]) | {"keep_fractions": []}
    events.write_text(json.dumps(first) + "\n")
    assert open_page("why", run=run_id).title[0].value == "This run makes no cuts"


@pytest.mark.parametrize("content", [None, b"", b"not a zip"])
def test_missing_or_broken_scores_are_one_clear_message(open_page: Open, store: Store, content: bytes | None) -> None:
    run_id = run_with_scores(store)
    path = scores_path(store.folder(run_id), 3)
    shutil.rmtree(path.parent) if content is None else path.write_bytes(content)
    app = open_page("why", run=run_id, cycle="3")
    assert app.title[0].value == "Cut 3 cannot be explained"
    assert len(app.error) == 1
    assert "at cut 2" in open_page("why", run=run_id, cycle="2").title[0].value


def test_hostile_names_are_shown_as_written(open_page: Open, store: Store) -> None:
    sites = [site.model_copy(update={"name": f"{HOSTILE[:19]} {site.name}"}) for site in swin_sites()]
    sites += [SiteInfo(name=f"![p](http://e) {i}", block=i, position="attn", width=32) for i in range(2)]
    app = open_page("why", run=run_with_scores(store, sites=sites))
    assert len(app.get("vega_lite_chart")) == 3
    assert "![p](" not in texts(app)
    assert "<img" not in texts(app)
    for chart in app.get("vega_lite_chart"):
        spec = json.loads(chart.proto.spec)
        assert not [text for text in expressions(spec) if "http" in text or "onerror" in text]


def expressions(spec: object, key: str = "") -> list[str]:
    """All that Vega would run or open, of a chart's specification."""
    if isinstance(spec, dict):
        return [text for name, part in spec.items() for text in expressions(part, name)]
    if isinstance(spec, list):
        return [text for part in spec for text in expressions(part, key)]
    return [spec] if isinstance(spec, str) and key in {"test", "filter", "calculate", "expr", "href", "url"} else []
