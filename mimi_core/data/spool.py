"""Decoded squares on disk, for what does not fit in memory: each picture is decoded once in a run, then only read.

The file has no name: it is gone with the process that has it open, however that ends, so that nothing is left over and
nothing has to be cleaned up. It is read with `pread`, not mapped: what it takes of memory is the system's file cache,
which is given up on demand, and a disk that fails gives an error and no signal.
"""

import os
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from mimi_core.data.memory import free_disk_bytes

DISK_SHARE = 0.5
"""Of what is free on the disk, per split: train, val and test together leave at least an eighth to others."""


class Spool:
    """Squares of one size under their index. Thread-safe; an aid only, so whatever cannot be kept is just not there."""

    def __init__(self, file: IO[bytes], count: int, square_bytes: int) -> None:
        self._file, self._square_bytes = file, square_bytes
        self._there = np.zeros(count, dtype=bool)

    @property
    def bytes(self) -> int:
        """Of the disk, once every square is there; set aside from the start."""
        return len(self._there) * self._square_bytes

    def read(self, index: int, square: np.ndarray) -> bool:
        """Fill `square`, contiguous uint8; False where there is none under this index."""
        if not self._there[index]:
            return False
        try:
            return os.preadv(self._file.fileno(), [square.data], index * self._square_bytes) == self._square_bytes
        except OSError:
            return False

    def write(self, index: int, square: np.ndarray) -> None:
        """Keep `square`, contiguous uint8."""
        try:
            written = os.pwritev(self._file.fileno(), [square.data], index * self._square_bytes)
        except OSError:
            return
        if written == self._square_bytes:
            self._there[index] = True


def make_spool(folder: Path, count: int, square_bytes: int) -> Spool | None:
    """Room for `count` squares on the disk of `folder`; None where that would take too much of it."""
    size = count * square_bytes
    if not 0 < size <= DISK_SHARE * free_disk_bytes(folder):
        return None
    file = None
    try:
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (open for as long as the spool is there)
        if hasattr(os, "posix_fallocate"):  # so that a full disk is met here, and others see what is taken
            os.posix_fallocate(file.fileno(), 0, size)
        return Spool(file, count, square_bytes)
    except OSError:
        if file is not None:
            file.close()
        return None
