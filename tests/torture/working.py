"""Real runs, as small as they come, for parts that disturb them: started, traced, and held against a calm one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil
from safetensors.numpy import load_file

from benchmarks.killed import is_told_once, numbers
from mimi_core.config import make_config
from mimi_core.runs import files
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store
from tests import warm

SETS = ["data.shots=1", "data.max_eval=12", "train.epochs=2", "train.batch_size=10"]
"""With the preset `quick`: two cuts, three cycles."""
CONFIG = make_config(preset="quick", sets=SETS)
PATIENCE = 300.0
"""Seconds for what must come sooner or later, also on a machine with much else to do."""
STRACE = shutil.which("strace")
NO_STRACE = "strace is not installed: nothing was done at chosen system calls"


def created(place: Path) -> Path:
    """The folder of a new run; `place` is where the folder of all runs comes."""
    store = Store(place)
    return store.folder(store.create(CONFIG))


def worked(run: Path) -> int | None:
    """Do or go on with a run, undisturbed; the exit code. What it prints is in `printed`."""
    return _ended(warm.start("work", str(run), out=_out(run)))


def _ended(worker: BaseProcess) -> int | None:
    worker.join(PATIENCE)
    return worker.exitcode


def _out(run: Path) -> Path:
    for ending in ("out", "err"):
        run.with_suffix(f".{ending}").unlink(missing_ok=True)
    return run.with_suffix(".out")


def printed(run: Path) -> str:
    paths = [run.with_suffix(f".{ending}") for ending in ("out", "err")]
    return "".join(path.read_text(errors="replace") for path in paths if path.exists())


def told(run: Path) -> str:
    """What a person is told of a run that did not go on: on Monitor and on the terminal."""
    status = read_status(run)
    return f"{status.message if status else ''}\n{printed(run)}"


def tracebacks(run: Path) -> int:
    """In its log and on the terminal: of what should not happen."""
    log = run / files.LOG
    logged = log.read_text(errors="replace") if log.exists() else ""
    return (logged + printed(run)).count("Traceback (most recent call last)")


def differences(run: Path, calm: Path) -> str:
    """Empty, or what a run that ended has other than the undisturbed one, to the bit."""
    store = Store(run.parent)
    state, other = store.state(run.name), Store(calm.parent).state(calm.name)
    if not is_told_once(CONFIG, state):
        return "something is told twice or not at all"
    if numbers(state) != numbers(other):
        return "other numbers"
    for path in sorted([*calm.glob(f"{files.CYCLES}/*/*"), calm / files.GALLERY]):
        name = str(path.relative_to(calm))
        try:
            mine, theirs = _arrays(run / name), _arrays(path)
        except (OSError, ValueError) as error:
            return f"{name}: {error}"
        if list(mine) != list(theirs) or not all(_same(mine[key], theirs[key]) for key in mine):
            return f"another {name}"
    return ""


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return load_file(path)
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def kill(worker: BaseProcess) -> bool:
    """SIGKILL for a worker and what it started; whether it was there."""
    with suppress(ProcessLookupError):
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
    return _ended(worker) == -signal.SIGKILL


def until(condition: Callable[[], bool], pause: float = 0.05) -> None:
    """Raises TimeoutError when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("waited too long")
        time.sleep(pause)


# --- at system calls --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traced:
    exit_code: int | None
    calls: Counter[str]
    """Of the thread that works, by the name of the call."""


def traced(run: Path, calls: str, inject: str = "") -> Traced:
    """Like `worked`, with strace attached before anything of the run is done.

    Args:
        calls: names of system calls, with commas.
        inject: what strace does to the worker at some of them, such as `write:signal=KILL:when=7`.

    Raises:
        RuntimeError: strace is not there or may not look at other processes.
    """
    if STRACE is None:
        raise RuntimeError(NO_STRACE)
    go, log = run.with_suffix(".go"), run.with_suffix(".strace")
    go.unlink(missing_ok=True)
    worker = warm.process(_work_when_told, str(run), str(go), str(_out(run)))
    command = [STRACE, "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", "-p", str(worker.pid)]
    tracer = subprocess.Popen([*command, *(["-e", f"inject={inject}"] if inject else [])], stderr=subprocess.PIPE)
    try:
        until(lambda: _is_traced(worker.pid) or tracer.poll() is not None, 0.01)
        if tracer.poll() is not None:
            raise RuntimeError(f"strace: {tracer.communicate()[1].decode()[:300]}")
        go.touch()
        code = _ended(worker)
    finally:
        kill(worker)
        tracer.wait()
    lines = [line.split(maxsplit=1) for line in log.read_text(errors="replace").splitlines()]
    names = (line[1].partition("(")[0] for line in lines if line[0] == str(worker.pid) and "(" in line[1])
    return Traced(code, Counter(names))


def _is_traced(pid: int | None) -> bool:
    with suppress(OSError):
        return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
    return False


def _work_when_told(run: str, go: str, out: str) -> None:
    while not Path(go).exists():
        time.sleep(0.005)
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.argv = ["mimi", "work", run]
    from mimi_core.cli.main import main

    main()


# --- with a queue -----------------------------------------------------------------------------------------------------


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Of this process and what it starts, for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def processes(runs: Path, word: str = "") -> list[psutil.Process]:
    """Dispatchers and workers of a folder of runs, or those with a word (`work`, `dispatch`) on their command line."""
    every = ((one, one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))
    return [
        one
        for one, line in every
        if "mimi_core" in line and any(part.startswith(str(runs)) for part in line) and (not word or word in line)
    ]


@contextmanager
def queue(runs: Path, slots: str = "cpu,cpu", **variables: str) -> Iterator[Store]:
    """A folder of runs whose dispatchers and workers are gone afterwards."""
    said: Mapping[str, str] = {"MIMI_SLOTS": slots, "OMP_NUM_THREADS": "1", "MIMI_RUNS": str(runs), **variables}
    with environment(**said):
        try:
            yield Store(runs)
        finally:
            for one in (*processes(runs, "dispatch"), *processes(runs)):
                with suppress(psutil.Error):
                    one.kill()
                    one.wait(PATIENCE)


def wrong_in(store: Store, expected: int) -> list[str]:
    """Of runs of `CONFIG` (of any seed) that should all be there and done, once each, by nobody twice."""
    runs = store.list()
    wrong = [f"{len(runs)} runs instead of {expected}"] if len(runs) != expected else []
    wrong += [f"{run.id} is {run.phase}: {run.message}" for run in runs if run.phase != "finished"]
    finished = [run.id for run in runs if run.phase == "finished"]
    return wrong + [
        f"{run_id}: something is told twice or not at all"
        for run_id in finished
        if not is_told_once(store.config(run_id), store.state(run_id))
    ]
