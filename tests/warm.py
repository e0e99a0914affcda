"""The command line in processes of its own that need not import torch: they are forked from one that has.

They are as real as others: a session and a process group of their own, an exit code, files, signals.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

# Read when torch and the hub's library are imported, so before the first process is there.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(
    ["mimi_core.cli.main", "mimi_core.train.worker", "mimi_core.train.check", "sklearn.linear_model"]
)
PATIENCE = 120.0


def start(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, out: Path | None = None
) -> BaseProcess:
    """`python -m mimi_core ARGUMENTS`, in the background. `out` gets stdout, and stderr is beside it as `.err`."""
    return process(_main, arguments, cwd or Path.cwd(), dict(env or {}), out)


def process(target: Callable[..., None], *arguments: object) -> BaseProcess:
    """Any function of a module, in the background."""
    started = _FORKED.Process(target=target, args=arguments, daemon=True)
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # a page that was tested before may stand there, and would be run
    try:
        started.start()
    finally:
        sys.modules["__main__"] = main
    return started


def ended(process: BaseProcess) -> int | None:
    """Wait for the process; its exit code, or minus the signal that killed it."""
    process.join(PATIENCE)
    return process.exitcode


def mimi(*arguments: str, cwd: Path | None = None, **env: str) -> "CompletedProcess[str]":
    """`python -m mimi_core ARGUMENTS` from start to end, with what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        code = ended(start(*arguments, cwd=cwd, env=env, out=out))
        assert code is not None, "it does not end"
        return CompletedProcess(arguments, code, out.read_text(), out.with_suffix(".err").read_text())


def _main(arguments: tuple[str, ...], cwd: Path, env: dict[str, str], out: Path | None) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.update(env)
    if out is not None:
        for descriptor, file in ((1, out), (2, out.with_suffix(".err"))):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["mimi", *arguments]
    from mimi_core.cli.main import main

    main()
