"""What somebody sees who looks on while a run goes, or while its cuts are played."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.recorded import change_status, record

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Serve = Callable[[Path], str]


@pytest.mark.parametrize("events", [1, 2])
def test_the_first_epoch_draws_no_chart_without_extent(page: Any, serve: Serve, tmp_path: Path, events: int) -> None:
    runs = tmp_path / "runs"
    store = Store(runs)
    run_id = record(store, make_config(preset="demo", sets=["train.epochs=2"]), outcome="stopped")
    path = store.folder(run_id) / "events.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:events]))
    change_status(store, run_id, progress=0.01)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{serve(runs)}/monitor?run={run_id}")
    page.get_by_text("Widths so far").wait_for()
    if events == 2:  # the start, and an epoch
        page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
    else:
        page.get_by_text("No epoch was finished").wait_for()
    page.wait_for_timeout(2000)
    endless = [text for text in said if "Infinite extent" in text]
    assert len(endless) <= page.get_by_test_id("stVegaLiteChart").count(), (
        "one each: Streamlit gives it data afterwards"
    )


def test_controls_stay_where_they_are_while_cuts_are_played(page: Any, serve: Serve, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run_id = record(Store(runs))
    page.goto(f"{serve(runs)}/widths?run={run_id}&cycle=1")
    page.get_by_role("heading", name=re.compile("after 1 cut$")).wait_for()
    controls = ("share", "attention", "position")
    before = {name: page.get_by_text(name, exact=True).first.bounding_box()["x"] for name in controls}
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    during = {name: page.get_by_text(name, exact=True).first.bounding_box()["x"] for name in controls}
    assert during == before
