"""Reading small files that a stranger may have put there: never for ever, and never more than there can be."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened to read.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: it is a pipe, a device or a folder, or cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe must not wait for its writer
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(handle, "rb")


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file.

    Args:
        limit: bytes; a larger file is refused before it is read.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: it is a pipe, a device or a folder, is larger than `limit`, or cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, more than {limit:,}", str(path))
        return file.read(limit)
