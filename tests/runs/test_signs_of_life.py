"""Who is alive, and who may be deleted: whatever the clock, the status or a stranger's heartbeat says."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs import control, files, recorder
from mimi_core.runs.queue import dispatcher
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import Status, claimed, read_status, start_ticks, worker_is_alive, write_status
from mimi_core.runs.store import Store


def of_this_process(**changes: object) -> Status:
    return claimed(Status(created=0, heartbeat=0), os.getpid()).model_copy(update=changes)


def test_a_step_of_the_clock_does_not_make_a_worker_look_dead() -> None:
    status = of_this_process()
    assert status.pid_started is not None
    assert worker_is_alive(status.model_copy(update={"pid_started": status.pid_started - 3600}))


def test_another_process_with_the_same_id_is_not_the_worker() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    assert not worker_is_alive(of_this_process(pid_ticks=ticks - 1))
    assert not worker_is_alive(of_this_process(boot="another start of the machine"))


def test_a_status_from_before_there_were_ticks_is_told_by_the_clock() -> None:
    old = of_this_process(pid_ticks=None, boot="")
    assert worker_is_alive(old)
    assert old.pid_started is not None
    assert not worker_is_alive(old.model_copy(update={"pid_started": old.pid_started - 3600}))


@pytest.mark.parametrize("pid", [-1, 0, 2**70])
def test_no_process_has_such_an_id(pid: int) -> None:
    assert not worker_is_alive(of_this_process(pid=pid))


@pytest.mark.parametrize(("age", "alive"), [(0, True), (59, True), (61, False), (-30, True), (-3600, False)])
def test_a_foreign_heartbeat_far_in_the_future_is_no_sign_of_life(age: float, alive: bool) -> None:
    status = of_this_process(host="elsewhere", heartbeat=time.time() - age)
    assert worker_is_alive(status) == alive


def test_the_start_of_a_process_whose_name_is_hostile(tmp_path: Path) -> None:
    shell = tmp_path / "a) S 1 (b"
    shell.symlink_to(sys.executable)
    process = subprocess.Popen([shell, "-c", "import time; time.sleep(60)"])
    try:
        assert abs((start_ticks(process.pid) or 0) - (start_ticks(os.getpid()) or 0)) < 10**7
    finally:
        process.kill()
        process.wait()


def test_a_run_at_work_is_not_deleted_whatever_its_status_says(tmp_path: Path, quick_config: RunConfig) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    folder = store.folder(run_id)
    with Recorder(folder) as worker:
        worker.update(phase="stopped")
        write_status(folder, Status(created=1, heartbeat=1, phase="stopped"))
        with pytest.raises(RunError, match="being worked on, whatever its status says"):
            control.delete(store, run_id)
        assert (folder / files.CONFIG).exists()
    control.delete(store, run_id)
    assert not folder.exists()


def test_who_looks_at_a_queue_without_a_dispatcher_wakes_one(
    tmp_path: Path, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(dispatcher, "ensure_dispatcher", started.append)
    store = Store(tmp_path)
    assert not dispatcher.wake(store)  # nothing waits
    run_id = store.create(quick_config)
    assert dispatcher.wake(store)
    assert started == [tmp_path]
    with dispatcher.queue_locked(tmp_path):  # makes the folder of the locks
        lock = dispatcher.FileLock(tmp_path / ".dispatcher" / "lock")
    with lock:
        assert not dispatcher.wake(store)  # one is there
    status = read_status(store.folder(run_id))
    assert status is not None
    assert status.phase == "queued"


def test_a_status_cannot_have_a_process_stopped_that_is_no_worker_of_the_run(
    tmp_path: Path, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run folder may be a stranger's, and its status name any process of this user."""
    monkeypatch.setattr(control, "STARTING_SECONDS", 0.1)
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        status = claimed(Status(created=0, heartbeat=0), other.pid).model_copy(update={"phase": "training"})
        write_status(store.folder(run_id), status)
        assert store.summary(run_id).phase == "training"
        assert control.stop_now(store, run_id) == "nothing works on it; it is stopped now"
        assert other.poll() is None
        assert store.summary(run_id).phase == "stopped"
        control.delete(store, run_id)
    finally:
        other.kill()
        other.wait()


def test_a_run_is_not_called_stopped_while_another_process_than_its_status_names_works_on_it(
    tmp_path: Path, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STARTING_SECONDS", 0.1)
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with Recorder(store.folder(run_id)):
            at_work = claimed(Status(created=0, heartbeat=0), other.pid).model_copy(update={"phase": "training"})
            monkeypatch.setattr(control, "_running", lambda *_: at_work)
            with pytest.raises(RunError, match="worked on, or looked at by fsck, but not by process"):
                control.stop_now(store, run_id)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_works_as_another_user_is_not_called_stopped(
    tmp_path: Path, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    status = claimed(Status(created=0, heartbeat=0), os.getpid()).model_copy(update={"phase": "training"})
    write_status(store.folder(run_id), status)

    def denied(_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "open_files", denied)
    with pytest.raises(RunError, match="another user's; stop it as that user"):
        control.stop_now(store, run_id)
    assert store.summary(run_id).phase == "training"


def test_a_worker_of_the_queue_waits_until_fsck_has_looked_at_its_run(tmp_path: Path, quick_config: RunConfig) -> None:
    """Else the run would show as died, and not go on by itself."""
    store = Store(tmp_path)
    run_id = store.create(quick_config)
    folder = store.folder(run_id)
    with Recorder(folder):
        pass  # it was worked on before: there is a lock
    write_status(folder, claimed(Status(created=0, heartbeat=0), os.getpid(), by_queue=True))
    began = threading.Event()

    def work() -> None:
        with Recorder(folder):
            began.set()

    worker = threading.Thread(target=work)
    with files.without_worker(folder):
        worker.start()
        assert not began.wait(1.5 * recorder.PATIENCE)
    assert began.wait(30)
    worker.join()
