"""A worker that died goes on by itself: real dispatchers, real workers, real signals."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from mimi_core.cli.main import app
from mimi_core.config import RunConfig
from mimi_core.errors import ConfigError
from mimi_core.runs import control, files
from mimi_core.runs.queue import dispatcher, retries
from mimi_core.runs.queue.dispatcher import dispatch, wake
from mimi_core.runs.status import Status, boot_id, claimed, read_status, write_status
from mimi_core.runs.store import Store
from tests import warm
from tests.recorded import change_status, record

PATIENCE = 150.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield Store(tmp_path)
    for process in psutil.process_iter(["cmdline"]):
        if str(tmp_path) in " ".join(process.info["cmdline"] or []):
            process.kill()


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def hasty(directory: Path, pauses: tuple[float, ...] = (0.1,)) -> None:
    """A dispatcher that has no patience."""
    retries.PAUSES, dispatcher.ORPHANS_SECONDS = pauses, 0.3
    dispatch(directory)


def at_work(store: Store, run_id: str) -> int | None:
    """Process id of the worker that there is."""
    status = read_status(store.folder(run_id))
    return status.pid if status and status.phase in ("starting", "loading", "training") else None


def kill_worker(store: Store, run_id: str, other_than: int | None = None) -> int:
    wait(lambda: at_work(store, run_id) not in (None, other_than))
    pid = at_work(store, run_id)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def orphan(store: Store, config: RunConfig, **fields: object) -> str:
    """A run of the queue whose worker is gone."""
    run_id = record(store, config, cuts=1, outcome=None)
    change_status(store, run_id, from_queue=True, **fields)
    return run_id


def of(store: Store, run_id: str) -> Status:
    status = read_status(store.folder(run_id))
    assert status is not None
    return status


def test_a_killed_worker_goes_on_by_itself_and_finishes(store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config)
    warm.process(hasty, store.directory)
    first = kill_worker(store, run_id)
    kill_worker(store, run_id, first)
    wait(lambda: of(store, run_id).phase == "finished")
    status = of(store, run_id)
    assert (status.deaths, status.resumes, status.retry_at, status.from_queue) == (2, 2, None, False)


def test_after_its_retries_it_is_left_to_a_person_though_dispatchers_come_and_go(
    store: Store, quick_config: RunConfig
) -> None:
    """What is counted is counted in the run folder."""
    run_id, killed = store.create(quick_config), None
    for _ in range(3):
        queue = warm.process(hasty, store.directory)
        killed = kill_worker(store, run_id, killed)
        wait(lambda: (of(store, run_id).phase, of(store, run_id).from_queue) != ("starting", True))
        os.kill(queue.pid or 0, signal.SIGKILL)
        warm.ended(queue)
    summary = store.summary(run_id)
    assert (summary.phase, summary.message, summary.is_orphan) == ("died", "gave up after 2 retries", False)
    assert "died, gave up after 2 retries" in CliRunner().invoke(app, ["ls", "--runs", str(store.directory)]).output
    control.requeue(store, run_id, wake=False)
    assert of(store, run_id).deaths == 0, "a person asks for it anew"


def test_a_run_that_ended_with_an_error_is_not_tried_again(store: Store, quick_config: RunConfig) -> None:
    bad = quick_config.model_copy(update={"data": quick_config.data.model_copy(update={"name": "digit"})})
    run_id = store.create(bad)
    warm.process(hasty, store.directory)
    wait(lambda: store.summary(run_id).phase == "failed")
    time.sleep(1.0)
    assert (of(store, run_id).phase, of(store, run_id).deaths) == ("failed", 0)


def test_a_worker_that_ends_before_it_can_say_why_is_not_tried_again(store: Store, quick_config: RunConfig) -> None:
    run_id = orphan(store, quick_config, exit_code=1)
    assert not retries.after_death(of(store, run_id), 2, False).from_queue
    assert retries.after_death(of(store, run_id), 2, False).phase == "training", "which shows as died"


@pytest.mark.parametrize("deaf", [False, True])
def test_a_run_that_a_person_stops_stays_stopped(deaf: bool, store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config)
    warm.process(hasty, store.directory)
    wait(lambda: at_work(store, run_id) is not None)
    control.stop_now(store, run_id, grace_seconds=0.0 if deaf else 60.0)
    wait(lambda: not of(store, run_id).from_queue)
    time.sleep(1.0)
    assert store.summary(run_id).phase == "stopped"
    assert not (store.folder(run_id) / files.STOP).exists()


def test_what_worked_when_the_machine_went_down_is_taken_up_by_whoever_looks(
    store: Store, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard = orphan(store, quick_config, boot="of another start")
    told_to_end = orphan(store, quick_config, boot="of another start", phase="stopped", message="told to end at once")
    by_person = orphan(store, quick_config, boot=boot_id(), phase="stopped")
    started: list[Path] = []
    monkeypatch.setattr(dispatcher, "ensure_dispatcher", started.append)
    assert wake(store)
    assert started == [store.directory]
    monkeypatch.setattr(dispatcher, "free_slot", lambda *_: None)
    monkeypatch.setattr(dispatcher, "_dispatcher_is_there", lambda _: False)
    dispatcher._see_to_orphans(store, 2)
    assert (of(store, hard).phase, of(store, hard).deaths) == ("queued", 1)
    assert (of(store, told_to_end).phase, of(store, told_to_end).deaths) == ("queued", 0), "no fault of the run"
    assert store.summary(by_person).phase == "stopped"


def test_a_run_in_the_foreground_is_nobody_elses(store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config, here=True)
    change_status(store, run_id, pid=2**22 - 3, pid_started=1.0)
    assert store.summary(run_id).phase == "died"
    assert not store.summary(run_id).is_orphan
    dispatcher._see_to_orphans(store, 2)
    assert store.summary(run_id).phase == "died"


def test_a_run_of_another_machine_is_left_to_it(store: Store, quick_config: RunConfig) -> None:
    run_id = orphan(store, quick_config, host="elsewhere", heartbeat=0.0)
    assert store.summary(run_id).phase == "died"
    assert not store.summary(run_id).is_orphan


def test_a_run_killed_after_its_last_word_is_finished(store: Store, quick_config: RunConfig) -> None:
    run_id = record(store, quick_config, outcome="finished")
    change_status(store, run_id, phase="training", pid=2**22 - 3, pid_started=1.0, from_queue=True)
    (store.folder(run_id) / files.RESUME).mkdir()
    dispatcher._see_to_orphans(store, 2)
    assert (of(store, run_id).phase, of(store, run_id).deaths) == ("finished", 0)
    assert not (store.folder(run_id) / files.RESUME).exists(), "which nobody needs any more"


def test_pauses_grow_and_a_clock_set_back_does_not_lengthen_them(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    status, waits = Status(created=0, heartbeat=0, phase="training", from_queue=True), []
    for _ in range(6):
        status = retries.after_death(status, 6, False)
        assert status.phase == "queued"
        assert status.retry_at is not None
        assert not retries.is_due(status)
        waits.append(status.retry_at - now)
        status = claimed(status, os.getpid(), by_queue=True).model_copy(update={"phase": "training"})
        assert retries.is_due(status)
    assert waits == [5, 30, 180, 600, 600, 600]
    waiting = retries.after_death(status, 9, False)
    now = -1e6
    assert retries.is_due(waiting)


def test_a_waiting_retry_says_so_and_can_be_taken_out_or_hurried(store: Store, quick_config: RunConfig) -> None:
    run_id = orphan(store, quick_config)
    dispatcher._see_to_orphans(store, 2)
    folder = ["--runs", str(store.directory)]
    write_status(store.folder(run_id), of(store, run_id).model_copy(update={"deaths": 2, "retry_at": time.time() + 25}))
    queue = warm.process(hasty, store.directory, (600.0, 600.0))
    for command in ("ls", "queue"):
        assert "died twice, goes on in 25 s" in CliRunner().invoke(app, [command, *folder]).output
    control.requeue(store, run_id, wake=False)
    assert of(store, run_id).retry_at is None
    os.kill(queue.pid or 0, signal.SIGKILL)
    control.stop_now(store, run_id)
    assert store.summary(run_id).phase == "stopped"


@pytest.mark.parametrize(("text", "number"), [("", 2), ("0", 0), ("7", 7)])
def test_how_many_is_said_by_the_environment(text: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_RETRIES", text)
    assert retries.allowed() == number


@pytest.mark.parametrize("text", ["-1", "two", "1.5"])
def test_what_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_RETRIES", text)
    with pytest.raises(ConfigError, match="MIMI_RETRIES"):
        retries.allowed()
