"""A run does not care about its page, nor about the server of the app; and it stops when it is told to."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import served
from mimi_core.config import make_config
from mimi_core.runs import control
from mimi_core.runs.store import Store
from tests.conftest import QUICK

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE = 120_000
"""Milliseconds."""


def test_reload_restart_stop_and_resume(page: Any, tmp_path: Path) -> None:
    page.set_default_timeout(PATIENCE)
    store = Store(tmp_path / "runs")
    with served(store.directory) as (address, _):
        run_id = control.submit(store, make_config(preset="quick", sets=[*QUICK, "train.epochs=60"]))
        page.goto(f"http://{address}/monitor?run={run_id}")
        page.get_by_text(re.compile(r"epoch \d+ of 60")).first.wait_for()
        page.reload()
        page.get_by_text(re.compile(r"epoch \d+ of 60")).first.wait_for()
    before = store.summary(run_id)
    assert before.phase not in ("stopped", "failed", "died"), "it goes on without the app"

    with served(store.directory) as (address, _):
        page.goto(f"http://{address}/monitor?run={run_id}")
        page.get_by_role("button", name="Stop now").click()
        page.get_by_role("button", name="Resume").wait_for()
        stopped = store.summary(run_id)
        assert stopped.phase == "stopped"
        assert stopped.progress >= before.progress

        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Stop after this cycle").click()
        page.get_by_role("button", name="Resume").wait_for()
        state = store.state(run_id)
        last = state.epochs[-1]
        assert (last.epoch, len(state.epochs)) == (60, 60 * (last.cycle + 1)), "the cycle was done, and nothing twice"
        assert store.summary(run_id).phase == "stopped"
