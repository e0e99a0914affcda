"""What does things asks who may, whatever the buttons show."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from mimi_core.config import make_config
from mimi_core.runs.formats.gallery import SavedCycle
from mimi_core.runs.store import Store
from pages.widgets import acting, gate
from tests.app.test_read_only import everything
from tests.conftest import QUICK
from tests.recorded import record

CONFIG = make_config(preset="quick", sets=QUICK)


@pytest.fixture
def mine(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of an app that is to be looked at only."""
    monkeypatch.setenv("MIMI_RUNS", str(store.directory))
    monkeypatch.setenv(gate.READ_ONLY, "1")
    return store


ACTIONS: dict[str, Callable[[Store, str], object]] = {
    "submit": lambda store, run: acting.submit(CONFIG),
    "branch": lambda store, run: acting.branch_off(store, run, 1, ["prune.score=random"]),
    "sweep": lambda store, run: acting.queue_sweep([CONFIG], False),
    "resume": acting.requeue,
    "stop after the cycle": acting.stop_after_cycle,
    "stop": acting.stop_now,
    "delete": acting.delete,
    "move": lambda store, run: acting.move(store, run, 0),
    "upload": lambda store, run: acting.unpack(io.BytesIO(b"PK"), "a.zip", lambda done, of: None),
    "check": lambda store, run: acting.check([CONFIG]),
    "check and wait": lambda store, run: acting.check_and_wait([CONFIG]),
    "measure neurons": lambda store, run: acting.measure_neurons(store, run, ("damage", run, SavedCycle(0, 0, 0), "a")),
}


def test_every_action_is_here() -> None:
    public = {name for name in vars(acting) if callable(getattr(acting, name)) and not name.startswith("_")}
    made_here = {name for name in public if getattr(acting, name).__module__ == acting.__name__}
    asked_only = {"stop_requested", "check_sweep"}
    assert len(made_here - asked_only) == len(ACTIONS)


@pytest.mark.parametrize("what", ACTIONS)
def test_who_may_only_look_changes_nothing(mine: Store, what: str) -> None:
    for run_id in (record(mine), mine.create(CONFIG)):
        before = everything(mine.directory)
        with pytest.raises(gate.NotAllowedError, match="read-only"):
            ACTIONS[what](mine, run_id)
        assert everything(mine.directory) == before


def test_nothing_is_left_of_an_upload_that_was_refused(mine: Store, tmp_path: Path) -> None:
    with pytest.raises(gate.NotAllowedError):
        ACTIONS["upload"](mine, "")
    assert not (tmp_path / "datasets").exists()
