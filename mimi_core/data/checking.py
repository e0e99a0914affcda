"""Is every image of a list of files readable? In parallel, before anything starts; one line for each that is not."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mimi_core.data.decode import Decoding, examine
from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import Progress
from mimi_core.errors import DataError


@dataclass(frozen=True)
class CheckedFiles:
    """What was found in some files.

    Attributes:
        grey: whether all are.
        unreadable: the reason for each that cannot be read.
        peaks: the largest value in each of 16 bits.
    """

    grey: bool
    unreadable: Mapping[Path, str]
    peaks: Mapping[Path, int]


Check = Callable[[Sequence[Path], Decoding], CheckedFiles]


def decoding(on_progress: Progress | None) -> Check:
    """Decodes every file once."""
    return partial(_decode_all, on_progress=on_progress)


def trusting(files: Sequence[Path], how: Decoding) -> CheckedFiles:
    """Opens no file: all are taken to be readable, and none to be grey or of 16 bits."""
    return CheckedFiles(False, {}, {})


def refuse(faults: Sequence[str], skip_bad: bool) -> None:
    """Raises a DataError that names the first fault and counts the others, unless bad images may be left out."""
    if faults and not skip_bad:
        more = "" if len(faults) == 1 else f" (and {len(faults) - 1} more that cannot be used)"
        raise DataError(f"{faults[0]}{more}; repair or remove it, or set data.skip_bad=true to leave such images out")


def _decode_all(files: Sequence[Path], how: Decoding, on_progress: Progress | None) -> CheckedFiles:
    unreadable: dict[Path, str] = {}
    peaks: dict[Path, int] = {}
    all_grey = True

    def look(path: Path) -> tuple[Path, str, int | None, str]:
        try:
            return path, *examine(path, how), ""
        except DataError as error:
            return path, "", None, str(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of and reads nevertheless, thousands of times perhaps
        for chunk in in_chunks(look, files, os.cpu_count() or 1, on_progress):
            for path, mode, peak, fault in chunk:
                all_grey &= mode != "RGB"
                if peak is not None:
                    peaks[path] = peak
                if fault:
                    unreadable[path] = fault
    return CheckedFiles(all_grey, unreadable, peaks)
