"""The queue: real dispatchers and real workers, one at a time on a CPU, whoever is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs import control, files
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store

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
        time.sleep(0.05)


def dispatcher(store: Store) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "mimi_core", "dispatch", str(store.directory)], start_new_session=True
    )


def test_two_runs_in_turn_and_a_dead_dispatcher_does_not_matter(store: Store, quick_config: RunConfig) -> None:
    config = quick_config.model_copy(update={"train": quick_config.train.model_copy(update={"epochs": 1})})
    first, second = store.create(config), store.create(config)
    order: list[tuple[str, str]] = []
    early = dispatcher(store)
    wait(lambda: store.summary(first).phase in ("starting", "loading", "training"))
    rival = dispatcher(store)
    assert rival.wait(PATIENCE) == 0, "a second dispatcher goes home at once"
    early.kill()
    early.wait()
    assert store.summary(first).phase in ("starting", "loading", "training"), "the worker lives on"
    late = dispatcher(store)

    def both_finished() -> bool:
        phases = store.summary(first).phase, store.summary(second).phase
        if not order or order[-1] != phases:
            order.append(phases)
        return phases == ("finished", "finished")

    wait(both_finished)
    assert all(b == "queued" for a, b in order if a not in ("finished",)), f"the slot was shared: {order}"
    late.kill()
    late.wait()


def test_submitting_starts_a_dispatcher_and_a_worker_that_cannot_start_is_told(
    store: Store, quick_config: RunConfig
) -> None:
    bad = quick_config.model_copy(update={"data": quick_config.data.model_copy(update={"name": "digit"})})
    run_id = control.submit(store, bad)
    wait(lambda: store.summary(run_id).phase == "failed")
    assert "did you mean 'digits'" in store.summary(run_id).message
    assert "did you mean 'digits'" in store.log_tail(run_id)
    with pytest.raises(RunError, match="nothing to stop"):
        control.stop_now(store, run_id)


def test_without_retries_a_worker_killed_by_the_system_shows_as_died_and_is_not_started_again(
    store: Store, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMI_RETRIES", "0")
    run_id = control.submit(store, quick_config)

    def worker() -> int | None:
        status = read_status(store.folder(run_id))
        return status.pid if status and status.phase != "queued" else None

    wait(lambda: worker() is not None)
    pid = worker()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait(lambda: store.summary(run_id).phase == "died")
    time.sleep(1.0)  # several rounds of the dispatcher
    status = read_status(store.folder(run_id))
    assert status is not None
    assert (status.shown_phase, status.exit_code) == ("died", -signal.SIGKILL)
    control.requeue(store, run_id)
    wait(lambda: store.summary(run_id).phase == "finished")
    status = read_status(store.folder(run_id))
    assert status is not None
    assert (status.resumes, status.exit_code) == (1, None)
    with pytest.raises(RunError, match="is finished"):
        control.requeue(store, run_id)


def test_a_waiting_run_can_be_taken_out_of_the_queue(store: Store, quick_config: RunConfig) -> None:
    run_id = store.create(quick_config)
    with pytest.raises(RunError, match="nothing to resume"):
        control.requeue(store, run_id)
    control.stop_after_cycle(store, run_id)
    assert store.summary(run_id).phase == "stopped"
    assert not (store.folder(run_id) / files.EVENTS).exists()


def test_two_at_a_time_on_the_cpu(store: Store, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_SLOTS", "cpu,cpu")
    runs = [control.submit(store, quick_config) for _ in range(3)]
    working = ("starting", "loading", "training", "scoring", "evaluating")
    wait(lambda: [store.summary(run).phase in working for run in runs] == [True, True, False])
    assert store.summary(runs[2]).phase == "queued"
