"""The app, served for as long as somebody measures, tests or draws it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0


@contextmanager
def served(
    runs: Path,
    script: Path = ROOT / "app.py",
    *,
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    start: Sequence[str] = (sys.executable, "-m", "streamlit", "run", "{script}", "--server.port", "{port}"),
    cwd: Path = ROOT,
) -> Iterator[tuple[str, psutil.Process]]:
    """A server on a port of this machine, for a folder of runs; gone afterwards. Yields `host:port` and process.

    Args:
        env: more of the server's environment.
        port: a free one, unless it is given.
        start: how to start it; `{script}`, `{port}` and `{runs}` stand for what their names say.
        cwd: where it is started.

    Raises:
        RuntimeError: it does not answer; the message is what it printed.
    """
    address = f"127.0.0.1:{port or free_port()}"
    log = runs.parent / f"server-{address.rpartition(':')[2]}.txt"
    runs.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(script=script, port=address.rpartition(":")[2], runs=runs) for part in start],
            cwd=cwd,
            env={**os.environ, "MIMI_RUNS": str(runs), "MIMI_SLOTS": "cpu", **(env or {})},
            stdout=output,
            stderr=output,
        )
    try:
        _wait(address, log)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=5).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")) from error
            time.sleep(0.05)
