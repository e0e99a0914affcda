"""Two runs of one minute, one title and one seed in a real Chromium: the page stays with the one that was asked for."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import served
from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.recorded import change_status, record

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_control_does_not_change_the_run_and_delete_takes_the_one_that_is_shown(page: Any, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    twins = [record(store, make_config(preset="demo", sets=["train.epochs=1"])) for _ in range(2)]
    for run_id in twins:
        change_status(store, run_id, created=1_790_000_000.0)
    with served(store.directory) as (address, _):
        for run_id in twins:
            page.goto(f"http://{address}/widths?run={run_id}")
            page.locator(".st-key-widths .heatmaplayer").first.wait_for()
            page.get_by_role("radio", name="mlp").click()
            page.wait_for_url(re.compile("layers=mlp"))
            page.locator("[data-test-script-state=notRunning]").wait_for()
            assert f"run={run_id}" in page.url
        page.goto(f"http://{address}/monitor?run={twins[0]}")
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("dialog").get_by_text(twins[0]).wait_for()
        page.get_by_role("dialog").get_by_role("button", name="Delete 1 run").click()
        page.wait_for_url(re.compile("/runs"))
    assert [run.id for run in store.list()] == [twins[1]]
