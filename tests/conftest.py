"""What all tests share. Kept free of torch, so that tests of the app start fast."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mimi_core.config import RunConfig, make_config
from mimi_core.runs.store import Store
from tests.recorded import record

QUICK = ["data.shots=3", "data.max_eval=30", "train.epochs=2", "train.batch_size=10"]
"""With the preset `quick`: two cuts of the bundled backbone in a few seconds."""


@pytest.fixture
def quick_config() -> RunConfig:
    return make_config(preset="quick", sets=QUICK)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def make_run(store: Store) -> Callable[..., str]:
    return lambda *args, **options: record(store, *args, **options)
