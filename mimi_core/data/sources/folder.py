"""A folder of images of one's own, `folder:PATH`; PATH may begin with ~ and is otherwise relative to where one stands.

Either a folder per class, or `train/ val/ test/` with a folder per class each. What is missing is drawn from the
training images, 15 % of every class by `data.seed`: val and test in the first layout, and in the second whichever of
them is not there. Images are looked for at any depth inside a class folder. Every image is decoded once before anything
starts, and each that cannot be used is named; what is no image, or the leftover of another program, is counted.
"""

import math
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check, CheckedFiles, decoding, refuse, trusting
from mimi_core.data.decode import SUFFIXES, Decoding, is_image
from mimi_core.data.levels import chosen
from mimi_core.data.sampling import set_aside
from mimi_core.data.source import Source
from mimi_core.data.spelling import alike, normal
from mimi_core.data.types import Dataset, FileImages, Progress, Split, decoded_by
from mimi_core.data.unused import Reason, Unused, in_words, is_leftover, reason_for, together
from mimi_core.errors import DataError

PREFIX = "folder:"
DRAWN_SHARE = 0.15
_UPLOADED = re.compile(r".+-[0-9a-f]{8}")
"""How the folder of an upload is called: its own name and a fingerprint."""
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class _Listing:
    """What a folder of class folders holds: class -> its images, a line about each thing amiss, and what is unused."""

    folder: Path
    classes: dict[str, list[Path]]
    folders: dict[str, Path]
    faults: list[str]
    unused: Unused


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """Find, check and label the images of a folder.

    Raises:
        DataError: the folder, a class, or an image cannot be used; the message names it. Single images are no reason
            if `config.skip_bad`: they are listed in the dataset's `skipped`.
        ResourceError: memory does not suffice to decode an image.
    """
    return read(config, decoding(on_progress))


def scan(config: DataConfig, seconds: float = math.inf) -> Dataset:
    """The same, but no image is opened: all are taken to be readable, and none to be grey.

    Args:
        seconds: give up after so long, as with a whole disk that somebody named by mistake.

    Raises:
        DataError: as in `load`, or the time did not suffice.
    """
    return _dataset(config, trusting, time.monotonic() + seconds)


def read(config: DataConfig, check: Check) -> Dataset:
    """The same with another way to look at the images."""
    return _dataset(config, check, math.inf)


def stamp(config: DataConfig) -> tuple[int, ...]:
    """Something that changes when images are added to the folder, or removed or renamed; cheap. Empty without one."""
    try:
        root = _root(config.name)
        inside = _folders_in(root)
        deeper = [folder for split in inside if split.name.lower() in SPLIT_NAMES for folder in _folders_in(split)]
        return tuple(folder.stat().st_mtime_ns for folder in (root, *inside, *deeper))
    except (OSError, DataError):
        return ()


def uploaded(into: Path) -> list[Path]:
    """The datasets that were uploaded into a folder, newest first; others lie there, too."""
    try:
        made = [path for path in into.iterdir() if _UPLOADED.fullmatch(path.name) and path.is_dir()]
        return sorted(made, key=lambda path: -path.stat().st_mtime)
    except OSError:
        return []


def _dataset(config: DataConfig, check: Check, deadline: float) -> Dataset:
    try:
        folders = _find_splits(_root(config.name))
        listings = {split: _list_classes(folder, deadline) for split, folder in folders.items()}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error
    class_names = _common_classes(listings)
    files = [path for listing in listings.values() for paths in listing.classes.values() for path in paths]
    how = Decoding(max_pixels=config.max_pixels)
    checked = check(files, how)

    faults = [fault for listing in listings.values() for fault in listing.faults] + list(checked.unreadable.values())
    refuse(faults, config.skip_bad)

    splits = {split: _as_split(listing, class_names, checked) for split, listing in listings.items()}
    splits = completed(splits, config.seed, class_names)
    peaks = {split: _peaks(part, checked) for split, part in splits.items()}
    levels, remarks = chosen(config.range, peaks["train"], peaks["val"] + peaks["test"])
    how = replace(how, levels=levels)
    train, val, test = (decoded_by(splits[split], how) for split in ("train", "val", "test"))
    unused = together([*(listing.unused for listing in listings.values()), _beside(_root(config.name), listings)])
    return Dataset(config.name, class_names, train, val, test, tuple(faults), unused, how, tuple(remarks))


def _peaks(split: Split, checked: CheckedFiles) -> list[int]:
    """The largest value in each 16-bit image of a split."""
    assert isinstance(split.images, FileImages)
    return [checked.peaks[path] for path in split.images.paths if path in checked.peaks]


def completed(splits: dict[str, Split], seed: int, class_names: Sequence[str]) -> dict[str, Split]:
    """`splits` with what is missing of "val" and "test" drawn from "train", `DRAWN_SHARE` of every class each.

    Raises:
        DataError: a class has too few training images for that.
    """
    missing = [split for split in ("val", "test") if split not in splits]
    if not missing:
        return splits
    whole = splits["train"]
    *drawn, rest = set_aside(whole.labels, [DRAWN_SHARE] * len(missing), seed, class_names)
    parts = zip([*missing, "train"], [*drawn, rest], strict=True)
    return {**splits, **{split: whole.take(indices) for split, indices in parts}}


def _root(name: str) -> Path:
    text = name.removeprefix(PREFIX)
    if not text:
        raise DataError("folder: needs a path, such as folder:~/pictures")
    root = Path(os.path.expanduser(text))
    if root.is_file():
        raise DataError(f"{root}: a file, not a folder; unpack it if it is an archive, and give the folder")
    if not root.is_dir():
        raise DataError(f"{root}: no such folder" + ("" if root.is_absolute() else f" in {Path.cwd()}"))
    return root


def _find_splits(root: Path) -> dict[str, Path]:
    """Split -> its folder of class folders; only "train", the root itself, if the root has a folder per class.

    "train" and "test" may be classes among others; only a "train" with folders in it is a split.
    """
    candidates: dict[str, list[Path]] = {}
    others: list[Path] = []
    for folder in _folders_in(root):
        split = SPLIT_NAMES.get(folder.name.lower())
        (candidates.setdefault(split, []) if split else others).append(folder)
    if not any(_folders_in(folder) for folder in candidates.get("train", [])):
        if candidates and not others:
            raise DataError(f"{root}: has no folder train with a folder per class in it; sort the training images so")
        return {"train": root}
    for folders in candidates.values():
        if len(folders) > 1:
            raise DataError(f"{root}: {folders[0].name} and {folders[1].name} are for the same split; keep one of them")
    if others:
        raise DataError(f"{others[0]}: neither train, val nor test; rename it, or move it out of {root}")
    splits = {split: folders[0] for split, folders in candidates.items()}
    for split, folder in splits.items():
        _refuse_unsorted(root, split, folder, _folders_in(splits["train"]))
    return splits


def _refuse_unsorted(root: Path, split: str, folder: Path, classes: Sequence[Path]) -> None:
    """Images of which nobody knows what they show, as in the flat test/ of a competition or Tiny ImageNet's val/images.

    Raises:
        DataError: it says what can be done, which is not to sort them.
    """
    inside = _folders_in(folder)
    named = {path.name for path in classes}
    lone = inside[0] if len(inside) == 1 and inside[0].name not in named and len(named) > 1 else None
    if split == "train" or (inside and lone is None):
        return
    where = lone or folder
    lists = sorted(p.name for p in (*folder.iterdir(), *root.iterdir()) if p.suffix in (".txt", ".csv"))
    known = f" (does {lists[0]} say what they show? then sort them by it)" if lists else ""
    raise DataError(
        f"{where}: holds images of no known class, as the test images of competitions do{known}; move {folder} out of "
        f"{root}, and {split} images are drawn from train; classify the others with the finished run, on Predict"
    )


def _list_classes(folder: Path, deadline: float) -> _Listing:
    faults = [f"{path}: an image outside the class folders" for path in _visible(folder) if _is_image(path)]
    classes: dict[str, list[Path]] = {}
    folders: dict[str, Path] = {}
    unused = [_others_in(folder)]
    for class_folder in _folders_in(folder):
        if folder.resolve().is_relative_to(class_folder.resolve()):
            raise DataError(f"{class_folder}: a link to a folder that contains it; remove it")
        name = normal(class_folder.name)
        if name in folders:
            twin = alike(class_folder.name, [folders[name].name])
            raise DataError(f"{folder}: two class folders are called {name!r}{twin}; rename one of them")
        folders[name] = class_folder
        classes[name], links, others = _images_under(class_folder, deadline)
        faults += links
        unused.append(others)
    if not classes:
        raise DataError(f"{folder}: has no class folders; sort the images into one folder per class")
    if len(classes) == 1:
        (name,) = classes
        hint = f" (did you mean folder:{folder / name}?)" if _folders_in(folder / name) else ""
        raise DataError(f"{folder}: has only one class folder, {name!r}; at least two are needed{hint}")
    return _Listing(folder, classes, folders, faults, together(unused))


def _beside(root: Path, listings: dict[str, _Listing]) -> Unused:
    """What lies beside the folders of the splits; nothing where the root is the folder of the classes."""
    return {} if any(listing.folder == root for listing in listings.values()) else _others_in(root)


def _others_in(folder: Path) -> Unused:
    """Files of a folder that are no images, and all that is in the leftovers of other programs in it."""
    unused: Counter[tuple[Reason, str]] = Counter()
    for path in folder.iterdir():
        if path.is_dir():
            unused.update(_leftovers_under(path) if is_leftover(path.name) and not path.is_symlink() else {})
        elif not _is_image(path):
            unused[reason_for(path)] += 1
    return unused


def _leftovers_under(folder: Path) -> Unused:
    """Unreadable folders are passed over: they are not ours."""
    return Counter(("leftover", Path(name).suffix.lower()) for _, _, files in os.walk(folder) for name in files)


def _images_under(class_folder: Path, deadline: float) -> tuple[list[Path], list[str], Unused]:
    """Sorted images at any depth, a line about each linked folder (it might lead round in circles), and the rest."""
    images: list[Path] = []
    faults: list[str] = []
    unused: list[Unused] = []
    for parent, folders, files in os.walk(class_folder, onerror=_reraise):
        if time.monotonic() > deadline:
            raise DataError(f"{class_folder}: too many folders to look through here; is it the right folder?")
        folders[:] = sorted(name for name in folders if _is_visible(name))
        links = (path for path in (Path(parent, name) for name in folders) if path.is_symlink())
        faults += [f"{link}: a link to a folder inside a class folder is not followed" for link in links]
        images += [path for path in (Path(parent, name) for name in sorted(files)) if _is_image(path)]
        unused.append(_others_in(Path(parent)))
    return images, faults, together(unused)


def _common_classes(listings: dict[str, _Listing]) -> tuple[str, ...]:
    """Class names in the order of the training folders' own names.

    Raises:
        DataError: the splits differ in their classes, or a class has no images.
    """
    train = listings["train"]
    for listing in listings.values():
        for one, other in ((listing, train), (train, listing)):
            if lacking := sorted(set(one.classes) - set(other.classes)):
                near = alike(lacking[0], sorted(set(other.classes) - set(one.classes)))
                raise DataError(
                    f"class {lacking[0]!r} is in {one.folder} but not in {other.folder}{near}; add or remove it"
                )
        for name, paths in listing.classes.items():
            if not paths:
                kinds = ", ".join(sorted(SUFFIXES))
                there = " ".join(in_words(_others_in(listing.folders[name])))
                holds = f"; it holds: {there.rstrip('.')}" if there else ""
                raise DataError(
                    f"{listing.folders[name]}: a class without images (of {kinds}); add some or remove it{holds}"
                )
    return tuple(sorted(train.classes, key=lambda name: train.folders[name].name))


def _as_split(listing: _Listing, class_names: Sequence[str], checked: CheckedFiles) -> Split:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        good = [path for path in listing.classes[name] if path not in checked.unreadable]
        if not good:
            first = checked.unreadable[listing.classes[name][0]]
            raise DataError(f"{listing.folders[name]}: a class without a readable image; the first: {first}")
        paths += good
        labels += [label] * len(good)
    return Split(FileImages(tuple(paths), 1 if checked.grey else 3), np.array(labels, dtype=np.int64))


def _folders_in(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted by name, without hidden things.

    Raises:
        DataError: it holds a link that leads nowhere (a class might be lost with it).
    """
    paths = sorted(path for path in folder.iterdir() if _is_visible(path.name))
    for path in paths:
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path}: a link that leads nowhere; remove it")
    return paths


def _is_visible(name: str) -> bool:
    return not is_leftover(name)


def _is_image(path: Path) -> bool:
    return _is_visible(path.name) and not path.is_dir() and is_image(path)


def _reraise(error: OSError) -> NoReturn:
    """For `os.walk`, which passes over folders it cannot read unless told otherwise."""
    raise error


SOURCES = (
    Source(
        PREFIX,
        "your own images: a folder per class, or train/ val/ test/ of such folders",
        load,
        scan,
        placeholder="PATH",
        is_path=lambda place: True,
        kept_in=lambda into: [f"{PREFIX}{path}" for path in uploaded(into)],
        stamp=stamp,
        order=300,
    ),
)
