"""`python -m mimi_core` as a process of its own: this very package, whatever the working directory."""

import os
import sys
import sysconfig
from pathlib import Path

import mimi_core
from mimi_core.config import datasets_folder

IMPORT_ROOT = Path(mimi_core.__file__).resolve().parents[1]
"""The folder that this package is in. From there, `python -m mimi_core` is it."""
_INSTALLED = IMPORT_ROOT in {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
# In a checkout the working directory is searched first, which is how the package is found; where it is installed that
# would put all that is installed before the standard library.
PROGRAM = (sys.executable, *(["-P"] if _INSTALLED else []), "-m", "mimi_core")
"""To be started in `IMPORT_ROOT`, followed by a command and its arguments."""


def environment() -> dict[str, str]:
    """This process's, and where its datasets lie: a folder beside the working directory cannot be told from another."""
    return {**how_threads_wait(), **os.environ, "MIMI_DATA": str(datasets_folder())}


def how_threads_wait() -> dict[str, str]:
    """For OpenMP, which reads it when torch is loaded; empty where somebody has said something else.

    Threads that have done their part of a sum wait for the others by turning round and round, for longer than other
    processes leave them the cores: beside two of these, training took up to seven times as long.
    """
    said = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
    return {} if said else {"GOMP_SPINCOUNT": "1000"}
