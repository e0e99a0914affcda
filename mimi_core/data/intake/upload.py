"""A zip of images from somebody's browser, unpacked into a dataset folder. Nothing in the archive is trusted.

The zip holds what `folder:PATH` takes: a folder of images for each class, or train/ val/ test/ of such folders, with or
without folders around them. It is unpacked file by file under names that were checked, into a hidden folder, and takes
its place in one step when it is whole; whatever goes wrong, nothing stays behind. Only images are written. Sizes are
counted while they are written: what an archive says about itself may be a lie.
"""

import contextlib
import functools
import hashlib
import itertools
import os
import re
import shutil
import stat
import struct
import tempfile
import time
import unicodedata
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

from mimi_core.config import DataConfig
from mimi_core.data.decode import SUFFIXES, begins_as_image, read_image
from mimi_core.data.parallel import in_chunks
from mimi_core.data.sources import folder
from mimi_core.data.types import Progress
from mimi_core.data.unused import Reason, Unused, is_leftover, reason_for
from mimi_core.errors import DataError, MimiError, ResourceError

HIDDEN = ".upload-"
"""How the folder of an upload that is not finished is called; a list of datasets leaves such names out."""
_BLOCK = 1 << 18
_ENTRY = b"PK\x01\x02"  # begins every entry of a zip's table of contents
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory to be unpacked
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError)
"""What zipfile raises on broken input."""
_IS_UTF8 = 0x800
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # would show a name in another order than it has
_FORGOTTEN_SECONDS = 24 * 3600
_LONGEST_PART, _LONGEST_PATH, _DEEPEST = 200, 800, 16


@dataclass(frozen=True)
class Limits:
    """How much an archive may be.

    Attributes:
        entries: files and folders in it.
        total_bytes: of all images together, unpacked.
        ratio, slack_bytes: an archive of n bytes may grow to `ratio * n + slack_bytes`.
        reserve_bytes: of disk, to leave free.
    """

    entries: int = 100_000
    total_bytes: int = 4 * 2**30
    ratio: float = 100.0
    slack_bytes: int = 64 * 2**20
    reserve_bytes: int = 512 * 2**20


@dataclass(frozen=True)
class Upload:
    """A dataset that is there now.

    Attributes:
        path: its folder.
        images: how many images it has.
        unused: what is no image, and so was not unpacked.
        unreadable: a line for each image that cannot be decoded, and so was not kept.
        doubtful: a class whose name may be misread; empty where all are sure.
    """

    path: Path
    images: int
    unused: Unused = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    doubtful: str = ""

    @property
    def dataset(self) -> str:
        """What `data.name` has to be."""
        return f"{folder.PREFIX}{self.path}"


def unpack(
    archive: BytesIO, name: str, into: Path, on_progress: Progress | None = None, limits: Limits | None = None
) -> Upload:
    """Make a dataset of a zip. The same zip a second time gives the folder that is already there.

    Args:
        archive: the whole file, as browsers send it.
        name: what its owner calls it.
        into: the folder of all uploaded datasets; made when it is not there.
        on_progress: called with (steps done, steps in all); every image is unpacked and checked.

    Raises:
        DataError: the archive is broken, dangerous, too large, or no dataset; the message says which, in one line.
        ResourceError: the disk is full or cannot be written.
    """
    limits = limits or Limits()
    place = into / f"{_slug(name)}-{_fingerprint(archive)}"
    try:
        if place.is_dir():
            with _opened(archive, limits) as zipped:
                return Upload(place, len(_images_in(place)), _sorted_out(zipped)[1])
        into.mkdir(parents=True, exist_ok=True)
        _sweep(into)
        with tempfile.TemporaryDirectory(prefix=HIDDEN, dir=into) as hidden:
            made = _make(archive, Path(hidden) / "images", on_progress or (lambda done, of: None), limits)
            os.replace(made.path, place)
            return replace(made, path=place)
    except OSError as error:
        raise ResourceError(
            f"{into}: cannot be written ({error.strerror}); free some space or set MIMI_DATA"
        ) from error


def _make(archive: BytesIO, target: Path, on_progress: Progress, limits: Limits) -> Upload:
    with _opened(archive, limits) as zipped:
        for entry in zipped.infolist():
            _refuse(entry)
        images, unused = _sorted_out(zipped)
        if not images:
            raise DataError(f"no images in it (of {', '.join(sorted(SUFFIXES))}); put them in a folder for each class")
        _refuse_collisions(parts for parts, _ in images)
        around = _shared([parts[:-1] for parts, _ in images])  # folders that are only wrapped around the classes
        paths = [target.joinpath(*parts[around:]) for parts, _ in images]
        _write(zipped, [entry for _, entry in images], paths, _size(archive), on_progress, limits)
    unreadable = dict(_unreadable(paths, on_progress))
    for path in unreadable:
        path.unlink()
    said = tuple(_without(target, reason) for reason in unreadable.values())
    try:
        folder.scan(DataConfig(name=f"{folder.PREFIX}{target}"))
    except DataError as error:
        also = f" ({len(said)} images could not be read and were left out, such as {said[0]})" if said else ""
        raise DataError(f"{_without(target, str(error))}{also}") from None
    doubtful = next(("/".join(parts[around:-1]) for parts, entry in images if _doubtful(entry)), "")
    return Upload(target, len(paths) - len(unreadable), unused, said, doubtful)


# --- what an archive says of itself ----------------------------------------------------------------------------------


def _opened(archive: BytesIO, limits: Limits) -> zipfile.ZipFile:
    archive.seek(0)
    if _count(archive, _ENTRY) > limits.entries:  # before zipfile makes an object of each
        raise DataError(
            f"more than {limits.entries:,} files in it; split it, or unpack it yourself and use folder:PATH"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return zipfile.ZipFile(archive)
    except (*_BROKEN, OSError) as error:
        raise DataError(f"not a whole zip file ({_in_words(error)}); make or upload it again") from error


def _refuse(entry: zipfile.ZipInfo) -> None:
    """What no zip of images needs, and what is only there to do harm."""
    name, shown = _name(entry), _shown(_name(entry))
    if entry.flag_bits & _ENCRYPTED:
        raise DataError(f"{shown} is encrypted; make the zip without a password")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a special file"
        raise DataError(f"{shown} is {what}; only files and folders can be used: make the zip without it")
    if any(unicodedata.category(letter) in ("Cc", "Cs") or letter in _DIRECTIONS for letter in name):
        raise DataError(f"{shown} has control characters in its name; rename it")
    if "\\" in name:
        raise DataError(f"{shown} has a backslash in its name; use a program that writes / between folders")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        raise DataError(f"{shown} leads out of the archive; make the zip with plain relative names")
    parts = _parts(entry)
    if any(len(part.encode()) > _LONGEST_PART for part in parts) or len(name.encode()) > _LONGEST_PATH:
        raise DataError(f"{shown} has too long a name; shorten it")
    if len(parts) > _DEEPEST:
        raise DataError(f"{shown} lies in more than {_DEEPEST} folders; make fewer")
    if _is_named_as_image(parts) and entry.compress_type not in _PLAIN:
        raise DataError(f"{shown} is compressed in an unusual way; make a zip with the usual one (deflate)")


def _name(entry: zipfile.ZipInfo) -> str:
    """Its name. Many programs write UTF-8 and do not say so, and zipfile then takes it for DOS's old letters."""
    name = entry.orig_filename
    if entry.flag_bits & _IS_UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _doubtful(entry: zipfile.ZipInfo) -> bool:
    """Whether the name is in letters of which nobody knows the code."""
    return not entry.flag_bits & _IS_UTF8 and not entry.orig_filename.isascii() and _name(entry) == entry.orig_filename


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """`./pets//cat/1.jpg` as (pets, cat, 1.jpg)."""
    return tuple(part for part in _name(entry).split("/") if part not in ("", "."))


def _sorted_out(zipped: zipfile.ZipFile) -> tuple[list[tuple[tuple[str, ...], zipfile.ZipInfo]], Unused]:
    """The images with their names, and what else is there."""
    images: list[tuple[tuple[str, ...], zipfile.ZipInfo]] = []
    unused: Counter[tuple[Reason, str]] = Counter()
    for entry in zipped.infolist():
        parts = _parts(entry)
        if _name(entry).endswith("/") or not parts:
            continue
        if _is_named_as_image(parts) or _begins_as_image(zipped, parts, entry):
            images.append((parts, entry))
        elif _is_hidden(parts):
            unused["leftover", Path(parts[-1]).suffix.lower()] += 1
        else:
            unused[reason_for(Path(parts[-1]))] += 1
    return images, unused


def _is_named_as_image(parts: tuple[str, ...]) -> bool:
    return bool(parts) and not _is_hidden(parts) and Path(parts[-1]).suffix.lower() in SUFFIXES


def _begins_as_image(zipped: zipfile.ZipFile, parts: tuple[str, ...], entry: zipfile.ZipInfo) -> bool:
    """Of a file without an ending, as in a folder."""
    if Path(parts[-1]).suffix or _is_hidden(parts) or entry.compress_type not in _PLAIN:
        return False
    try:
        with zipped.open(entry) as file:
            return begins_as_image(file.read(16))
    except _BROKEN:
        return False


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(is_leftover(part) for part in parts)


def _refuse_collisions(images: Iterator[tuple[str, ...]]) -> None:
    """Names that are one name on disks that know no upper and lower case, or write accents otherwise."""
    known: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = {}
    for parts in images:
        for depth in range(1, len(parts) + 1):
            folded, is_file = tuple(_folded(part) for part in parts[:depth]), depth == len(parts)
            other = known.get(folded)
            if other and (is_file or other != (parts[:depth], False)):
                one, two = _shown("/".join(other[0])), _shown("/".join(parts[:depth]))
                raise DataError(f"{one} and {two} would be one and the same on some disks; rename one of them")
            known[folded] = parts[:depth], is_file


@functools.lru_cache(1 << 12)
def _folded(part: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold()).rstrip(" .")


def _shared(folders: Sequence[tuple[str, ...]]) -> int:
    """How many folders all paths begin with."""
    pairs = zip(min(folders), max(folders), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(
    zipped: zipfile.ZipFile,
    entries: Sequence[zipfile.ZipInfo],
    paths: Sequence[Path],
    archive_bytes: int,
    on_progress: Progress,
    limits: Limits,
) -> None:
    most = int(min(limits.total_bytes, limits.ratio * archive_bytes + limits.slack_bytes))
    _need_space(paths[0], limits, min(most, sum(entry.file_size for entry in entries)))
    written = 0
    for done, (entry, path) in enumerate(zip(entries, paths, strict=True)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file, zipped.open(entry) as source:
                while block := source.read(_BLOCK):
                    _need_space(path.parent, limits)
                    written += len(block)
                    if written > most:
                        raise DataError(
                            f"unpacks to more than {most / 1e6:,.0f} MB, which is more than images of its size do "
                            "(a zip bomb?); unpack it yourself and use folder:PATH if you trust it"
                        )
                    file.write(block)
        except MimiError:
            raise
        except _BROKEN as error:
            raise DataError(
                f"{_shown(_name(entry))} is damaged ({_in_words(error)}); make or upload the zip again"
            ) from error
        if done % 64 == 63:
            on_progress(done + 1, 2 * len(entries))


def _need_space(where: Path, limits: Limits, needed: int = 0) -> None:
    free = shutil.disk_usage(next(parent for parent in where.parents if parent.exists())).free
    if free < needed + limits.reserve_bytes:
        raise ResourceError(f"only {free / 1e6:,.0f} MB of disk are left; free some space or set MIMI_DATA")


def _unreadable(paths: Sequence[Path], on_progress: Progress) -> Iterator[tuple[Path, str]]:
    """The images that cannot be decoded, and why."""

    def fault(path: Path) -> str:
        try:
            read_image(path, quick=True)
        except DataError as error:
            return str(error)
        return ""

    def told(done: int, of: int) -> None:
        on_progress(of + done, 2 * of)

    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for chunk in in_chunks(fault, paths, os.cpu_count() or 1, told):
            yield from ((path, reason) for path, reason in zip(paths[done:], chunk, strict=False) if reason)
            done += len(chunk)


def _sweep(into: Path) -> None:
    """Away with what a server left that was killed while it unpacked."""
    for path in into.glob(f"{HIDDEN}*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _FORGOTTEN_SECONDS:
                shutil.rmtree(path)


# --- small things -----------------------------------------------------------------------------------------------------


def _images_in(place: Path) -> list[str]:
    return [name for _, _, names in os.walk(place) for name in names]


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", Path(name).stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "images"


def _fingerprint(archive: BytesIO) -> str:
    archive.seek(0)
    return hashlib.file_digest(archive, "sha256").hexdigest()[:8]


def _count(archive: BytesIO, what: bytes) -> int:
    count, tail = 0, b""
    while block := archive.read(1 << 22):
        count += (tail + block).count(what)
        tail = block[1 - len(what) :]
    return count


def _size(archive: BytesIO) -> int:
    return archive.seek(0, os.SEEK_END)


def _without(target: Path, message: str) -> str:
    """A message about the unpacked files, as one about the archive."""
    return message.replace(f"{target}/", "").replace(str(target), "the archive")


def _shown(name: str) -> str:
    """A name from the archive for a message: short, and what cannot be seen is spelled out."""
    return repr(name) if len(name) <= 80 else f"{name[:60]!r}…"


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
