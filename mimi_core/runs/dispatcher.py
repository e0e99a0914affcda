"""Starts queued runs when a slot is free: one slot per GPU, or one on a CPU. A singleton without any state of its own.

A slot is a locked file. The dispatcher locks it and lets the worker inherit the open file, so the operating system
frees the slot when the worker is gone, however it went, and also when the dispatcher went before it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from mimi_core.runs import files
from mimi_core.runs.status import read_status, write_status
from mimi_core.runs.store import Store

POLL_SECONDS = 0.3
IDLE_SECONDS = 10.0
"""With nothing queued and nothing running for so long the dispatcher goes home; the next submit starts another."""
_FOLDER = ".dispatcher"


def dispatch(directory: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Work through the queue of a store until it has been empty for `idle_seconds`. Returns at once if another does."""
    store, home = Store(directory), directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    workers: list[subprocess.Popen[bytes]] = []
    gpus = gpu_indices()
    try:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < idle_seconds:
            workers = [worker for worker in workers if worker.poll() is None]  # poll also reaps
            queue = queued(store)
            if queue or workers:
                idle_since = time.monotonic()
            for run_id in queue:
                slot = _free_slot(home, gpus)
                if slot is None:
                    break
                workers.append(_start(store, run_id, *slot))
            time.sleep(POLL_SECONDS)
    finally:
        lock.release()


def ensure_dispatcher(directory: Path) -> None:
    """Start a dispatcher in a session of its own, so that it outlives the caller; harmless when one is there."""
    home = directory / _FOLDER
    with files.explained(home):
        home.mkdir(parents=True, exist_ok=True)
        with (home / "log.txt").open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "mimi_core", "dispatch", str(directory.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).resolve().parents[2],
            )


def queued(store: Store) -> list[str]:
    """Ids of the waiting runs, the one to start first in front."""
    waiting = [run for run in store.list() if run.phase == "queued"]
    return [run.id for run in sorted(waiting, key=lambda run: (run.created, run.id))]


def gpu_indices() -> list[str]:
    """Indices of the NVIDIA GPUs of this machine, told without torch; MIMI_SLOTS=0,1 or cpu overrides."""
    override = os.environ.get("MIMI_SLOTS")
    if override is not None:
        return [part.strip() for part in override.split(",") if part.strip().isdigit()]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    return answer.stdout.split() if answer.returncode == 0 else []


def spare_cores() -> int:
    """Threads of a worker: all physical cores but one, which the app and the browser need.

    On two cores, threads that must wait for a core that a browser holds made training slower than one thread alone.
    """
    physical = psutil.cpu_count(logical=False) or 1
    return max(1, min(physical, len(psutil.Process().cpu_affinity() or [0] * physical)) - 1)


def _free_slot(home: Path, gpus: list[str]) -> tuple[int, str | None] | None:
    """An open, locked slot file and the GPU that it stands for, or None when all are taken."""
    choices: list[str | None] = [*gpus] if gpus else [None]
    for gpu in choices:
        handle = os.open(home / f"slot-{gpu or 'cpu'}", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return handle, gpu
    return None


def _start(store: Store, run_id: str, slot: int, gpu: str | None) -> "subprocess.Popen[bytes]":
    run = store.folder(run_id)
    environment = {"OMP_NUM_THREADS": str(spare_cores()), **os.environ, "PYTHONUNBUFFERED": "1"}
    environment["CUDA_VISIBLE_DEVICES"] = gpu or ""  # a worker on the CPU's slot must not take a GPU
    try:
        with files.explained(run), (run / files.LOG).open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "mimi_core", "work", str(run.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(slot,),
                env=environment,
                cwd=Path(__file__).resolve().parents[2],
            )
    finally:
        os.close(slot)
    _mark_starting(run, worker.pid)
    return worker


def _mark_starting(run: Path, pid: int) -> None:
    """From here on a worker that dies before it says a word shows as "died", and is not started again for ever."""
    started = psutil.Process(pid).create_time()
    status = read_status(run)
    if status is not None and status.phase == "queued":
        where = {"pid": pid, "pid_started": started, "host": os.uname().nodename}
        write_status(run, status.model_copy(update={"phase": "starting", **where}))
