"""The store: whole runs or none, hostile ids, broken folders, and a thousand of them at once."""

import json
import os
import time
from pathlib import Path

import pytest

from mimi_core.config import RunConfig, make_config
from mimi_core.errors import ResourceError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import to_line
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store

from .test_events import EVENTS


def test_a_new_run_is_complete_and_queued(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path / "deep" / "runs")
    run_id = store.create(quick_config)
    (summary,) = store.list()
    assert (summary.id, summary.phase, summary.data, summary.cycles) == (run_id, "queued", "digits", 0)
    stored = store.config(run_id)
    assert stored.model_copy(update={"versions": {}}) == quick_config
    assert {"torch", "timm", "mimi_core"} <= set(stored.versions)
    assert sorted(p.name for p in summary.folder.iterdir()) == ["config.yaml", "status.json"]


def test_no_folder_is_no_runs(tmp_path: Path) -> None:
    assert Store(tmp_path / "absent").list() == []


def test_a_summary_adds_up_the_events(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    path = store.folder(run_id) / files.EVENTS
    path.write_bytes(to_line(EVENTS[0]))
    assert store.summary(run_id).neurons == 8
    path.write_bytes(b"".join(to_line(e) for e in EVENTS))  # type: ignore[arg-type]
    summary = store.summary(run_id)
    assert (summary.neurons_at_start, summary.neurons, summary.removed, summary.sites) == (8, 4, 1, 2)
    assert (summary.cycle, summary.cycles, summary.accuracy, summary.trained_parameters) == (1, 2, 0.7, 260)


@pytest.mark.parametrize(
    "run_id", ["..", ".", "", "../x", "a/b", "/etc", "a\0b", "x" * 200, "<script>", "absent", "%2e%2e", "a\nb"]
)
def test_an_id_from_a_url_cannot_leave_the_store(run_id: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / files.STATUS).write_text("{}")
    with pytest.raises(RunError, match="no run"):
        Store(tmp_path / "runs").folder(run_id)


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / files.STATUS).unlink(),
        lambda run: (run / files.STATUS).write_bytes(b"\xff{"),
        lambda run: (run / files.CONFIG).unlink(),
        lambda run: (run / files.CONFIG).write_text("method: from the future\n"),
        lambda run: (run / files.CONFIG).write_text("!!python/object/apply:os.system ['true']\n"),
    ],
)
def test_a_broken_run_is_listed_as_broken_beside_the_others(damage, tmp_path: Path, quick_config: RunConfig) -> None:  # type: ignore[no-untyped-def]
    store = Store(tmp_path)
    broken, fine = store.create(quick_config), store.create(quick_config)
    damage(store.folder(broken))
    assert {run.id: run.phase for run in store.list()} == {broken: "broken", fine: "queued"}


def test_folders_that_are_no_runs_are_not_listed(tmp_path: Path, quick_config: RunConfig) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").write_text("x")
    Store(tmp_path).create(quick_config)
    assert len(Store(tmp_path).list()) == 1


def test_a_dead_worker_is_told_by_pid_and_start_time(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    with Recorder(store.folder(run_id)) as recorder:
        recorder.update(phase="training")
    assert store.summary(run_id).phase == "training", "this process is alive"
    status = read_status(store.folder(run_id))
    assert status is not None
    assert status.pid_ticks is not None
    write_status(store.folder(run_id), status.model_copy(update={"pid_ticks": status.pid_ticks - 100}))
    assert store.summary(run_id).phase == "died", "the same pid, but another process"
    write_status(store.folder(run_id), status.model_copy(update={"host": "elsewhere", "heartbeat": time.time()}))
    assert store.summary(run_id).phase == "training", "another host: its heartbeat counts"
    write_status(store.folder(run_id), status.model_copy(update={"host": "elsewhere", "heartbeat": time.time() - 3600}))
    assert store.summary(run_id).phase == "died"


def test_a_read_only_folder_is_one_clear_error_and_nothing_is_left(tmp_path: Path, quick_config: RunConfig) -> None:
    """A file where the folder should be is as unwritable for root as for anybody else."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(ResourceError, match="cannot write"):
        Store(tmp_path / "runs").create(quick_config)
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ResourceError, match="change its permissions"):
            Store(tmp_path / "locked").create(quick_config)
        assert list((tmp_path / "locked").iterdir()) == []


def test_deleting(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    with Recorder(store.folder(run_id)), pytest.raises(RunError, match="still running"):
        store.delete(run_id)
    status = read_status(store.folder(run_id))
    assert status is not None
    write_status(store.folder(run_id), status.model_copy(update={"phase": "finished"}))
    store.delete(run_id)
    assert store.list() == []


def test_a_thousand_runs_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first look, listing opens no file whose size and time have not changed."""
    first = Store(tmp_path)
    template = first.folder(first.create(make_config(preset="demo")))
    (template / files.EVENTS).write_bytes(b"".join(to_line(e) for e in EVENTS))  # type: ignore[arg-type]
    status = json.loads((template / files.STATUS).read_text())
    for number in range(999):
        run = tmp_path / f"run-{number}"
        run.mkdir()
        for name in (files.CONFIG, files.EVENTS):
            os.link(template / name, run / name)
        (run / files.STATUS).write_text(json.dumps({**status, "created": number}))
    store = Store(tmp_path)
    assert [run.id for run in store.list()][1:4] == ["run-998", "run-997", "run-996"]
    opened: list[str] = []
    really = os.open

    def noted(path: str, *how: int) -> int:
        opened.append(Path(path).parent.name)
        return really(path, *how)

    monkeypatch.setattr("mimi_core.reading.os.open", noted)
    (tmp_path / "run-7" / files.STATUS).write_text(json.dumps({**status, "created": 2e9, "progress": 0.5}))
    opened.clear()  # of that write
    assert store.list()[0].id == "run-7"
    assert opened == ["run-7"]


def test_only_the_states_looked_at_last_are_kept(
    tmp_path: Path, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state takes some hundred kilobytes; the summaries of all runs are small and stay."""
    store = Store(tmp_path)
    ids = [store.create(quick_config) for _ in range(3)]
    for run_id in ids:
        (store.folder(run_id) / files.EVENTS).write_bytes(b"".join(to_line(e) for e in EVENTS))  # type: ignore[arg-type]
    size = (store.folder(ids[0]) / files.EVENTS).stat().st_size
    monkeypatch.setattr("mimi_core.runs.store.STATES_BYTES", 2 * size)
    first, second, third = (store.state(run_id) for run_id in ids)
    assert store.state(ids[2]) is third
    assert store.state(ids[1]) is second
    assert store.state(ids[0]) is not first, "read again"
    assert store.state(ids[0]) == first
    summary = store.summary(ids[0])
    assert store.summary(ids[0]) is summary


def test_a_summary_follows_its_files(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    assert store.summary(run_id).sigma is None
    path = store.folder(run_id) / files.EVENTS
    path.write_bytes(b"".join(to_line(e) for e in EVENTS))  # type: ignore[arg-type]
    summary = store.summary(run_id)
    assert (summary.phase, summary.sigma, summary.seconds) == ("queued", 16.0, 8.0), "it was stopped, and waits again"
    assert store.state(run_id).epochs, "a summary leaves epochs out; a state does not"
    path.unlink()
    path.mkdir()
    assert (store.summary(run_id).phase, store.state(run_id).unreadable_lines) == ("queued", 1)


def test_paths_are_frozen_as_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = make_config(sets=["data=folder:images", "backbone.checkpoint=a/b.pth", "data.path=p"])
    stored = Store("runs").config(Store("runs").create(config))
    assert stored.data.name == f"folder:{tmp_path}/images"
    assert (stored.backbone.checkpoint, stored.data.path) == (tmp_path / "a/b.pth", tmp_path / "p")


def test_a_file_where_the_folder_should_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(ResourceError, match=r"cannot read .*runs: Not a directory"):
        Store(tmp_path / "runs").list()
