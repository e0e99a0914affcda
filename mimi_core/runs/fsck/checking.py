"""All that is wrong with a run, and with what lies beside runs."""

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mimi_core.errors import MimiError
from mimi_core.runs import files, writing
from mimi_core.runs.fsck import account, cycles
from mimi_core.runs.fsck.problem import Problem

HALF_MADE_SECONDS = 3600.0
"""A hidden folder that has not changed for so long is nobody's any more."""
_HALF_MADE = (".*.partial", ".*.deleted")


def problems(run: Path) -> list[Problem]:
    """What is wrong with the files of a run on which nobody works. Only looks.

    Raises:
        RunError: somebody works on it.
    """
    with files.without_worker(run):
        try:
            writing.refuse_links(run)
        except MimiError as error:
            return [Problem(".", str(error), "nothing else was looked at")]
        state = account.read(run)
        return [
            *account.config(run, state),
            *account.events(run),
            *account.status(run, state),
            *account.course(run, state),
            *account.states(run, state),
            *account.prints(run),
            *cycles.problems(run, state),
            *_leftovers(run),
        ]


def mend(run: Path) -> tuple[list[Problem], list[Problem]]:
    """Put right what can be, and look again: mending one thing may be what another needs.

    Returns:
        what was mended, and what is still wrong.
    """
    mended: list[Problem] = []
    while True:
        left = problems(run)
        todo = [problem for problem in left if problem.mend and problem not in mended]
        if not todo:
            return mended, left
        with files.without_worker(run):
            for problem in todo:
                assert problem.mend is not None
                problem.mend()
                mended.append(problem)


def half_made(directory: Path) -> Iterator[Problem]:
    """Hidden folders of runs that were being made or deleted by a process that was killed."""
    for pattern in _HALF_MADE:
        for path in sorted(directory.glob(pattern)):
            if path.is_dir() and time.time() - path.lstat().st_mtime > HALF_MADE_SECONDS:
                yield Problem(
                    path.name, "half made, or half deleted, by a process that was killed", "removed",
                    partial(shutil.rmtree, path, ignore_errors=True),
                )  # fmt: skip


def _leftovers(run: Path) -> Iterator[Problem]:
    for path in sorted(run.rglob(files.PARTIALS)):
        name = str(path.relative_to(run))
        yield Problem(
            name, "was being written when its worker was killed", "removed", partial(writing.remove, run, name)
        )
