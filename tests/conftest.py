"""What all tests share. Kept free of torch, so that tests of the app start fast."""

import pytest

from mimi_core.config import RunConfig, make_config

QUICK = ["data.shots=3", "data.max_eval=30", "train.epochs=2", "train.batch_size=10"]
"""With the preset `quick`: two cuts of the bundled backbone in a few seconds."""


@pytest.fixture
def quick_config() -> RunConfig:
    return make_config(preset="quick", sets=QUICK)
