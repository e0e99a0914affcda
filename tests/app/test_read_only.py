"""A real server that is to be looked at only, and somebody who sends clicks on buttons that cannot be clicked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving import served
from benchmarks.tab import Answer, Tab
from mimi_core.config import make_config
from mimi_core.resources import EXAMPLES
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store
from pages.widgets import gate
from pages.widgets.menu import pages
from tests.conftest import QUICK
from tests.recorded import record

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A finished run, one that waits, one that was stopped."""
    store = Store(tmp_path / "runs")
    record(store)
    for phase in ("queued", "stopped"):
        run_id = store.create(make_config(preset="quick", sets=[*QUICK, f"name={phase}"]))
        status = read_status(store.folder(run_id))
        assert status is not None
        write_status(store.folder(run_id), status.model_copy(update={"phase": phase}))
    return store.directory


@pytest.fixture
def read_only(runs: Path) -> Iterator[str]:
    with served(runs, env={gate.READ_ONLY: "1"}) as (address, _):
        yield address


def everything(folder: Path) -> dict[str, bytes]:
    """Every file in it, with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def ids(runs: Path) -> dict[str, str]:
    return {run.phase: run.id for run in Store(runs).list()}


def pressed(tab: Tab, page: str, label: str, query: str = "") -> Answer:
    """Press a button, whether or not it may be pressed."""
    return tab.change(tab.open(page, query), label, trigger_value=True)


def test_nothing_that_anybody_sends_changes_anything(runs: Path, read_only: str) -> None:
    known, before = ids(runs), everything(runs)
    for page, label, query in (
        ("home", "Run the demo", ""),
        ("launch", "Launch", "preset=quick"),
        ("launch", "Check before launch", "preset=quick"),
        ("launch", "Queue 6 runs", "kind=Sweep&preset=quick"),
        ("monitor", "Take out of the queue", f"run={known['queued']}"),
        ("monitor", "Delete", f"run={known['queued']}"),
        ("monitor", "Resume", f"run={known['stopped']}"),
    ):
        with Tab(read_only) as tab:
            shown = tab.open(page, query)
            assert shown.widgets[label][0] == "button"
            assert not tab.change(shown, label, trigger_value=True).failed
    assert everything(runs) == before
    assert [file.name for file in runs.parent.iterdir() if file.is_dir()] == ["runs"]


def test_the_same_clicks_do_act_where_they_may(runs: Path) -> None:
    """So that the test above can fail."""
    stopped = ids(runs)["stopped"]
    Store(runs).delete(ids(runs)["queued"])  # nobody is to work on it
    with served(runs) as (address, _), Tab(address) as tab:
        asked = pressed(tab, "monitor", "Delete", f"run={stopped}")
        tab.change(asked, "Delete 1 run", trigger_value=True)
    assert stopped not in ids(runs).values()


def test_looking_and_predicting_work(read_only: str) -> None:
    query = f"run={Store(EXAMPLES).list()[0].id}"
    with Tab(read_only) as tab:
        for page in pages():
            assert not tab.open(page, query).failed
        assert "read-only" in tab.open("widths", query).text
        assert "A picture" in tab.open("predict", query).widgets
