"""The run folder: one writer at a time, nothing half-written, two generations of safe states."""

import errno
import io
import os
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from mimi_core.config import RunConfig
from mimi_core.errors import ResourceError, RunError
from mimi_core.runs import files, writing
from mimi_core.runs.events import Warned, read_events
from mimi_core.runs.recorder import STATUS_PERIOD, Recorder
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store


@pytest.fixture
def run(tmp_path: Path, quick_config: RunConfig) -> Path:
    store = Store(tmp_path)
    return store.folder(store.create(quick_config))


def warned(number: int) -> Warned:
    return Warned(time=float(number), code="n", message=str(number))


def messages(run: Path) -> list[str]:
    return [warning.message for warning in read_events(run / files.EVENTS).warnings]


def test_the_status_is_kept_fresh_and_tells_who_works(run: Path) -> None:
    with Recorder(run) as recorder:
        recorder.update(phase="training", progress=0.25, cycle=1)
        first = time.time()
        while (status := read_status(run)) is None or status.progress != 0.25:
            assert time.time() - first < 20 * STATUS_PERIOD
            time.sleep(0.02)
        assert (status.phase, status.pid, status.shown_phase) == ("training", os.getpid(), "training")
        assert status.memory_bytes is not None
        assert status.memory_bytes > 1_000_000
    assert list(run.glob(".*partial")) == []


def test_two_workers_cannot_have_one_run(run: Path) -> None:
    with Recorder(run), pytest.raises(RunError, match="being worked on"), Recorder(run):
        pass
    with Recorder(run):
        pass  # free again


def test_a_resumed_run_tells_nothing_twice(run: Path) -> None:
    with Recorder(run) as recorder:
        recorder.emit(warned(1))
        recorder.save_state({"w": np.arange(3.0)}, {"cycle": 0})
        recorder.emit(warned(2))  # after the safe state: will happen again
    assert messages(run) == ["1", "2"]
    with Recorder(run) as recorder:
        state = recorder.load_state()
        assert state is not None
        assert (state[0]["w"].tolist(), state[1]) == ([0.0, 1.0, 2.0], {"cycle": 0})
        assert messages(run) == ["1"]


def test_a_broken_newest_state_falls_back_to_the_one_before(run: Path) -> None:
    with Recorder(run) as recorder:
        recorder.emit(warned(1))
        recorder.save_state({"w": np.array([1.0])}, {"cycle": 1})
        recorder.emit(warned(2))
        recorder.save_state({"w": np.array([2.0])}, {"cycle": 2})
        newest = run / files.RESUME / "newest.safetensors"
        newest.write_bytes(newest.read_bytes()[:-3])
        state = recorder.load_state()
        assert state is not None
        assert state[1] == {"cycle": 1}
        assert messages(run) == ["1"]
        newest.unlink()
        (run / files.RESUME / "previous.safetensors").write_bytes(b"rubbish")
        assert recorder.load_state() is None
        assert messages(run) == [], "without any state everything happens again"


def test_a_full_disk_is_one_clear_error_and_leaves_the_old_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Recorder(run) as recorder:
        recorder.save_state({"w": np.array([1.0])}, {"cycle": 1})

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        class Full(io.BytesIO):
            def write(self, content: object) -> NoReturn:
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(ResourceError, match="disk is full: free some space"):
                recorder.emit(warned(1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(ResourceError, match="disk is full"):
                recorder.save_state({"w": np.array([2.0])}, {"cycle": 2})
        with monkeypatch.context() as patch:
            patch.setattr(writing, "open", lambda *_: Full(), raising=False)
            with pytest.raises(ResourceError, match="disk is full"):
                recorder.save_adapters(1, {"w": np.array([2.0])}, {"cycle": 1})
        state = recorder.load_state()
        assert state is not None
        assert state[1] == {"cycle": 1}
    assert list(run.rglob(".*partial")) == []


def test_a_status_that_cannot_be_written_stops_the_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes it has nobody to tell; the next call of the run's own thread raises for it."""
    with Recorder(run) as recorder:
        real = os.replace

        def denied(source: str, target: str, **folders: int) -> None:
            if str(target).endswith(files.STATUS):
                raise PermissionError(errno.EACCES, "denied")
            real(source, target, **folders)

        monkeypatch.setattr(os, "replace", denied)
        time.sleep(3 * STATUS_PERIOD)
        with pytest.raises(ResourceError, match="cannot be written: change its permissions"):
            recorder.update(progress=0.5)
        monkeypatch.undo()


def test_forgetting_leaves_no_states(run: Path) -> None:
    with Recorder(run) as recorder:
        recorder.save_state({"w": np.array([1.0])}, {})
        (run / files.RESUME / ".newest.safetensors.1.partial").write_bytes(
            b"of a worker that was killed while it wrote"
        )
        recorder.forget_state()
        assert not (run / files.RESUME).exists()


def test_what_a_killed_worker_was_writing_is_cleared_away(run: Path) -> None:
    (run / ".status.json.1.partial").write_bytes(b"{")
    (run / files.STOP).write_text("for the attempt before")
    with Recorder(run) as recorder:
        assert list(run.rglob(".*.partial")) == []
        assert not recorder.stop_requested()
