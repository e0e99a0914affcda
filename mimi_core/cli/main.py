"""The command line: `python -m mimi_core --help`. Every failure is one line on stderr and a non-zero exit code."""

import os
import sys
from collections.abc import Callable

import typer
from rich.markup import escape

from mimi_core.cli.app import app as start_app
from mimi_core.cli.branch import branch
from mimi_core.cli.check import check
from mimi_core.cli.common import choices_in_words, err
from mimi_core.cli.damage import damage
from mimi_core.cli.data import data
from mimi_core.cli.export import export, predict
from mimi_core.cli.findings import findings
from mimi_core.cli.fsck import fsck
from mimi_core.cli.listing import list_runs, show
from mimi_core.cli.queueing import delete, dispatch, queue, stop, submit
from mimi_core.cli.report import report
from mimi_core.cli.run import resume, run, work
from mimi_core.cli.sites import sites
from mimi_core.cli.study import study
from mimi_core.cli.suite import suite
from mimi_core.cli.sweep import sweep
from mimi_core.errors import MimiError, lack_of_means
from mimi_core.runs.program import how_threads_wait

COMMANDS: dict[str, Callable[..., None]] = {
    "run": run,
    "resume": resume,
    "submit": submit,
    "app": start_app,
    "branch": branch,
    "sweep": sweep,
    "suite": suite,
    "findings": findings,
    "study": study,
    "predict": predict,
    "export": export,
    "damage": damage,
    "report": report,
    "sites": sites,
    "work": work,
    "dispatch": dispatch,
    "ls": list_runs,
    "show": show,
    "stop": stop,
    "queue": queue,
    "delete": delete,
    "check": check,
    "fsck": fsck,
}
"""In the order of the help."""

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__, rich_markup_mode=None
)
for name, command in COMMANDS.items():
    app.command(name, epilog=choices_in_words() if command in (run, submit, check, sweep) else None)(command)
app.add_typer(data, name="data")


def main() -> None:
    os.environ.update(how_threads_wait())
    try:
        app()
    except MimiError as error:
        err.print(f"error: {escape(str(error))}", style=None)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        lack = lack_of_means(error)
        if lack is None:
            raise
        err.print(f"error: {escape(str(lack))}", style=None)
        sys.exit(1)
