"""Runs: the table, its filters, means over seeds, the queue's order, and what can be done to chosen runs."""

import math
import re
import time

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.analysis.common.statistics import mean_interval
from mimi_core.analysis.overview.groups import variants
from mimi_core.analysis.overview.runs_table import Filters, by_group, filtered, groups_table, runs_table
from mimi_core.config import Branch, make_config
from mimi_core.runs.queue.dispatcher import queued
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, ROOT, MakeRun, Open, button, texts
from tests.recorded import change_status, record

SHORT = ["train.epochs=1"]


def config(*sets: str):
    return make_config(preset="demo", sets=[*SHORT, *sets])


@pytest.fixture
def varied(store: Store) -> Store:
    """Two settings of one group under two and three seeds, a linear probe, a waiting and a failed run."""
    for seed in range(3):
        record(store, config("group=g", f"seed={seed}", f"data.seed={seed}", "name=wide"))
    for seed in range(2):
        record(store, config("group=g", f"seed={seed}", "prune.scope=local", "name=narrow"))
    record(store, config("method=linear", "name=probe"))
    record(store, config("name=broke"), cuts=1, outcome="failed")
    store.create(config("name=later"))
    return store


def rows(store: Store) -> pd.DataFrame:
    return runs_table((run, False) for run in store.list())


def test_a_row_says_what_a_run_is_and_has_reached(varied: Store) -> None:
    table = rows(varied).set_index("title")
    wide = table[(table.index == "wide") & (table["seed"] == 2)].iloc[0]
    assert (wide["state"], wide["group"], wide["score"], wide["scope"]) == ("finished", "g", "mimi", "global")
    assert (wide["sigma"], wide["neurons"], wide["sites"], wide["seconds"]) == (32, 92, 24, 41)
    assert wide["gone"] > 0
    probe, later = table.loc["probe"], table.loc["later"]
    assert (probe["score"], probe["scope"]) == ("", ""), "nothing is pruned, so nothing is scored"
    assert math.isnan(probe["gone"])
    assert math.isnan(later["accuracy"])
    assert math.isnan(table.loc["broke"]["share"]), "it does not go on"
    assert list(runs_table((run, True) for run in varied.list()[:1])["state"]) == ["example"]
    assert filtered(runs_table([]), Filters("x", ["queued"])).empty


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filters(), 8),
        (Filters("NARROW"), 2),
        (Filters("digits local"), 2),
        (Filters("digits absent"), 0),
        (Filters("[.*"), 0),
        (Filters(states=["failed", "queued"]), 2),
        (Filters(methods=["linear"]), 1),
        (Filters(group="g"), 5),
        (Filters("wide", states=["finished"], methods=["mimi"], group="g"), 3),
    ],
)
def test_filters(varied: Store, wanted: Filters, found: int) -> None:
    table = filtered(rows(varied), wanted)
    assert len(table) == found
    assert list(table.index) == list(range(found)), "a row's number is its place among those shown"


def test_one_row_per_setting_with_the_interval_over_its_seeds(varied: Store) -> None:
    members = [(run, varied.config(run.id)) for run in varied.list()]
    found = by_group(members)
    table = groups_table(found)
    assert list(zip(table["group"], table["setting"], strict=True))[:2] == [("g", "wide"), ("g", "narrow")]
    assert list(table["finished"])[:2] == list(table["seeds"])[:2] == [3, 2]
    wide = table.iloc[0]
    accuracies = [run.accuracy for run, _ in members if run.name == "wide"]
    expected = mean_interval(accuracies)
    assert (wide["accuracy"], wide["low"], wide["high"]) == (expected.mean, expected.low, expected.high)
    assert (wide["sigma"], wide["neurons"]) == (32, 92)
    assert set(table["group"][2:]) == {"no group"}
    assert "1 failed" in " ".join(table["states"])
    assert "1 queued" in " ".join(table["states"])
    assert groups_table([]).empty


def test_a_branch_is_a_setting_of_its_own(varied: Store) -> None:
    run = varied.list()[0]
    plain = config("prune.scope=local")
    branched = plain.model_copy(update={"branch": Branch(run="x", cycle=1, keep=("1/2",))})
    assert [v.label for v in variants([(run, plain), (run.__class__(**{**vars(run), "id": "b"}), branched)])] == [
        "branched after cycle 1",
        "not branched",
    ]


def key_of(app: AppTest, prefix: str) -> str:
    """Of a table's choice of rows, as the page made it."""
    ids = [element.proto.id for element in app.dataframe]
    return next(found[0] for found in (re.search(rf"{prefix}-[0-9a-f]{{12}}", i) for i in ids) if found)


def choose(app: AppTest, *chosen: int, prefix: str = "runs") -> AppTest:
    app.session_state[key_of(app, prefix)] = {"selection": {"rows": list(chosen), "columns": [], "cells": []}}
    return app.run()


def test_the_page_filters_by_its_url(open_page: Open, varied: Store) -> None:
    app = open_page("runs", q="wide", state="finished", group="g")
    assert list(app.dataframe[-1].value["title"]) == ["wide"] * 3
    assert app.dataframe[0].value["title"].tolist() == ["later"], "the queue is always shown"
    nothing = open_page("runs", q="nothing at all")
    assert "No run passes" in nothing.info[0].value
    over_seeds = open_page("runs", view="means over seeds")
    assert over_seeds.dataframe[-1].value["finished"].tolist()[:2] == [3, 2]
    choose(over_seeds, 1, prefix="groups")
    assert over_seeds.subheader[-1].value == "g\\: narrow"
    assert over_seeds.dataframe[-1].value["title"].tolist() == ["narrow"] * 2


def test_chosen_runs_are_deleted_only_after_asking(open_page: Open, varied: Store) -> None:
    before = {run.id for run in varied.list()}
    app = open_page("runs", q="narrow")
    choose(app, 0, 1)
    assert "2 runs chosen" in texts(app)
    button(app, "Delete").click().run()
    assert {run.id for run in varied.list()} == before, "it asks first"
    button(app, "Delete 2 runs").click().run()
    assert len(varied.list()) == len(before) - 2
    assert not app.exception


def test_a_run_that_refuses_holds_up_no_other(open_page: Open, varied: Store) -> None:
    app = open_page("runs")
    titles = list(app.dataframe[-1].value["title"])
    both = titles.index("broke"), titles.index("later")
    choose(app, *both)
    (failed,) = (run for run in varied.list() if run.phase == "failed")
    button(app, "Resume").click().run()
    assert varied.summary(failed.id).phase == "queued"
    change_status(varied, failed.id, phase="training", pid=1, host="elsewhere", heartbeat=time.time())
    choose(app, *both)
    button(app, "Stop now").click().run()
    assert any("runs on elsewhere" in toast.value for toast in app.toast)
    assert queued(varied) == []


def test_hostile_names_stay_text(open_page: Open, store: Store) -> None:
    record(store, make_config({"name": HOSTILE[:80], "group": HOSTILE[:80]}, preset="demo", sets=SHORT))
    app = open_page("runs")
    choose(app, 0)
    button(app, "Delete").click().run()
    said = re.sub(r"\\.", "", texts(app))
    assert not any(markup in said for markup in ("![p](", "[x](", ":red[", "<img"))


def test_examples_are_listed_and_left_alone(
    open_page: Open, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(config("name=mine"))
    monkeypatch.setattr("pages.widgets.stores.EXAMPLES", ROOT / "mimi_core" / "resources" / "examples")
    app = open_page("runs", state="example")
    assert len(app.dataframe[-1].value) == 2
    choose(app, 0)
    assert [b.label for b in app.button] == []
