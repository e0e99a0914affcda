"""`submit`, `dispatch`, `queue`, `stop`, `delete`: runs that wait, and what becomes of others."""

from pathlib import Path
from typing import Annotated

import typer

from mimi_core.cli.common import RUNS, ConfigArgument, PresetOption, RunsOption, SetOption, err, out, wanted_config
from mimi_core.runs import control
from mimi_core.runs.describe import describe_wait
from mimi_core.runs.queue.dispatcher import dispatch as dispatch_runs
from mimi_core.runs.queue.dispatcher import queued, wake
from mimi_core.runs.store import Store


def submit(
    config: ConfigArgument = None, preset: PresetOption = None, set_: SetOption = None, runs: RunsOption = RUNS
) -> None:
    """Queue a run; it starts in the background as soon as a slot is free. Prints its id."""
    out.print(control.submit(Store(runs), wanted_config(config, preset, set_)))


def dispatch(runs: Annotated[Path, typer.Argument(help="folder of all runs")] = RUNS) -> None:
    """Start queued runs as slots become free; ends when the queue has been empty for a while."""
    dispatch_runs(runs)


def queue(
    runs: RunsOption = RUNS,
    first: Annotated[str | None, typer.Option(help="a waiting run to put in front")] = None,
) -> None:
    """The waiting runs, the next one first. Looking at them is enough to have the queue go on after a restart."""
    if first is not None:
        control.move(Store(runs), first, 0)
    store = Store(runs)
    wake(store)
    for run_id in queued(store):
        out.print(run_id)
        run = store.summary(run_id)
        if waits := describe_wait(run.deaths, run.retry_at):
            err.print(f"{run_id} {waits}")


def stop(
    run_id: str,
    runs: RunsOption = RUNS,
    now: Annotated[bool, typer.Option("--now", help="TERM, then KILL; not at the end of the cycle")] = False,
) -> None:
    """Stop a run at the end of its cycle, or now. It can be resumed."""
    if now:
        out.print(f"{run_id}: {control.stop_now(Store(runs), run_id)}")
    else:
        out.print(f"{run_id} {control.stop_after_cycle(Store(runs), run_id)}")


def delete(
    run_id: str,
    runs: RunsOption = RUNS,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete a run and all that it kept."""
    folder = Store(runs).folder(run_id)
    if not yes:
        typer.confirm(f"Delete {folder} for good?", abort=True)
    control.delete(Store(runs), run_id)
