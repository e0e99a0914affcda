"""What the tests of methods share."""

import gc

import pytest


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run collects garbage when its data are there: slow in a process that has imported everything."""
    monkeypatch.setattr(gc, "collect", lambda: 0)
