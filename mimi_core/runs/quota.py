"""How much may be made: runs of one person at a time, and room on the disk. For an app that several people share.

Asked before anything is made. Who has the command line has the machine, and is not asked. Three settings in the
environment, all with a default that does not hinder a person alone: MIMI_MAX_RUNS, MIMI_MIN_FREE_GB, MIMI_MAX_GB.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mimi_core.errors import ConfigError, ResourceError
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import Store

RUNS = "MIMI_MAX_RUNS"
"""Most runs that wait or work at a time for one person who signed in; for all together where nobody does."""
FREE = "MIMI_MIN_FREE_GB"
"""What must stay free on the disk of runs and datasets."""
SIZE = "MIMI_MAX_GB"
"""Most that runs and uploaded datasets may take together."""
RUNS_OF_A_PERSON = 100
"""Where people sign in and nothing else is said."""
FREE_GB = 0.5
GB = 10**9


def check_runs(store: Store, more: int, owner: str = "") -> None:
    """Whether somebody may have so many more runs queued.

    Args:
        owner: the address that the person signed in with; empty where nobody has to.

    Raises:
        ResourceError: with these it would be too many.
        ConfigError: a setting is no number.
    """
    most = _setting(RUNS, RUNS_OF_A_PERSON if owner else None)
    if most is None or more <= 0:
        return
    under_way = sum(run.phase not in ENDED and (not owner or run.owner == owner) for run in store.list())
    if under_way + more > most:
        asked = "one more" if more == 1 else f"{more:,} more"
        raise ResourceError(
            f"{under_way:,} of {'your' if owner else 'the'} runs wait or work already, and {asked} would be over the "
            f"limit of {most:,.0f} ({RUNS}): wait until some have finished, or take some out of the queue"
        )


def check_disk(folders: Iterable[Path], more: int = 0) -> None:
    """Whether there is room for more.

    Args:
        folders: of runs and of datasets; they need not be there yet.
        more: bytes that are known to come.

    Raises:
        ResourceError: the disk has too little left, or all together take too much.
        ConfigError: a setting is no number.
    """
    folders = list(folders)
    floor, most = _setting(FREE, FREE_GB), _setting(SIZE, None)
    for folder in folders:
        free = shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free
        if floor is not None and free - more < floor * GB:
            raise ResourceError(
                f"the disk of {folder} has {free / GB:.1f} GB left, and {floor:g} GB are to stay free: delete runs or "
                f"datasets that nobody needs ({FREE} sets how much)"
            )
    if most is not None and (taken := sum(map(size, folders)) + more) > most * GB:
        raise ResourceError(
            f"runs and datasets would take {taken / GB:.1f} GB, more than the limit of {most:g} GB: delete some that "
            f"nobody needs ({SIZE} sets the limit)"
        )


def size(folder: Path) -> int:
    """Bytes of all files in it; links are not followed, and what goes away meanwhile does not count."""
    total, waiting = 0, [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _setting(name: str, default: float | None) -> float | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{name}: {text!r} is not a number from 0 on")
    return value
