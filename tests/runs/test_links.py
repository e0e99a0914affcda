"""A link in the place of any file or folder of a run: what it leads to stays as it is, and whoever acts is told."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimi_core.analysis.report import run_report
from mimi_core.errors import MimiError, RunError
from mimi_core.runs import control, files, writing
from mimi_core.runs.branch import branch
from mimi_core.runs.events import Warned
from mimi_core.runs.formats import fingerprint, safe_state
from mimi_core.runs.queue.dispatcher import queue_locked
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.recorded import record

NAMES = [
    files.CONFIG,
    files.EVENTS,
    files.STATUS,
    files.LOG,
    files.LOCK,
    files.STOP,
    files.GALLERY,
    fingerprint.NAME,
    files.RESUME,
    f"{files.RESUME}/newest.safetensors",
    f"{files.RESUME}/previous.safetensors",
    files.CYCLES,
    f"{files.CYCLES}/0",
    f"{files.CYCLES}/0/adapters.safetensors",
    f"{files.CYCLES}/1/scores.npz",
    f"{files.CYCLES}/1/predictions.npz",
    ".",
]
"""All that a run folder has, and the folder itself."""


@pytest.fixture
def run(store: Store) -> Path:
    """One that was stopped, with every kind of file."""
    run_id = record(store, outcome="stopped", cuts=1, log="log\n")
    folder = store.folder(run_id)
    with Recorder(folder) as recorder:
        everything(recorder)
        recorder.update(phase="stopped")
    writing.write_text(folder, fingerprint.NAME, "{}")
    writing.write_text(folder, files.STOP, "after this cycle\n")
    return folder


def everything(recorder: Recorder) -> None:
    """Every kind of write that a worker does."""
    arrays = {"a": np.ones(3)}
    recorder.emit(Warned(time=0, code="test", message="said"))
    for cycle in (0, 1):
        recorder.save_adapters(cycle, arrays, {"cycle": cycle})
        recorder.save_arrays(cycle, "scores", arrays)
        recorder.save_arrays(cycle, "predictions", arrays)
        recorder.save_state(arrays, {"cycle": cycle})
    recorder.save_gallery(arrays)


def led_outside(run: Path, name: str, outside: Path) -> Path:
    """Put a link in the place of something; where it now is, with all that it held."""
    outside.mkdir()
    target = outside / "precious"
    path = run if name == "." else run / name
    os.rename(path, target)
    path.symlink_to(target)
    return target


def content(path: Path) -> dict[str, bytes]:
    """All that is in a folder, or a file's own content."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


ACTS: dict[str, Callable[[Store, str], object]] = {
    "resume": lambda store, run_id: Recorder(store.folder(run_id)).__enter__(),
    "queue again": lambda store, run_id: control.requeue(store, run_id, wake=False),
    "branch": lambda store, run_id: branch(store, run_id, 0, [], store),
}
REFUSED = r"is a link to .*precious.*Remove the link, or put a copy"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("act", ACTS)
def test_whoever_goes_on_with_a_link_is_refused_and_told_which(
    name: str, act: str, run: Path, store: Store, tmp_path: Path
) -> None:
    target = led_outside(run, name, tmp_path / "outside")
    before = content(target)
    with pytest.raises(RunError, match=REFUSED) as refused:
        ACTS[act](Store(store.directory), run.name)
    assert str(run / name) in str(refused.value)
    assert content(target) == before
    assert content(tmp_path / "outside").keys() == {f"precious{'/' * bool(k)}{k}" for k in before}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (files.CONFIG, fingerprint.NAME, files.STOP)])
def test_a_link_that_comes_while_a_worker_is_there_is_not_followed_either(
    name: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = led_outside(run, name, tmp_path / "outside")
    before = content(target)
    monkeypatch.setattr(writing, "refuse_links", lambda _: None)  # it looked just before

    def worker() -> None:
        with Recorder(run) as recorder:
            recorder.load_state()
            everything(recorder)
            with writing.extended(run, files.LOG) as log:
                log.write(b"x")

    if name == f"{files.RESUME}/previous.safetensors":
        worker()  # it is replaced by the state before, which is what happens to a name
        assert not (run / name).is_symlink()
    else:
        with pytest.raises(MimiError):
            worker()
    assert content(target) == before


@pytest.mark.parametrize("name", NAMES)
def test_stopping_reporting_and_deleting_change_nothing_outside(
    name: str, run: Path, store: Store, tmp_path: Path
) -> None:
    target = led_outside(run, name, tmp_path / "outside")
    before, fresh = content(target), Store(store.directory)
    for act in (control.stop_after_cycle, control.stop_now, control.stop_requested, run_report):
        with contextlib.suppress(MimiError):  # such as that it does not run
            act(fresh, run.name)
    assert content(target) == before
    control.delete(fresh, run.name)
    assert content(target) == before
    assert not os.path.lexists(run)
    assert [path for path in store.directory.iterdir() if path.name.startswith(f".{run.name}")] == []


def test_links_of_every_depth_go_with_a_deleted_run(run: Path, store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(run, outside)
    before = content(outside)
    for place in ("cycles/0/more", "resume/more", "more", ".hidden"):
        (run / place).symlink_to(outside)
    for place in ("cycles/0/file", "file"):
        os.link(outside / files.CONFIG, run / place)
    store.delete(run.name)
    assert content(outside) == before


@pytest.mark.parametrize("name", [files.EVENTS, files.LOG, files.LOCK])
def test_a_second_name_of_a_file_that_is_extended_is_refused(name: str, run: Path, tmp_path: Path) -> None:
    os.link(run / name, tmp_path / "second")
    before = content(tmp_path / "second")
    with pytest.raises(RunError, match=r"a second name .*hard link.*cp -p"), Recorder(run):
        pass
    with pytest.raises(RunError, match="hard link"):
        writing.opened(run, name, os.O_WRONLY)
    assert content(tmp_path / "second") == before


def test_a_second_name_of_a_file_that_is_replaced_keeps_its_content(run: Path, tmp_path: Path) -> None:
    """As in a backup that is made of hard links."""
    os.link(run / files.GALLERY, tmp_path / "second")
    before = content(tmp_path / "second")
    with Recorder(run) as recorder:
        recorder.save_gallery({"b": np.zeros(2)})
    assert content(tmp_path / "second") == before
    assert content(run / files.GALLERY) != before


@pytest.mark.parametrize("name", [files.EVENTS, files.LOG, files.LOCK])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(name: str, run: Path) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(RunError, match="is no regular file: remove it"), Recorder(run):
        pass
    with pytest.raises(RunError, match=r"a pipe or a device|no regular file"):
        writing.append(run, name, b"x")


def test_the_folder_of_all_runs_may_be_a_link(run: Path, store: Store, tmp_path: Path) -> None:
    """Where the runs are is their owner's to say, as on another disk."""
    (tmp_path / "elsewhere").symlink_to(store.directory)
    linked = Store(tmp_path / "elsewhere")
    with Recorder(linked.folder(run.name)) as recorder:
        everything(recorder)
        recorder.update(phase="stopped")
    control.delete(linked, run.name)
    assert not run.exists()


def test_the_queue_locks_nothing_outside(store: Store, tmp_path: Path) -> None:
    home = store.directory / ".dispatcher"
    home.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    (home / "queue.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(MimiError), queue_locked(store.directory):
        pass
    assert (tmp_path / "precious").read_text() == "precious"


def test_half_a_line_is_taken_back(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / files.EVENTS).read_bytes()
    really = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: really(handle, line[:3]))
    with pytest.raises(MimiError, match="disk is full"):
        writing.append(run, files.EVENTS, b"a whole line\n")
    assert (run / files.EVENTS).read_bytes() == before


def test_a_state_is_whole_after_it_was_written_twice(run: Path) -> None:
    for number in range(3):
        safe_state.write(run, {"w": np.array([number])}, {"cycle": number})
    assert [state[1]["cycle"] for state, _ in safe_state.candidates(run)] == [2, 1]
