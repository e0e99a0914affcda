"""A split given by a text file: `path/of/image.jpg 17` on every line, the path below some folder, and a class number.

Nothing in the file is trusted: a path must stay below its folder, and a class number must be one of the dataset's. What
is wrong with the file itself stops at once, with its name and the line; images that cannot be read may be left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check, CheckedFiles, refuse
from mimi_core.data.decode import Decoding
from mimi_core.data.types import Dataset, FileImages, Split
from mimi_core.errors import DataError


@dataclass(frozen=True, eq=False)
class Listed:
    """What a file lists: images, and (n,) int64 classes. `source` is the file, for messages."""

    source: Path
    paths: tuple[Path, ...]
    labels: np.ndarray


def read_list(file: Path, root: Path, classes: int) -> Listed:
    """Read lines of `path label`; empty lines do not count. No image is looked for.

    Args:
        root: where the paths begin.
        classes: labels are 0 .. classes - 1.

    Raises:
        DataError: the file is missing, empty or not text; or a line is no such line. It names the file and the line.
    """
    paths: list[Path] = []
    labels: list[int] = []
    for number, line in lines_of(file):
        name, _, label = line.rpartition(" ")
        where = f"{file} line {number}"
        if not name.strip() or not _is_number(label):
            raise DataError(f"{where}: expected an image's path and its class number, got {line[:200]!r}")
        if len(label) > 9 or int(label) >= classes:
            raise DataError(f"{where}: has the label {label[:20]}; expected 0 to {classes - 1}")
        paths.append(below(root, name.strip(), where))
        labels.append(int(label))
    return Listed(file, tuple(paths), np.array(labels, dtype=np.int64))


def lines_of(file: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty, without blanks around, each with its number from 1.

    Raises:
        DataError: the file is missing, cannot be read, is not text, or has no such line.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not a text file; get it again") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise DataError(f"{file}: has no lines; get it again")
    return lines


def below(root: Path, name: str, where: str) -> Path:
    """`root / name`, for a relative name that leads nowhere else. Raises DataError, from `where`."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or not name.isprintable():
        raise DataError(f"{where}: {name[:200]!r} does not stay inside {root}; a list may only name images below it")
    return root / name


def dataset(
    config: DataConfig,
    class_names: Sequence[str],
    lists: Mapping[str, Listed],
    check: Check,
) -> Dataset:
    """The splits "train", "val", "test" that are listed; one that is not listed is empty.

    Raises:
        DataError: an image is in two splits or cannot be read (unless `config.skip_bad`), or a split has none left.
    """
    files = [path for listed in lists.values() for path in listed.paths]
    _refuse_repeats(lists)
    checked = check(files, how := Decoding(max_pixels=config.max_pixels))
    grey, unreadable = checked.grey, checked.unreadable
    faults = [
        reason if path.is_file() else f"{path}: missing, though {listed.source} lists it"
        for listed in lists.values()
        for path in listed.paths
        if (reason := unreadable.get(path))
    ]
    refuse(faults, config.skip_bad)
    splits = {name: _as_split(listed, checked, how) for name, listed in lists.items()}
    none = Split(FileImages((), 1 if grey else 3), np.zeros(0, dtype=np.int64))
    train, val, test = (splits.get(name, none) for name in ("train", "val", "test"))
    return Dataset(config.name, tuple(class_names), train, val, test, tuple(faults), decoding=how)


def listed_in(file: Path, entries: Sequence[tuple[Path, int]]) -> Listed:
    """What a list in another form gives: (image, class) for every entry."""
    paths, labels = zip(*entries, strict=True)
    return Listed(file, paths, np.array(labels, dtype=np.int64))


def _as_split(listed: Listed, checked: CheckedFiles, how: Decoding) -> Split:
    unreadable = checked.unreadable
    good = [index for index, path in enumerate(listed.paths) if path not in unreadable]
    if not good:
        raise DataError(f"{listed.source}: not one image in it can be read; the first: {unreadable[listed.paths[0]]}")
    paths = tuple(listed.paths[index] for index in good)
    return Split(FileImages(paths, 1 if checked.grey else 3, decoding=how), listed.labels[good])


def _refuse_repeats(lists: Mapping[str, Listed]) -> None:
    seen: dict[Path, Path] = {}
    for listed in lists.values():
        for path in listed.paths:
            if path in seen:
                other = seen[path]
                where = f"twice in {other}" if other == listed.source else f"in {other} and in {listed.source}"
                raise DataError(f"{path}: is {where}; test images must not be trained on. Get the lists again")
            seen[path] = listed.source


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
