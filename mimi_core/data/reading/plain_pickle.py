"""Pickles of numbers and text, such as CIFAR's official files, read without ever calling what they ask for.

A pickle may name any function and have it called. Here every name stands for a small record of our own instead, and
an array is then made from the shape, the type and the bytes in that record; any name but the three of numpy that
arrays need is refused.
"""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from mimi_core.errors import DataError

_ARRAY = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
_TYPES = {("numpy", "ndarray"), ("numpy", "dtype")}


def read_plain(file: Path) -> dict[str, Any]:
    """The dictionary in a file, by Python 2 or 3: of lists, text (bytes are taken for Latin-1), numbers, byte arrays.

    Raises:
        DataError: the file is missing or broken, holds something else, or asks for anything to be called.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        with file.open("rb") as content:
            loaded = _Reader(content, encoding="latin1").load()
    except pickle.UnpicklingError as error:
        raise DataError(f"{file}: {error}; get the set again") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error
    except Exception as error:  # on broken input the unpickler raises nearly everything there is
        raise DataError(f"{file}: broken or cut short ({type(error).__name__}); get the set again") from error
    if not isinstance(loaded, dict):
        raise DataError(f"{file}: holds no named values; get the set again")
    return {_text(key): _finished(value, file) for key, value in loaded.items()}


class _Record:
    """What a pickle wants to be made: noted down, not made. Its state is whatever it is told."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Type(_Record):
    """numpy.dtype, by its name such as u1, or numpy.ndarray."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ARRAY:
            return _Record
        if (module, name) in _TYPES:
            return _Type
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        raise pickle.UnpicklingError(f"asks for {module}.{name}, which no file of numbers and text needs")


def _encoded(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes for Python 2."""
    return text.encode("latin1")


def _finished(value: Any, file: Path) -> Any:
    """Records as arrays of bytes; everything else as it is."""
    if isinstance(value, list):
        return [_text(item) for item in value]
    if not isinstance(value, _Record):
        return _text(value)
    try:
        _, shape, kind, fortran, content = value.state
        raw = content.encode("latin1") if isinstance(content, str) else content
        if kind.arguments[0] not in ("u1", "|u1") or math.prod(shape) != len(raw):
            raise ValueError
        return np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{file}: its array is not one of bytes; get the set again") from error


def _text(value: Any) -> Any:
    return value.decode("latin1") if isinstance(value, bytes) else value
