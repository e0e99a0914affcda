"""The app, served for as long as somebody measures, tests or draws it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60.0


@contextmanager
def served(runs: Path, script: Path = ROOT / "app.py") -> Iterator[tuple[str, psutil.Process]]:
    """A server on a free port of this machine, for a folder of runs; gone afterwards. Yields `host:port` and process.

    Raises:
        RuntimeError: it does not answer; the message is what it printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = runs.parent / f"server-{address.rpartition(':')[2]}.txt"
    runs.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", address.rpartition(":")[2]],
            cwd=ROOT,
            env={**os.environ, "MIMI_RUNS": str(runs), "MIMI_SLOTS": "cpu"},
            stdout=output,
            stderr=output,
        )
    try:
        _wait(address, log)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


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
