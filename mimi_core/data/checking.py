"""Is every image of a list of files readable? In parallel, before anything starts; one line for each that is not."""

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mimi_core.data.decode import read_image
from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import Progress
from mimi_core.errors import DataError

Check = Callable[[Sequence[Path]], tuple[bool, dict[Path, str]]]
"""Files -> whether all are grey, and for each that cannot be read the reason."""


def decoding(on_progress: Progress | None) -> Check:
    """Decodes every file once."""
    return partial(_decode_all, on_progress=on_progress)


def trusting(files: Sequence[Path]) -> tuple[bool, dict[Path, str]]:
    """Opens no file: all are taken to be readable, and none to be grey."""
    return False, {}


def refuse(faults: Sequence[str], skip_bad: bool) -> None:
    """Raises a DataError that names the first fault and counts the others, unless bad images may be left out."""
    if faults and not skip_bad:
        more = "" if len(faults) == 1 else f" (and {len(faults) - 1} more that cannot be used)"
        raise DataError(f"{faults[0]}{more}; repair or remove it, or set data.skip_bad=true to leave such images out")


def _decode_all(files: Sequence[Path], on_progress: Progress | None) -> tuple[bool, dict[Path, str]]:
    unreadable: dict[Path, str] = {}
    all_grey = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of and reads nevertheless, thousands of times perhaps
        for chunk in in_chunks(_mode_or_fault, files, os.cpu_count() or 1, on_progress):
            for path, mode, fault in chunk:
                all_grey &= mode != "RGB"
                if fault:
                    unreadable[path] = fault
    return all_grey, unreadable


def _mode_or_fault(path: Path) -> tuple[Path, str, str]:
    try:
        return path, read_image(path, quick=True).mode, ""
    except DataError as error:
        return path, "", str(error)
