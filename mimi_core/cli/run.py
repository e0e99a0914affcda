"""`run`, `resume` and `work`: a run in this process."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.cli.common import (
    RUNS,
    STOPPED,
    ConfigArgument,
    PresetOption,
    RunsOption,
    SetOption,
    err,
    out,
    wanted_config,
)
from mimi_core.errors import MimiError
from mimi_core.runs.formats import fingerprint
from mimi_core.runs.store import Store


def run(
    config: ConfigArgument = None, preset: PresetOption = None, set_: SetOption = None, runs: RunsOption = RUNS
) -> None:
    """Train and prune, here and now."""
    wanted = wanted_config(config, preset, set_)
    import mimi_core.train.worker  # noqa: F401  (where there is no memory for torch there is no run either)

    store = Store(runs)
    run_id = store.create(wanted, here=True)
    out.print(f"run {run_id} in {escape(str(runs))}")
    _do(store, run_id, delete_if_nothing_happened=True)


def resume(
    run_id: str,
    runs: RunsOption = RUNS,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="go on though its images or its backbone's file have changed")
    ] = False,
) -> None:
    """Go on with a run that was stopped, failed or killed, from its last safe state."""
    if accept_changes:
        fingerprint.forget(Store(runs).folder(run_id))
    _do(Store(runs), run_id)


def work(run: Annotated[Path, typer.Argument(help="a run folder")]) -> None:
    """Do one run, quietly: what the dispatcher starts. Its log and status are in the run folder."""
    from mimi_core.train.worker import work as work_on

    if work_on(run) != "finished":
        raise typer.Exit(STOPPED)


def _do(store: Store, run_id: str, delete_if_nothing_happened: bool = False) -> None:
    """Drive a run in this process, showing its events, and a progress bar where there is a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from mimi_core.analysis.common import gain
    from mimi_core.runs import files
    from mimi_core.runs.describe import describe
    from mimi_core.runs.events import Event, RunEnded, read_events
    from mimi_core.runs.status import Status
    from mimi_core.train.worker import work as work_on

    folder = store.folder(run_id)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("starting", total=1.0, left="")

        def on_event(event: Event) -> None:
            if isinstance(event, RunEnded) and event.status == "failed":
                return  # told once, as the error
            (bar.console if err.is_terminal else out).print(escape(describe(event)))

        def on_update(status: Status) -> None:
            left = "" if status.eta_seconds is None else f"{status.eta_seconds:.0f} s left"
            what = f"{status.phase} {status.message}" if status.phase == "loading" else status.phase
            bar.update(task, completed=status.progress, left=left, description=escape(what))

        try:
            outcome = work_on(folder, on_event, on_update)
        except MimiError:
            if delete_if_nothing_happened and store.state(run_id).started is None:
                with contextlib.suppress(MimiError):  # bad input: leave nothing behind
                    store.delete(run_id)
            raise
    if outcome == "finished" and (gained := gain.of_run(folder, read_events(folder / files.EVENTS))):
        out.print(escape(gained))
    if outcome != "finished":
        err.print(f"stopped; go on with: python -m mimi_core resume {run_id} --runs {store.directory}")
        raise typer.Exit(STOPPED)
