"""Training curves: one table that grows, and charts that stay what they are."""

import json
from collections import Counter

import pytest
from altair.vegalite.v6.schema.core import load_schema
from jsonschema.validators import validator_for

from mimi_core.analysis.monitor.curves import CUT, TRAINING, accuracy_chart, curves_table, loss_chart, total_steps
from mimi_core.config import make_config
from mimi_core.runs.events import RunState
from mimi_core.runs.store import Store
from tests.recorded import record

CONFIG = make_config(preset="demo", sets=["train.epochs=3"])


def test_every_point_is_a_row(store: Store) -> None:
    state = store.state(record(store, CONFIG))
    table = curves_table(state)
    assert Counter(table["series"]) == {
        TRAINING: 15,
        "val, after training": 5,
        "test, after training": 5,
        "val, right after a cut": 4,
        "test, right after a cut": 4,
        CUT: 4,
    }
    cuts = table[table["series"] == CUT]
    assert (list(cuts["step"]), list(cuts["name"])) == ([3.5, 6.5, 9.5, 12.5], ["cut 1", "cut 2", "cut 3", "cut 4"])
    assert table[table["series"] == TRAINING].groupby("cycle").size().tolist() == [3] * 5, "a line for every cycle"
    assert table.loc[table["series"] == TRAINING, "loss"].notna().all()
    assert curves_table(RunState()).empty
    assert (curves_table(RunState()).dtypes == table.dtypes).all(), "a page sees the same table before and after"


@pytest.mark.parametrize("cuts", [0, 4])
def test_the_charts_are_vega_lite_and_read_the_table(store: Store, cuts: int) -> None:
    schema, columns = load_schema(), set(curves_table(RunState()).columns)
    for chart in (accuracy_chart(15, cuts), loss_chart(15)):
        validator_for(schema)(schema).validate(json.loads(json.dumps({**chart, "data": {"name": "table"}})))
        for layer in chart["layer"]:
            assert {e["field"] for e in layer["encoding"].values() if "field" in e} <= columns
            assert layer["encoding"]["x"]["scale"]["domain"] == [0.5, 15.5], "the axis of the whole run from the start"
    points = accuracy_chart(15, cuts)["layer"][-1]["encoding"]["shape"]["scale"]
    assert len(points["domain"]) == len(points["range"]) == (5 if cuts else 3)


def test_the_axis_is_of_the_whole_run(store: Store) -> None:
    half_way = store.state(record(store, CONFIG, cuts=1, outcome=None))
    assert total_steps(half_way, CONFIG) == 15
    assert total_steps(half_way, make_config(preset="demo", sets=["train.epochs=5"])) == 3 + 4 * 5, "as in a branch"
    not_retrained = make_config(preset="demo", sets=["train.epochs=3", "prune.retrain_last=false"])
    assert total_steps(half_way, not_retrained) == 12
    assert total_steps(RunState(), make_config(sets=["method=linear", "train.epochs=7"])) == 7
