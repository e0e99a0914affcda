"""Runs that are wanted: each is done once, however often it is asked for and whoever is killed on the way."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated, Self

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from mimi_core.analysis.common import words
from mimi_core.cli.common import STOPPED, err, out, percent_unspaced
from mimi_core.config import RunConfig
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs.jobs.checking import check_all
from mimi_core.runs.queue.dispatcher import ensure_dispatcher
from mimi_core.runs.queue.slots import slots
from mimi_core.runs.status import Status
from mimi_core.runs.store import Store
from mimi_core.sweeps import estimate, matching
from mimi_core.sweeps.estimate import Kind, Pace
from mimi_core.sweeps.matching import Planned

POLL_SECONDS = 1.0
WAKE_SECONDS = 30.0
"""So often somebody who waits makes sure that there is a dispatcher; one may have been killed."""


HereOption = Annotated[bool, typer.Option("--here", help="one after the other in this process, without the queue")]
WaitOption = Annotated[bool, typer.Option(help="stay until all have ended, or leave them to the queue")]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="go on with runs that failed, too")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="list the runs and the time; start nothing")]


def carry_out(
    store: Store,
    configs: Sequence[RunConfig],
    here: bool,
    wait: bool,
    retry_failed: bool,
    dry_run: bool,
    kind: Callable[[RunConfig], Kind] = estimate.kind,
) -> list[Planned] | None:
    """Say what there is to do, do it, and show how it goes.

    Args:
        kind: runs of one kind are checked once before anything starts.

    Returns:
        All runs when they have ended; None where nobody is to wait for that.

    Raises:
        ConfigError: a run that cannot start; nothing has been started then.
    """
    if here and not wait:
        raise ConfigError("--here does the runs itself and cannot leave them to the queue: drop it, or --no-wait")
    planned = matching.compare(store, configs)
    paces = _paces(store, planned, retry_failed, kind)
    at_once = 1 if here else len(slots())
    out.print(escape(_plan(store, planned, paces, at_once, retry_failed)))
    if dry_run:
        out.print(_list_of(planned, paces))
        return None
    if not here:
        planned = matching.queue(store, configs, retry_failed)
        if not wait:
            return None
    to_resume = {p.run.id for p in planned if p.run and p.is_to_start(retry_failed)} if here else set()
    with _Display(store, planned, paces, at_once, to_resume) as display:
        if here:
            _work(store, configs, retry_failed, display)
        _wait(store, configs, display)
    return matching.compare(store, configs)


def listed_seeds(text: str) -> str:
    """What `--seeds` says, as YAML: a list, or a number."""
    return f"[{text}]" if "," in text else text


def _paces(
    store: Store, planned: Sequence[Planned], retry_failed: bool, kind: Callable[[RunConfig], Kind]
) -> Mapping[Kind, Pace]:
    """What every kind of run takes. A kind that never finished here is checked, and so must fit its backbone and data.

    Raises:
        ConfigError: a kind that cannot run; told before anything is started.
    """
    paces = estimate.measured(store, {estimate.kind(p.config) for p in planned})
    unknown = list({kind(config): config for config in estimate.unknown_kinds(planned, paces, retry_failed)}.values())
    if unknown:
        err.print(f"checking {words.count(len(unknown), 'kind')} of run that never finished here ..")
    for config, report in zip(unknown, check_all(unknown), strict=True):
        if not report.ok:
            raise ConfigError(f"{config.name}: {report.error}")
        paces[estimate.kind(config)] = estimate.checked(config, report)
    return paces


def _plan(store: Store, planned: Sequence[Planned], paces: Mapping[Kind, Pace], slots: int, retry_failed: bool) -> str:
    todo = [p for p in planned if p.is_to_start(retry_failed) or not p.has_ended]
    finished = sum(p.phase == "finished" for p in planned)
    failed = sum(p.phase == "failed" for p in planned)
    text = f"{words.count(len(planned), 'run')} in the group {planned[0].config.group!r}: {finished} finished"
    if failed:
        text += f", {failed} failed{'' if retry_failed else ' (--retry-failed tries again)'}"
    text += f", {len(todo)} to do"
    left = estimate.seconds_left(todo, paces, slots)
    if todo and left is not None:
        text += f"; about {words.duration(left)}, {slots} at a time"
        text += f", by {estimate.source_in_words((p.config for p in todo), paces)}"
    if others := matching.others(store, planned):
        text += f"\nthe group also holds {words.count(others, 'other run')}; --set name=ANOTHER keeps a sweep apart"
    return text


def _list_of(planned: Sequence[Planned], paces: Mapping[Kind, Pace]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("case", "seed", "state", "about"):
        table.add_column(column, justify="right" if column in ("seed", "about") else "left")
    for p in planned:
        seconds = estimate.seconds_of(p.config, paces)
        about = "" if seconds is None or p.phase == "finished" else words.duration(seconds)
        table.add_row(escape(p.config.name), str(p.config.seed), p.phase, about)
    return table


class _Display(AbstractContextManager["_Display"]):
    """One line for every run that ends, and below a bar where there is a terminal."""

    def __init__(
        self, store: Store, planned: Sequence[Planned], paces: Mapping[Kind, Pace], slots: int, to_resume: set[str]
    ) -> None:
        self._store, self._configs, self._paces, self._slots = store, [p.config for p in planned], paces, slots
        self.to_resume = to_resume
        self._told = {p.run.id for p in planned if p.run and p.has_ended} - to_resume
        columns = (BarColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=err, disable=not err.is_terminal, transient=True)
        self._task = self._bar.add_task("starting", total=len(planned))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def show(self) -> list[Planned]:
        """Look at the store and say what is new. Returns the runs as they are."""
        planned = matching.compare(self._store, self._configs)
        paces = {**self._paces, **estimate.measured(self._store, map(estimate.kind, self._configs))}
        ended = [p for p in planned if p.run and p.has_ended and p.run.id not in self.to_resume]
        done = {p.run.id for p in ended if p.run}
        rest = [p for p in planned if p.run is None or p.run.id not in done]
        left = estimate.seconds_left(rest, paces, self._slots)
        until = f"about {words.duration(left)} left" if left else ""
        for p in ended:
            if p.run and p.run.id not in self._told:
                self._told.add(p.run.id)
                text = "; ".join(filter(None, [f"{len(ended)}/{len(planned)}  {_one_line(p)}", until]))
                (self._bar.console if err.is_terminal else out).print(escape(text))
        going = [f"{p.config.name}, seed {p.config.seed}" for p in rest if p.phase not in ("queued", "missing")]
        what = " | ".join(going) or "waiting for a free slot"
        self._bar.update(
            self._task,
            completed=len(ended) + sum(p.run.progress for p in rest if p.run),
            description=escape(" · ".join(filter(None, [f"{len(ended)} of {len(planned)}", what, until]))),
        )
        return planned


def _one_line(planned: Planned) -> str:
    run, config = planned.run, planned.config
    assert run is not None
    text = f"{config.name}, seed {config.seed}: {run.phase}"
    if run.phase == "finished":
        text += f", {percent_unspaced(run.accuracy)}" if run.accuracy is not None else ""
        return text + (f" in {words.duration(run.seconds)}" if run.seconds is not None else "")
    return f"{text}{': ' * bool(run.message)}{run.message} (mimi show {run.id})"


def _work(store: Store, configs: Sequence[RunConfig], retry_failed: bool, display: _Display) -> None:
    """Do what is to be done, in this process. A run that fails is told and left; to stop a run stops the sweep."""
    shown = 0.0

    def on_update(_: Status) -> None:
        nonlocal shown
        if err.is_terminal and time.monotonic() - shown > POLL_SECONDS:
            shown = time.monotonic()
            display.show()

    tried: set[str] = set()
    while (run_id := matching.claim(store, configs, tried, retry_failed)) is not None:
        from mimi_core.train.worker import work as work_on  # torch: seconds, and not needed when all is done

        tried.add(run_id)
        stopped = False
        with contextlib.suppress(MimiError):  # one run that fails must not stop the others; its line says why
            stopped = work_on(store.folder(run_id), on_update=on_update) == "stopped"
        display.to_resume.discard(run_id)
        display.show()
        if stopped:
            err.print("stopped; the same command goes on")
            raise typer.Exit(STOPPED)


def _wait(store: Store, configs: Sequence[RunConfig], display: _Display) -> None:
    """Until nothing of the sweep waits or runs."""
    woken = time.monotonic()
    try:
        while not all(p.has_ended for p in display.show()):
            time.sleep(POLL_SECONDS)
            if time.monotonic() - woken > WAKE_SECONDS:
                ensure_dispatcher(store.directory)
                woken = time.monotonic()
    except KeyboardInterrupt:
        err.print("the runs go on without this; the same command looks at them again, `mimi stop RUN` stops one")
        raise typer.Exit(130) from None


def exit_unless_finished(planned: Sequence[Planned]) -> None:
    """With code 1 and what to do, where a run has not finished."""
    left = [p for p in planned if p.phase != "finished"]
    if not left:
        return
    phases = [p.phase for p in left]
    told = ", ".join(f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases))
    advice = " and --retry-failed" if "failed" in phases else ""
    err.print(f"not all runs finished: {told}; go on with the same command{advice}")
    raise typer.Exit(1)
