"""`app`: the app in the browser."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import mimi_core
from mimi_core.cli.common import RUNS, RunsOption, require_app
from mimi_core.errors import MimiError
from mimi_core.runs.program import IMPORT_ROOT

BUNDLED = Path(mimi_core.__file__).parent / "_app"
"""Where a wheel has the app; setup.py puts it there."""


def app(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="address to listen at; others than this machine's own let others in")] = (
        "127.0.0.1"
    ),
    read_only: Annotated[
        bool, typer.Option("--read-only", help="to be looked at only: nothing can be launched, changed or sent")
    ] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="name that browsers reach it by, as behind a proxy; more than one will do")
    ] = None,
    runs: RunsOption = RUNS,
) -> None:
    """Start the app in the browser, and stay until Ctrl-C."""
    require_app("the app")
    os.environ["MIMI_RUNS"] = str(runs.absolute())
    if read_only:
        os.environ["MIMI_READ_ONLY"] = "1"
    if allow_host:
        os.environ["MIMI_HOSTS"] = " ".join([*os.environ.get("MIMI_HOSTS", "").split(), *allow_host])
    os.execv(sys.executable, command(script(), port, host))


def script() -> Path:
    """The app's file: the one that was installed along with this package, or that of the checkout.

    Raises:
        MimiError: this package came without it.
    """
    for folder in (BUNDLED, IMPORT_ROOT):
        if (folder / "app.py").is_file() and (folder / "pages").is_dir():
            return folder / "app.py"
    raise MimiError(f"there is no app beside {BUNDLED.parent}: install the wheel, or start it in a checkout")


def command(script: Path, port: int, host: str) -> list[str]:
    """Streamlit reads the config.toml beside `script`, whatever the working directory.

    That directory stays what it is, so that paths mean the same in the app and on the command line; but nothing is
    imported from it (`-P`).
    """
    flags = [f"--server.port={port}", f"--server.address={host}"]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(script), *flags]
