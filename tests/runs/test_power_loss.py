"""The power fails: bytes that were written are missing at the end of files, or zero. A resume is right all the same."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

from mimi_core.config import RunConfig, read_run_config
from mimi_core.errors import ConfigError, ResourceError
from mimi_core.runs import control, files
from mimi_core.runs.events import Warned, read_events
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store


def warned(number: int) -> Warned:
    return Warned(time=float(number), code="test", message=str(number))


def messages(run: Path) -> list[str]:
    return [warning.message for warning in read_events(run / files.EVENTS).warnings]


@pytest.fixture
def run(tmp_path: Path, quick_config: RunConfig) -> Path:
    """Three events with a safe state after each of the first two."""
    store = Store(tmp_path)
    folder = store.folder(store.create(quick_config))
    with Recorder(folder) as recorder:
        for number in (1, 2):
            recorder.emit(warned(number))
            recorder.save_state({"w": np.array([number])}, {"cycle": number})
        recorder.emit(warned(3))
    return folder


def resumed(run: Path) -> tuple[int | None, list[str]]:
    with Recorder(run) as recorder:
        state = recorder.load_state()
        return (state[1]["cycle"] if state else None), messages(run)


def test_every_length_of_the_event_file_resumes_with_what_it_holds(run: Path) -> None:
    """With an event missing before a state that state would tell a run without it, which then ends as "finished"."""
    whole = (run / files.EVENTS).read_bytes()
    first, second, _ = (len(line) for line in whole.splitlines(keepends=True))
    for length in range(len(whole) + 1):
        (run / files.EVENTS).write_bytes(whole[:length])
        kept = (length >= first) + (length >= first + second)
        assert resumed(run) == (kept or None, [str(n) for n in range(1, kept + 1)]), length


def test_zeros_in_place_of_events(run: Path) -> None:
    whole = (run / files.EVENTS).read_bytes()
    first = len(whole.splitlines(keepends=True)[0])
    (run / files.EVENTS).write_bytes(whole[:first] + bytes(len(whole) - first))
    assert resumed(run) == (1, ["1"])
    (run / files.EVENTS).write_bytes(bytes(len(whole)))
    assert resumed(run) == (None, [])


def test_no_event_file_at_all(run: Path) -> None:
    (run / files.EVENTS).unlink()
    assert resumed(run)[0] is None


def test_half_an_event_is_taken_back_so_that_the_next_is_not_lost(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is full for a moment."""
    really = os.write
    with Recorder(run) as recorder:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda handle, line: really(handle, line[: len(line) // 2]))
            with pytest.raises(ResourceError, match="disk is full"):
                recorder.emit(warned(4))
        recorder.emit(warned(5))
    assert messages(run) == ["1", "2", "3", "5"]
    assert read_events(run / files.EVENTS).unreadable_lines == 0


@pytest.mark.parametrize("content", [b"", b"\n", bytes(500), b"# nothing\n"])
def test_an_empty_config_is_no_default_config(content: bytes, run: Path) -> None:
    (run / files.CONFIG).write_bytes(content)
    store = Store(run.parent)
    assert store.summary(run.name).phase == "broken"
    with pytest.raises(ConfigError):
        store.config(run.name)


def test_a_config_of_any_length_is_whole_or_refused(run: Path) -> None:
    """At the end of a line what is left is a config, too, but of another run: with defaults for what is missing."""
    path = run / files.CONFIG
    whole, config = path.read_bytes(), Store(run.parent).config(run.name)
    ends = [end for end in range(1, len(whole)) if whole[end - 1] == 10]
    for length in sorted({*ends, *(end - 2 for end in ends), *range(len(whole) - 20, len(whole))}):
        path.write_bytes(whole[:length])
        with contextlib.suppress(ConfigError):
            assert read_run_config(path) == config, length
    path.write_bytes(whole[:-1])
    assert read_run_config(path) == config


def test_a_run_whose_status_is_empty_can_be_resumed_everywhere(run: Path) -> None:
    (run / files.STATUS).write_bytes(b"")
    store = Store(run.parent)
    control.requeue(store, run.name, wake=False)
    status = read_status(run)
    assert status is not None
    assert status.phase == "queued"
