"""What a person can do to runs, without any worker: the queue's order, stops that come early, deleting, deaths told."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mimi_core.cli.main import app
from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs import control, files
from mimi_core.runs.describe import describe_death
from mimi_core.runs.queue import dispatcher
from mimi_core.runs.queue.dispatcher import queued
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import Status, claimed, read_status, write_status
from mimi_core.runs.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(control, "ensure_dispatcher", lambda directory: None)
    return Store(tmp_path)


def status_of(store: Store, run_id: str) -> Status:
    status = read_status(store.folder(run_id))
    assert status is not None
    return status


def test_the_queue_can_be_reordered_and_new_runs_go_last(store: Store, quick_config: RunConfig) -> None:
    a, b, c = (store.create(quick_config) for _ in range(3))
    assert queued(store) == [a, b, c], "the one that was there first is first"
    control.move(store, c, 0)
    assert queued(store) == [c, a, b]
    control.move(store, b, 1)
    assert queued(store) == [c, b, a]
    control.move(store, c, 99)
    d = store.create(quick_config)
    assert queued(store) == [b, a, c, d]
    control.stop_now(store, b)
    with pytest.raises(RunError, match="not waiting"):
        control.move(store, b, 0)
    control.requeue(store, b)
    assert queued(store) == [a, b, c, d], "its old place by age; it was moved for the attempt before"


def test_a_stop_that_comes_while_the_worker_starts_is_kept(store: Store, quick_config: RunConfig) -> None:
    """The dispatcher has claimed the run, the worker is still importing: neither kind of stop may be lost."""
    run_id = store.create(quick_config)
    folder = store.folder(run_id)
    write_status(folder, claimed(status_of(store, run_id), os.getpid()))
    control.stop_after_cycle(store, run_id)
    with Recorder(folder) as worker:
        assert worker.stop_requested()
        worker.update(phase="stopped")
    control.requeue(store, run_id)
    assert not control.stop_requested(store, run_id), "an old stop does not end a resumed run"
    with Recorder(folder) as worker:
        files.write_text(folder / files.STOP, "left behind")
        worker.update(phase="failed")
    with Recorder(folder) as worker:
        assert not worker.stop_requested()


def test_a_run_in_the_foreground_is_not_in_the_queue(store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config, here=True)
    assert (queued(store), store.summary(run_id).phase) == ([], "starting")


def test_deleting_takes_all_of_it_and_never_a_run_at_work(store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config, here=True)
    with pytest.raises(RunError, match="still running"):
        control.delete(store, run_id)
    write_status(store.folder(run_id), status_of(store, run_id).model_copy(update={"phase": "failed"}))
    control.delete(store, run_id)
    assert store.list() == []
    assert [p.name for p in store.directory.iterdir()] == [".dispatcher"]


def test_a_run_that_cannot_be_started_does_not_hold_up_the_others(
    store: Store, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.01)
    bad, good = store.create(quick_config), store.create(quick_config)
    (store.folder(bad) / files.LOG).mkdir()
    started: list[str] = []

    class Ended:
        """Stands for a worker that ends at once."""

        pid, returncode = os.getpid(), 0

        def __init__(self, command: list[str], **_: object) -> None:
            started.append(Path(command[-1]).name)

        def poll(self) -> int:
            return self.returncode

    monkeypatch.setattr(dispatcher.subprocess, "Popen", Ended)
    dispatcher.dispatch(store.directory, idle_seconds=0.05)
    assert started == [good]
    assert queued(store) == [bad]


@pytest.mark.parametrize(
    ("code", "out_of_memory", "told"),
    [
        (None, False, "not known"),
        (-9, False, "most often by the system when memory ran out"),
        (-9, True, "lower train.batch_size"),
        (-11, False, "crashed in a library (signal 11, SIGSEGV)"),
        (-15, False, "was ended (signal 15, SIGTERM)"),
        (-99, False, "signal 99, unknown"),
        (1, False, "exit code 1"),
    ],
)
def test_a_death_is_explained(code: int | None, out_of_memory: bool, told: str) -> None:
    status = Status(created=0, heartbeat=0, phase="training", exit_code=code, out_of_memory=out_of_memory)
    assert told in describe_death(status)


def test_the_queue_and_deleting_from_the_command_line(store: Store, quick_config: RunConfig) -> None:
    first, second = store.create(quick_config), store.create(quick_config)
    runs = ["--runs", str(store.directory)]
    listed = CliRunner().invoke(app, ["queue", "--first", second, *runs])
    assert listed.output.split() == [second, first]
    refused = CliRunner().invoke(app, ["delete", first, *runs], input="n\n")
    assert (refused.exit_code, queued(store)) == (1, [second, first])
    assert CliRunner().invoke(app, ["delete", first, "--yes", *runs]).exit_code == 0
    assert queued(store) == [second]
