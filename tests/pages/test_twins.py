"""Runs that look alike in a list, as the seeds of a sweep do: a page goes on about the one that its address names."""

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.pages.opening import MakeRun, Open, button, texts
from tests.recorded import change_status

PAGES = ["monitor", "predict", "report", "why", "widths"]
"""Those with a picker of runs."""
Twins = tuple[str, str]


@pytest.fixture
def twins(make_run: MakeRun, store: Store) -> Twins:
    """Two runs with one title, one seed and one minute of creation; a third has another seed."""
    ids = [make_run(make_config(preset="demo", sets=["train.epochs=1", f"seed={seed}"])) for seed in (0, 0, 1)]
    for run_id in ids:
        change_status(store, run_id, created=1_790_000_000.0)
    return ids[0], ids[1]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("which", [0, 1])
def test_the_address_decides_whatever_is_moved(open_page: Open, twins: Twins, page: str, which: int) -> None:
    app = open_page(page, run=twins[which])
    for _ in range(2):  # each sends every control's value back, as a browser does when any of them is moved
        app.run()
        assert app.query_params["run"] == twins[which]
        assert app.selectbox[0].value == twins[which]


@pytest.mark.parametrize("page", PAGES)
def test_every_run_has_a_label_of_its_own_with_seed_and_id(open_page: Open, twins: Twins, page: str) -> None:
    app = open_page(page, run=twins[0])
    labels = app.selectbox[0].options
    assert len(set(labels)) == len(labels) == 3
    assert sum("seed 0" in label for label in labels) == 2
    assert {label.rpartition(" ")[2] for label in labels} >= {run_id[-4:] for run_id in twins}
    app.selectbox[0].set_value(twins[1]).run()
    assert app.query_params["run"] == twins[1]


def test_the_second_run_of_a_comparison_stays(open_page: Open, twins: Twins) -> None:
    app = open_page("widths", run=twins[0])
    second = app.selectbox(key="address.with")
    second.set_value(twins[1]).run()
    app.run()
    assert (app.query_params["run"], app.query_params["with"]) == twins


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_deleted_is_what_was_asked_about(open_page: Open, twins: Twins, store: Store, which: int) -> None:
    app = open_page("monitor", run=twins[which])
    button(app, "Delete").click().run()
    said = texts(app).replace("\\", "")
    assert "demo · seed 0" in said
    assert twins[which] in said
    assert twins[1 - which] not in said
    button(app, "Delete 1 run").click().run()
    assert twins[which] not in {run.id for run in store.list()}
    assert twins[1 - which] in {run.id for run in store.list()}


@pytest.mark.parametrize("label", ["Delete", "Duplicate", "Branch"])
def test_a_click_meant_for_one_run_is_none_for_another(open_page: Open, twins: Twins, label: str) -> None:
    first, second = (button(open_page("monitor", run=run_id), label).key for run_id in twins)
    assert first != second
