"""A run that is killed at any moment goes on and ends with the same numbers. Real processes, real SIGKILL."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from mimi_core.adapters.attach import adapters_of
from mimi_core.config import make_config
from mimi_core.data import pixels
from mimi_core.errors import RunError
from mimi_core.runs import control, files
from mimi_core.runs.events import EpochEnded, Evaluated, Pruned, RunState, read_events
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store
from mimi_core.scores.watching import Watcher, score_all
from mimi_core.train import cycle
from mimi_core.train.course import Cursor
from mimi_core.train.loop import Done
from mimi_core.train.resume import pack, restore_epoch, restore_model, restore_watcher
from mimi_core.train.worker import work
from tests import warm
from tests.adapters.conftest import tiny_vit, with_adapters
from tests.conftest import QUICK
from tests.recorded import change_status
from tests.warm import PATIENCE, ended

CONFIG = make_config(preset="quick", sets=[*QUICK, "train.epochs=3"])


def start(folder: Path) -> BaseProcess:
    return warm.start("work", str(folder))


def wait_for_events(folder: Path, count: int, worker: BaseProcess) -> None:
    """Until so many events are on disk, or the worker is done."""
    deadline = time.monotonic() + PATIENCE
    path = folder / files.EVENTS
    while worker.is_alive() and time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.005)
    assert time.monotonic() < deadline, "the worker is stuck"


def numbers(state: RunState) -> list[object]:
    kinds = [*state.epochs, *state.cuts, *state.evaluations, *state.scored]
    assert all(isinstance(e, EpochEnded | Evaluated | Pruned) or e.event == "scored" for e in kinds)
    return [e.model_dump(exclude={"time", "seconds", "images_per_second"}) for e in kinds]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("calm"))
    folder = store.folder(store.create(CONFIG))
    assert ended(start(folder)) == 0
    return folder


def assert_same_run(folder: Path, other: Path) -> None:
    assert numbers(read_events(folder / files.EVENTS)) == numbers(read_events(other / files.EVENTS))
    for k in range(3):
        mine, theirs = (load_file(files.cycle_folder(run, k) / "adapters.safetensors") for run in (folder, other))
        assert list(mine) == list(theirs)
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("kill_at", [(2, 9), (5, 7, 16)], ids=str)
def test_a_killed_run_ends_with_the_same_numbers(kill_at: tuple[int, ...], uninterrupted: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = store.create(CONFIG)
    folder = store.folder(run_id)
    for count in kill_at:
        worker = start(folder)
        wait_for_events(folder, count, worker)
        assert worker.pid is not None
        os.killpg(worker.pid, signal.SIGKILL)
        assert ended(worker) == -signal.SIGKILL
        assert store.summary(run_id).phase == "died"
    assert ended(start(folder)) == 0
    assert store.summary(run_id).phase == "finished"
    assert_same_run(folder, uninterrupted)
    assert not (folder / files.RESUME).exists(), "a finished run keeps no way back"


def work_with_little_memory(run: Path) -> None:
    """A worker that streams its images, and keeps a safe state after every batch."""
    os.setsid()
    pixels.RESIDENT_SHARE, cycle.WITHIN_EPOCH = 0.0, 0.0
    work(run)


def within_an_epoch(folder: Path) -> tuple[int, int]:
    """Cycle and batch of the newest safe state; (0, 0) when there is none."""
    try:
        with safe_open(folder / files.RESUME / "newest.safetensors", framework="numpy") as file:
            state = json.loads((file.metadata() or {})["state"])
    except (OSError, SafetensorError):
        return 0, 0
    return state["cycle"], state["step"]


def test_a_streaming_run_killed_within_an_epoch_goes_on_at_the_same_image(uninterrupted: Path, tmp_path: Path) -> None:
    """To the same numbers as a run that had all its images in memory; and what it had started is gone with it."""
    store = Store(tmp_path)
    folder = store.folder(store.create(CONFIG))
    for least in ((0, 1), (1, 2)):
        worker = warm.process(work_with_little_memory, folder)
        deadline = time.monotonic() + PATIENCE
        while within_an_epoch(folder) < least:
            assert worker.is_alive()
            assert time.monotonic() < deadline, "no state within an epoch"
            time.sleep(0.002)
        assert worker.pid is not None
        assert psutil.Process(worker.pid).children() == [], "which could outlive it and hold its slot"
        os.kill(worker.pid, signal.SIGKILL)
        assert ended(worker) == -signal.SIGKILL
    assert ended(start(folder)) == 0
    assert_same_run(folder, uninterrupted)
    assert not [path for path in folder.iterdir() if path.stat().st_size > 10**6], "nor is anything left on the disk"


def test_random_numbers_go_on_where_an_epoch_was_left() -> None:
    model = tiny_vit()
    with_adapters(model)
    watcher, optimizer = Watcher(adapters_of(model)), torch.optim.SGD(p for p in model.parameters() if p.requires_grad)
    done = Done(torch.tensor(1 / 3, dtype=torch.float64), torch.tensor(5), step=7, seconds=1.5)
    torch.rand(3)
    state = pack(model, optimizer, watcher, Cursor(1, 2, 9.0, 7), done)
    expected = torch.rand(5)
    torch.manual_seed(99)
    assert restore_model(model, *state) == Cursor(1, 2, 9.0, 7)
    assert restore_epoch(state, torch.device("cpu")) == done
    assert torch.equal(torch.rand(5), expected)


def test_a_state_of_an_earlier_version_can_be_resumed() -> None:
    """What it did not watch stays unknown to the next cut, and what it did is there."""
    model = tiny_vit()
    with_adapters(model)
    watcher, optimizer = Watcher(adapters_of(model)), torch.optim.SGD(p for p in model.parameters() if p.requires_grad)
    next(iter(watcher.seen.values()))["gradient"][1] = 7.0
    tensors, metadata = pack(model, optimizer, watcher, Cursor(1, 2))
    new = ("importance", "uncertainty", "squares", "snip", "grasp")
    old = {key: value for key, value in tensors.items() if not key.endswith(new)}
    restored = Watcher(adapters_of(model))
    assert restore_model(model, old, metadata) == Cursor(1, 2)
    restore_watcher(restored, old)
    scores = score_all(adapters_of(model), restored.seen, np.random.default_rng(0))
    unknown = {name for name, sites in scores.items() if any(np.isnan(values).any() for values in sites.values())}
    assert unknown == {"sensitivity", "fisher"}
    assert {"snip", "grasp"}.isdisjoint(scores)
    assert next(iter(scores["gradient"].values()))[1] == 7.0

    brought = {f"scores/snip/{site}": np.full(6, 3.0, np.float32) for site in restored.seen}  # by a branch
    restore_watcher(restored, old | brought)
    again = score_all(adapters_of(model), restored.seen, np.random.default_rng(0))["snip"]
    assert all((values == 3).all() for values in again.values())


def test_stop_now_ends_the_worker_and_resume_finishes(uninterrupted: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = store.create(CONFIG)
    folder = store.folder(run_id)
    worker = start(folder)
    wait_for_events(folder, 3, worker)
    assert control.stop_now(store, run_id) == "stopped"
    assert ended(worker) == 3
    summary = store.summary(run_id)
    assert summary.phase == "stopped"
    assert ended(start(folder)) == 0
    assert numbers(store.state(run_id)) == numbers(read_events(uninterrupted / files.EVENTS))


def test_a_worker_that_ignores_term_is_killed_and_verified(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = store.create(CONFIG)
    code = (
        "import signal, sys, time; log = open(sys.argv[1], 'a'); "  # as a worker has it open
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    log = store.folder(run_id) / files.LOG
    deaf = subprocess.Popen([sys.executable, "-c", code, log], start_new_session=True, stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    assert deaf.stdout.readline() == b"deaf\n"
    status = read_status(store.folder(run_id))
    assert status is not None
    write_status(
        store.folder(run_id),
        status.model_copy(update={"phase": "training", "pid": deaf.pid, "host": os.uname().nodename}),
    )
    assert control.stop_now(store, run_id, grace_seconds=0.5) == "killed"
    assert deaf.wait() == -signal.SIGKILL
    assert store.summary(run_id).phase == "stopped"
    assert "did not stop within" in store.summary(run_id).message


def test_a_run_killed_after_its_last_word_is_tidied(uninterrupted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted, folder)
    (folder / files.RESUME).mkdir()
    change_status(Store(tmp_path), "run", phase="evaluating", progress=0.9)
    with pytest.raises(RunError, match="is finished"):
        work(folder)
    status = read_status(folder)
    assert status is not None
    assert (status.phase, status.progress) == ("finished", 1.0)
    assert not (folder / files.RESUME).exists()


def test_stop_after_this_cycle(uninterrupted: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = store.create(CONFIG)
    folder = store.folder(run_id)
    worker = start(folder)
    wait_for_events(folder, 2, worker)
    control.stop_after_cycle(store, run_id)
    assert ended(worker) == 3
    state = store.state(run_id)
    assert (state.ended.status if state.ended else None) == "stopped"
    assert [e.cycle for e in state.epochs] == [0, 0, 0], "cycle 0 was done to its end, and no other begun"
    first_attempt = _time_is_told_alike(store, run_id)
    assert ended(start(folder)) == 0
    assert _time_is_told_alike(store, run_id) > first_attempt, "the first attempt is in it"
    assert numbers(store.state(run_id)) == numbers(read_events(uninterrupted / files.EVENTS))


def _time_is_told_alike(store: Store, run_id: str) -> float:
    """Whether what a page shows while the run goes is what its end says; a moment lies between the two. Seconds."""
    status, end = store.status(run_id), store.state(run_id).ended
    assert status
    assert status.began
    assert end
    assert end.time - status.began == pytest.approx(end.seconds, abs=1)
    return end.seconds
