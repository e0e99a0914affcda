"""What the commands share: where they print, and options that mean the same everywhere."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True, highlight=False, soft_wrap=True)

RunsOption = Annotated[Path, typer.Option("--runs", help="folder of all runs", envvar="MIMI_RUNS")]
RUNS = Path("runs")
STOPPED = 3
"""Exit code of what was stopped before it finished."""
