"""Arrays in npz files, read with distrust: they may be old, half-copied or not ours; nothing is believed unchecked."""

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError

from mimi_core.errors import RunError
from mimi_core.reading import open_regular
from mimi_core.runs import writing
from mimi_core.runs.formats import versions

VERSION = 1
UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error, SafetensorError,
)  # fmt: skip
"""What reading a broken file raises, in zip, numpy and safetensors. NotImplementedError and RecursionError are among
the RuntimeErrors, UnicodeDecodeError among the ValueErrors."""
_MOST_BYTES = 256 * 2**20
_LARGEST_FILE = 2**30
_HEADER = 10_000
"""Bytes of an array's header, at most."""
_SUFFIX = ".npy"


def write(run: Path, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """To a name in the run folder. Raises ResourceError where it cannot be written."""
    with writing.replaced(run, name) as file:
        np.savez_compressed(file, allow_pickle=False, **{**arrays, versions.KEY: np.array(VERSION)})


@contextmanager
def opened(path: Path, what: str, verb: str = "are") -> Iterator[zipfile.ZipFile]:
    """The file, to take arrays from. Whatever goes wrong until the end of the block is one RunError about `what`."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(_bounded(file)) as archive:
            if f"{versions.KEY}{_SUFFIX}" in archive.namelist():
                number = array(archive, versions.KEY, "iu", _HEADER)
                versions.refuse_newer(int(number) if number.shape == () else None, VERSION, str(path))
            yield archive
    except FileNotFoundError as error:
        raise RunError(f"{what} {verb} not there: {path} is missing") from error
    except RunError:  # says more than that it cannot be read
        raise
    except UNREADABLE as error:
        raise RunError(f"{what} cannot be read: {path} is broken, or is not of this run") from error


def refuse_damaged(path: Path, what: str) -> None:
    """Hold every array against its checksum, also those that nobody asks for. Raises RunError about `what`."""
    with opened(path, what) as archive:
        if (damaged := archive.testzip()) is not None:
            raise RunError(f"{what} cannot be read: {damaged[:80]!r} in {path} is damaged")


def _bounded(file: BinaryIO) -> BinaryIO:
    """zipfile reads the list of what a zip holds into memory, however long it is."""
    if os.fstat(file.fileno()).st_size > _LARGEST_FILE:
        raise ValueError("it is far too large")
    return file


def names(archive: zipfile.ZipFile) -> list[str]:
    """Of the arrays, in the file's order, without the version."""
    arrays = [name.removesuffix(_SUFFIX) for name in archive.namelist() if name.endswith(_SUFFIX)]
    return [name for name in arrays if name != versions.KEY]


def array(archive: zipfile.ZipFile, name: str, kinds: str, most_bytes: int = _MOST_BYTES) -> np.ndarray:
    """An array of one of the kinds (numpy's letters). Its size is looked at before anything is unpacked.

    Raises:
        one of UNREADABLE: it is not there, too large, of another kind, or not what its header says.
    """
    member = archive.getinfo(name + _SUFFIX)
    if member.file_size > most_bytes:
        raise ValueError(f"{name} is too large")
    content = archive.read(member)
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    left = len(content) - stream.tell()
    if dtype.kind not in kinds or dtype.hasobject or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"{name} is not what its header says")
    values = np.frombuffer(content, dtype, math.prod(shape), stream.tell())  # numpy's reader parses the header again
    return values.reshape(shape, order="F" if by_columns else "C").copy()


def as_bytes(texts: Sequence[str]) -> np.ndarray:
    """Texts as one array of numbers, which needs no pickle and compresses well: UTF-8, a line each."""
    return np.frombuffer("\n".join(" ".join(text.splitlines()) for text in texts).encode(), np.uint8)


def texts(archive: zipfile.ZipFile, name: str) -> tuple[str, ...]:
    """What `as_bytes` wrote; none for an empty array. Raises as `array`."""
    content = array(archive, name, "u").tobytes().decode("utf-8")
    return tuple(content.split("\n")) if content else ()


def vector(archive: zipfile.ZipFile, name: str, length: int) -> np.ndarray:
    """A vector of `length` numbers. Raises as `array`."""
    values = array(archive, name, "fiu", 8 * length + _HEADER)
    if values.shape != (length,):
        raise ValueError(f"{name} is not {length} numbers")
    return values
