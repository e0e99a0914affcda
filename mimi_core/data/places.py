"""Where the files of a dataset lie that is known by name: in `data.path`, or in the folder of all datasets."""

from collections.abc import Sequence
from pathlib import Path

from mimi_core.config import DataConfig, datasets_folder
from mimi_core.errors import DataError


def root_of(config: DataConfig) -> Path:
    """The folder that holds this dataset's folder, or is it."""
    return config.path.expanduser().absolute() if config.path else datasets_folder()


def find(config: DataConfig, candidates: Sequence[str], how: str) -> Path:
    """The first of `candidates`, relative to `root_of(config)`, that is there.

    Raises:
        DataError: none is. It says where it was looked for, and `how` to get it.
    """
    root = root_of(config)
    try:
        for name in candidates:
            if (root / name).exists():
                return root / name
    except OSError as error:
        raise DataError(f"{config.name}: {root} cannot be read ({error.strerror}); check its permissions") from error
    given = "" if config.path else " (set data.path or MIMI_DATA to look elsewhere)"
    raise DataError(f"{config.name}: {root / candidates[0]} is not there{given}. {how}")


def missing(config: DataConfig, candidates: Sequence[str], how: str) -> str | None:
    """What is missing and how to get it; None where it is there."""
    try:
        find(config, candidates, how)
    except DataError as error:
        return str(error)
    return None
