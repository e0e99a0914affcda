"""What may be made has limits, told before anything is made."""

import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.config import make_config
from mimi_core.runs import quota
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store
from pages.widgets import gate
from tests.conftest import QUICK
from tests.pages.opening import Open, button
from tests.pages.opening import texts as marked_up


def texts(app: AppTest) -> str:
    """Without the backslashes that keep Markdown out of it."""
    return marked_up(app).replace("\\", "")


def test_a_run_too_many_is_refused_and_not_made(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quota.RUNS, "1")
    button(open_page("launch", preset="quick"), "Launch").click().run()
    assert len(store.list()) == 1
    again = button(open_page("launch", preset="quick"), "Launch").click().run()
    assert "one more would be over the limit of 1 (MIMI_MAX_RUNS)" in texts(again)
    assert len(store.list()) == 1


def test_a_sweep_is_queued_whole_or_not(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quota.RUNS, "5")
    app = open_page("launch", preset="quick", kind="Sweep")
    refused = button(app, "Queue 6 runs").click().run()
    assert "6 more would be over the limit of 5" in texts(refused)
    assert store.list() == []


def test_what_goes_on_counts_too(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = store.create(make_config(preset="quick", sets=QUICK))
    status = read_status(store.folder(run_id))
    assert status is not None
    write_status(store.folder(run_id), status.model_copy(update={"phase": "stopped"}))
    monkeypatch.setenv(quota.RUNS, "0")
    app = button(open_page("monitor", run=run_id), "Resume").click().run()
    assert any("limit of 0" in toast.value for toast in app.toast)
    assert store.summary(run_id).phase == "stopped"


@pytest.mark.parametrize("page", ["home", "launch"])
def test_a_disk_that_is_nearly_full_takes_no_run(
    open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setenv(quota.FREE, "1e9")
    label = {"home": "Run the demo", "launch": "Launch"}[page]
    assert "are to stay free" in texts(button(open_page(page), label).click().run())
    assert not store.directory.exists() or store.list() == []


def test_a_setting_that_is_neither_on_nor_off_shuts_the_app(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gate.READ_ONLY, "maybe")
    app = open_page("home")
    assert "MIMI_READ_ONLY: 'maybe' is neither 1 nor 0" in texts(app)
    assert not app.button


def test_buttons_say_why_they_cannot_be_pressed(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gate.READ_ONLY, "1")
    run_id = store.create(make_config(preset="quick", sets=QUICK))
    for page, label in (("home", "Run the demo"), ("launch", "Launch"), ("monitor", "Take out of the queue")):
        shown = button(open_page(page, run=run_id) if page == "monitor" else open_page(page), label)
        assert shown.disabled
        assert shown.help == gate.ONLY_LOOK


def test_a_dialog_that_is_open_when_it_stops_being_allowed_does_nothing(
    open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create(make_config(preset="quick", sets=QUICK))
    app = button(open_page("monitor", run=run_id), "Delete").click().run()
    monkeypatch.setenv(gate.READ_ONLY, "1")
    app = button(app, "Delete 1 run").click().run()
    assert any("read\\-only" in toast.value for toast in app.toast)
    assert store.summary(run_id).phase == "queued"
