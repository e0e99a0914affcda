"""Tiny real runs, made once: one epoch a cycle on a dozen digits."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mimi_core.cli.main import main
from mimi_core.config import make_config
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from mimi_core.train.cycle import run

TINY = ["data.shots=1", "data.max_eval=12", "train.epochs=1", "train.batch_size=10"]
MakeRun = Callable[..., Path]
Mimi = Callable[..., "pytest.CaptureResult[str]"]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def make_run(store: Store) -> MakeRun:
    def make(*sets: str) -> Path:
        config = make_config(preset="quick", sets=[*TINY, *sets])
        folder = store.folder(store.create(config))
        with Recorder(folder) as recorder:
            for event in run(config, recorder):
                recorder.emit(event)
        return folder

    return make


@pytest.fixture(scope="session")
def pruned(make_run: MakeRun) -> Path:
    """Three cycles of the bundled backbone, with parallel adapters; the last has lost some."""
    return make_run("adapter.placement=parallel", "prune.rho=0.75", "prune.sigma_target=64")


@pytest.fixture
def mimi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mimi:
    """The command line, in this process, which has torch: what it prints, given that it ends with `code`."""

    def call(*arguments: str, code: int = 0) -> "pytest.CaptureResult[str]":
        monkeypatch.setattr(sys, "argv", ["mimi", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        return capsys.readouterr()

    return call
