"""Pages as tests open them."""

from pathlib import Path

import pytest

from mimi_core.runs.store import Store
from tests.pages.opening import Open, opened


@pytest.fixture
def open_page(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page of the app on the test's store, without examples and without a dispatcher."""
    monkeypatch.setenv("MIMI_RUNS", str(store.directory))
    monkeypatch.setattr("pages.widgets.stores.EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr("pages.widgets.stores.STUDY", tmp_path / "study")
    for place in ("mimi_core.runs.control", "mimi_core.sweeps.matching", "mimi_core.runs.queue.dispatcher"):
        monkeypatch.setattr(f"{place}.ensure_dispatcher", lambda directory: None)
    return opened
