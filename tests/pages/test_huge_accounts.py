"""Accounts far larger than any run's: pages stay usable, and say what they leave out."""

import json
from pathlib import Path

import pytest

from mimi_core.analysis.report import run_report
from mimi_core.runs import files
from mimi_core.runs.events import MOST_WARNINGS, Warned, to_line
from mimi_core.runs.store import Store
from tests.pages.opening import MakeRun, Open, texts
from tests.recorded import vit_sites

WARNINGS = 200_000


@pytest.fixture
def warned(make_run: MakeRun, store: Store) -> str:
    run_id = make_run()
    line = to_line(Warned(time=1.0, code="test", message="said"))
    with (store.folder(run_id) / files.EVENTS).open("ab") as file:
        file.write(line * WARNINGS)
    return run_id


def test_of_many_warnings_some_are_shown_and_all_are_counted(open_page: Open, warned: str, store: Store) -> None:
    app = open_page("monitor", run=warned)
    assert len(app.warning) < 30
    assert f"And {WARNINGS - 20:,} more warnings: the log has them all." in texts(app)
    report = run_report(store, warned)
    assert f"{WARNINGS - 50:,} more in the run" in report
    assert report.count(">said<") + report.count("said</") < 100
    assert len(store.state(warned).warnings) == MOST_WARNINGS


def test_a_hundred_thousand_cuts_are_none(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    path: Path = store.folder(run_id) / files.EVENTS
    first, *rest = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps({**json.loads(first), "keep_fractions": [0.5] * 100_000}) + "\n" + "".join(rest))
    assert "100,000 cuts" in store.state(run_id).fault
    assert "100,000 cuts" in run_report(store, run_id)
    for page in ("home", "runs", "monitor", "widths", "why"):
        open_page(page, run=run_id)


@pytest.mark.parametrize("page", ["home", "runs", "monitor", "predict", "report"])
def test_a_hundred_thousand_classes(open_page: Open, make_run: MakeRun, page: str) -> None:
    open_page(page, run=make_run(class_names=[f"class {number}" for number in range(100_000)]))


def test_a_report_of_thousands_of_layers_says_that_it_has_no_picture(make_run: MakeRun, store: Store) -> None:
    report = run_report(store, make_run(sites=vit_sites(depth=600), cuts=1))
    assert "1,200 layers; their table has them all" in report


def test_a_thousand_layers(make_run: MakeRun, open_page: Open) -> None:
    run_id = make_run(sites=vit_sites(depth=500))
    for page in ("home", "monitor", "widths"):
        open_page(page, run=run_id)
