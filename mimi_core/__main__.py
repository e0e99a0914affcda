"""The command line: `python -m mimi_core --help`. Every failure is one line on stderr and a non-zero exit code."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.markup import escape
from rich.table import Table

from mimi_core.cli.branch import branch
from mimi_core.cli.common import RUNS, STOPPED, RunsOption, err, out
from mimi_core.cli.data import data
from mimi_core.cli.export import export, predict
from mimi_core.cli.findings import findings
from mimi_core.cli.report import report
from mimi_core.cli.sites import sites
from mimi_core.cli.suite import suite
from mimi_core.cli.sweep import sweep
from mimi_core.config import PRESETS, RunConfig, make_config
from mimi_core.config.text import read_config_file
from mimi_core.errors import MimiError
from mimi_core.runs.jobs.check_report import STAGE, CheckReport
from mimi_core.runs.store import RunSummary, Store

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__, rich_markup_mode=None
)
ConfigArgument = Annotated[Path | None, typer.Argument(help="YAML file; every key is optional")]
PresetOption = Annotated[str | None, typer.Option(help=f"start from one of: {', '.join(PRESETS)}")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, such as prune.rho=0.5; repeatable")
]


@app.command()
def run(
    config: ConfigArgument = None, preset: PresetOption = None, set_: SetOption = None, runs: RunsOption = RUNS
) -> None:
    """Train and prune, here and now."""
    wanted = _config(config, preset, set_)
    store = Store(runs)
    run_id = store.create(wanted, here=True)
    out.print(f"run {run_id} in {escape(str(runs))}")
    _do(store, run_id, delete_if_nothing_happened=True)


@app.command()
def resume(run_id: str, runs: RunsOption = RUNS) -> None:
    """Go on with a run that was stopped, failed or killed, from its last safe state."""
    _do(Store(runs), run_id)


@app.command()
def submit(
    config: ConfigArgument = None, preset: PresetOption = None, set_: SetOption = None, runs: RunsOption = RUNS
) -> None:
    """Queue a run; it starts in the background as soon as a slot is free. Prints its id."""
    from mimi_core.runs.control import submit as submit_run

    out.print(submit_run(Store(runs), _config(config, preset, set_)))


for command in (branch, sweep, suite, findings, predict, export, report, sites):
    app.command()(command)
app.add_typer(data, name="data")


@app.command()
def work(run: Annotated[Path, typer.Argument(help="a run folder")]) -> None:
    """Do one run, quietly: what the dispatcher starts. Its log and status are in the run folder."""
    from mimi_core.train.worker import work as work_on

    if work_on(run) != "finished":
        raise typer.Exit(STOPPED)


@app.command()
def dispatch(runs: Annotated[Path, typer.Argument(help="folder of all runs")] = RUNS) -> None:
    """Start queued runs as slots become free; ends when the queue has been empty for a while."""
    from mimi_core.runs.queue.dispatcher import dispatch as dispatch_runs

    dispatch_runs(runs)


@app.command("ls")
def list_runs(
    runs: RunsOption = RUNS, as_json: Annotated[bool, typer.Option("--json", help="one JSON list")] = False
) -> None:
    """List the runs, newest first."""
    from mimi_core.runs.queue.dispatcher import wake

    store = Store(runs)
    found = store.list()
    wake(store)
    if as_json:
        print(json.dumps([_as_dict(run) for run in found], indent=1))
        return
    if not found:
        out.print(f"no runs in {escape(str(runs))} yet; try: python -m mimi_core run --preset demo")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "method", "backbone", "data", "cut", "neurons", "gone", "accuracy"):
        table.add_column(column, justify="right" if column in ("neurons", "gone", "accuracy") else "left")
    for run in found:
        state = f"{run.phase} {run.progress:.0%}" if run.phase in ("training", "evaluating", "scoring") else run.phase
        table.add_row(
            run.id,
            state,
            run.method,
            escape(run.backbone),
            escape(run.data),
            f"{run.cycle}/{run.cycles}",
            f"{run.neurons}/{run.neurons_at_start}",
            f"{run.removed}/{run.sites}",
            "" if run.accuracy is None else f"{run.accuracy:.1%}",
        )
    out.print(table)


@app.command()
def show(run_id: str, runs: RunsOption = RUNS) -> None:
    """One run: where it is, the widths after every cut, and its accuracy."""
    store = Store(runs)
    summary, state = store.summary(run_id), store.state(run_id)
    out.print(f"{summary.id}  {summary.phase}  {summary.progress:.0%}  {escape(summary.message)}")
    if state.widths and state.sites:
        table = Table(box=None, pad_edge=False)
        table.add_column("adapter")
        for cut in range(len(state.widths)):
            table.add_column("start" if cut == 0 else f"cut {cut}", justify="right")
        for site in state.sites:
            table.add_row(
                site.name, *("gone" if widths[site.name] == 0 else str(widths[site.name]) for widths in state.widths)
            )
        out.print(table)
    for e in state.evaluations:
        out.print(
            f"cycle {e.cycle}  {'after the cut' if e.stage == 'cut' else 'trained':13}  {e.split:4}  {e.accuracy:.2%}"
        )
    for warning in state.warnings:
        out.print(f"warning: {escape(warning.message)}")
    if summary.phase in ("failed", "died"):
        out.print(escape(store.log_tail(run_id, 10)))


@app.command()
def stop(
    run_id: str,
    runs: RunsOption = RUNS,
    now: Annotated[bool, typer.Option("--now", help="TERM, then KILL; not at the end of the cycle")] = False,
) -> None:
    """Stop a run at the end of its cycle, or now. It can be resumed."""
    from mimi_core.runs import control

    if now:
        out.print(f"{run_id}: {control.stop_now(Store(runs), run_id)}")
    else:
        control.stop_after_cycle(Store(runs), run_id)
        out.print(f"{run_id} stops at the end of its cycle")


@app.command()
def queue(
    runs: RunsOption = RUNS,
    first: Annotated[str | None, typer.Option(help="a waiting run to put in front")] = None,
) -> None:
    """The waiting runs, the next one first."""
    from mimi_core.runs import control
    from mimi_core.runs.queue.dispatcher import queued, wake

    if first is not None:
        control.move(Store(runs), first, 0)
    store = Store(runs)
    wake(store)
    for run_id in queued(store):
        out.print(run_id)


@app.command()
def delete(
    run_id: str,
    runs: RunsOption = RUNS,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Delete a run and all that it kept."""
    from mimi_core.runs import control

    folder = Store(runs).folder(run_id)
    if not yes:
        typer.confirm(f"Delete {folder} for good?", abort=True)
    control.delete(Store(runs), run_id)


@app.command()
def check(
    configs: Annotated[list[Path] | None, typer.Argument(help="YAML files; every key is optional")] = None,
    preset: PresetOption = None,
    set_: SetOption = None,
    runs: RunsOption = RUNS,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for each config")] = False,
) -> None:
    """What a run would take: parameters per cycle, memory, time. Trains a few batches, keeps nothing."""
    from mimi_core.train.check import check as check_config

    started = time.time() - psutil.Process().create_time()
    failed = False
    files: list[Path | None] = [*configs] if configs else [None]
    for file in files:
        report = check_config(_config(file, preset, set_), started, _tell_stage if as_json else None, runs)
        failed = failed or not report.ok
        if as_json:
            print(report.model_dump_json(), flush=True)
        else:
            _print_report(report)
    if failed:
        raise typer.Exit(1)


def _tell_stage(what: str) -> None:
    print(f"{STAGE}{what}", file=sys.stderr, flush=True)


def _print_report(report: CheckReport) -> None:
    if report.error is not None:
        raise MimiError(report.error)
    out.print(
        f"{report.sites} adapters, {report.initial_neurons} neurons, {len(report.cycles) - 1} cuts, on {report.device}"
    )
    for cycle in report.cycles:
        out.print(
            f"cycle {cycle.cycle}: {cycle.neurons} neurons, {cycle.adapter_parameters:,} adapter parameters, "
            f"{cycle.trained_parameters:,} trained"
        )
    out.print(
        f"about {(report.memory_bytes or 0) / 2**20:,.0f} MiB, about {report.seconds or 0:,.0f} s "
        f"({report.images_per_second or 0:.0f} images/s)"
    )
    for kept in report.kept_images:
        disk = f", {kept.disk_bytes / 2**20:,.0f} MiB of disk" if kept.disk_bytes else ""
        where = {"memory": "kept in memory", "disk": "kept on disk", "nowhere": "decoded anew in every epoch"}
        out.print(
            f"{kept.split}: {kept.images:,} images {where[kept.place]}, "
            f"{kept.memory_bytes / 2**20:,.1f} MiB of memory{disk}"
        )
    for warning in report.warnings:
        out.print(f"warning: {escape(warning)}")


def _config(path: Path | None, preset: str | None, sets: list[str] | None) -> RunConfig:
    return make_config(read_config_file(path) if path else None, preset, sets)


def _as_dict(run: RunSummary) -> dict[str, object]:
    return {**vars(run), "folder": str(run.folder)}


def _do(store: Store, run_id: str, delete_if_nothing_happened: bool = False) -> None:
    """Drive a run in this process, showing its events, and a progress bar where there is a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from mimi_core.runs.describe import describe
    from mimi_core.runs.events import Event, RunEnded
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
                store.delete(run_id)  # bad input: leave nothing behind
            raise
    if outcome != "finished":
        err.print(f"stopped; go on with: python -m mimi_core resume {run_id} --runs {store.directory}")
        raise typer.Exit(STOPPED)


def main() -> None:
    try:
        app()
    except MimiError as error:
        err.print(f"error: {escape(str(error))}", style=None)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
