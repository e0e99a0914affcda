"""How many runs may work at a time, and on what: one on each GPU, or one on the CPU, or what MIMI_SLOTS says.

A slot is a locked file. The dispatcher locks it and lets the worker inherit the open file, so the operating system
frees the slot when the worker is gone, however it went, and also when the dispatcher went before it.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import psutil

from mimi_core.errors import ConfigError
from mimi_core.runs.program import environment

CPU = "cpu"


class Slot(NamedTuple):
    name: str
    """Of its file; no other slot has it."""
    gpu: str | None
    """Index of an NVIDIA GPU; None: the slot is on the CPU."""


def slots() -> list[Slot]:
    """At least one. Told without torch; `MIMI_SLOTS=0,2` names GPUs, `MIMI_SLOTS=cpu,cpu` is two runs on the CPU.

    Raises:
        ConfigError: MIMI_SLOTS names something else.
    """
    named = _named() or _gpu_indices() or [CPU]
    for place in named:
        if place != CPU and not place.isdecimal():
            raise ConfigError(
                f"MIMI_SLOTS: {place!r} is neither the index of a GPU nor cpu; write it as 0,1 or cpu,cpu"
            )
    made = []
    for number, place in enumerate(named):
        before = named[:number].count(place)
        made.append(Slot(f"{place}-{before + 1}" if before else place, None if place == CPU else place))
    return made


def free_slot(folder: Path, choices: list[Slot]) -> tuple[int, Slot] | None:
    """An open, locked slot file and what it stands for, or None when all are taken."""
    for slot in choices:
        handle = os.open(folder / f"slot-{slot.name}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return handle, slot
    return None


def worker_environment(gpu: str | None) -> dict[str, str]:
    """Of a process that trains as a worker does; `gpu` None: on the CPU, whose slots share its threads."""
    sharing = 1 if gpu else max(1, _named().count(CPU))
    threads = max(1, spare_cores() // sharing)
    settings = {"OMP_NUM_THREADS": str(threads), **environment(), "PYTHONUNBUFFERED": "1"}
    return settings | {"CUDA_VISIBLE_DEVICES": gpu or ""}  # a worker on the CPU's slot must not take a GPU


def spare_cores() -> int:
    """All physical cores but one, which the app and the browser need.

    On two cores, threads that must wait for a core that a browser holds made training slower than one thread alone.
    """
    physical = psutil.cpu_count(logical=False) or 1
    return max(1, min(physical, len(psutil.Process().cpu_affinity() or [0] * physical)) - 1)


def _named() -> list[str]:
    return [part.strip() for part in os.environ.get("MIMI_SLOTS", "").split(",") if part.strip()]


def _gpu_indices() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    return answer.stdout.split() if answer.returncode == 0 else []
