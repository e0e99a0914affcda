"""`fsck`: whether everything that runs keep is there, whole, and agrees."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from mimi_core.analysis.common.words import count
from mimi_core.cli.common import RUNS, RunsOption, err, out
from mimi_core.errors import MimiError, RunError
from mimi_core.runs import files
from mimi_core.runs.fsck.checking import half_made, mend, problems
from mimi_core.runs.fsck.problem import Problem
from mimi_core.runs.store import Store


def fsck(
    run_ids: Annotated[list[str] | None, typer.Argument(metavar="[RUN]..", help="all, unless some are named")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="mend what can be without inventing anything")] = False,
    runs: RunsOption = RUNS,
) -> None:
    """Read every file of every run, and say what is missing, broken, or does not agree. Exit code 1 if anything is."""
    store = Store(runs)
    folders = [store.folder(run_id) for run_id in run_ids or [run.id for run in store.list()]]
    wrong = mended = busy = 0
    for folder in folders:
        try:
            done, left = _looked_at(folder, repair)
        except RunError as error:
            busy += 1
            err.print(escape(f"{folder.name}: not looked at: {error}"))
            continue
        for problem in done:
            _tell(folder.name, problem, "mended")
        for problem in left:
            _tell(folder.name, problem, "can be mended with --repair" if problem.mend else "")
        mended, wrong = mended + len(done), wrong + len(left)
    for problem in half_made(runs) if not run_ids else ():
        if repair and problem.mend:
            problem.mend()
        _tell(str(runs), problem, "mended" if repair else "can be mended with --repair")
        mended, wrong = mended + repair, wrong + (not repair)
    told = [f"{count(len(folders) - busy, 'run')} looked at", f"{count(mended, 'problem')} mended" if mended else ""]
    out.print(", ".join(filter(None, [*told, f"{count(wrong, 'problem')} left" if wrong else "nothing is wrong"])))
    if wrong:
        raise typer.Exit(1)


def _looked_at(folder: Path, repair: bool) -> tuple[list[Problem], list[Problem]]:
    """What was mended, and what is wrong."""
    if not repair:
        return [], problems(folder)
    done, left = mend(folder)
    lost = [problem for problem in left if problem.file == files.GALLERY]
    if not lost:
        return done, left
    from mimi_core.train.missed import redraw  # torch, and the data: only for this

    try:
        redraw(folder)
    except MimiError as error:
        err.print(escape(f"{folder.name}: the gallery cannot be drawn again: {error}"))
        return done, left
    return [*done, *lost], problems(folder)


def _tell(where: str, problem: Problem, state: str) -> None:
    name = "" if problem.file == "." else f" {problem.file}"
    out.print(escape(f"{where}{name}: {problem.what}. {f'({state}) ' if state else ''}{problem.remedy}"))
