"""Where files lie that belong to no single run."""

import os
from pathlib import Path


def datasets_folder() -> Path:
    """Where datasets lie that are known by name: what MIMI_DATA says, or beside the runs."""
    runs = Path(os.environ.get("MIMI_RUNS") or "runs")
    folder = os.environ.get("MIMI_DATA")
    return (Path(folder) if folder else runs.absolute().parent / "datasets").expanduser().absolute()
