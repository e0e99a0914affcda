"""The one way to change what is in a run folder: nothing is written, cut off, moved or removed through a link.

A folder of runs may come from a stranger, and a link in the place of one of its files would make a worker write
wherever that person likes. So every name is opened relative to the open run folder (openat), one part after the
other, and links are refused by the system itself (O_NOFOLLOW): there is no moment between a look and a write. A file
that is written in place must have no second name either, for a hard link leads outside just as well. Files that are
replaced need no such care: a new one takes the name, and whatever else the old one was called keeps its content.

Names are relative to the run folder, such as `cycles/3/scores.npz`. Every function raises

    RunError: a part of the name is a link, or no regular file where one should be.
    ResourceError: it cannot be written.
"""

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from mimi_core.errors import RunError
from mimi_core.runs import files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe must not wait for its reader
_IN_PLACE = (files.EVENTS, files.LOG, files.LOCK)
"""What is extended, cut off or locked, rather than replaced."""
_MODE = 0o666
"""Of new files; the user's mask takes from it."""


def refuse_links(run: Path) -> None:
    """Say before a run goes on that something in its folder is a link, rather than in the midst of it."""
    _refuse_link(run)
    for folder, folders, names in os.walk(run):  # does not look into links
        for name in sorted((*folders, *names)):
            _refuse_link(Path(folder, name))
    for path in (run / name for name in _IN_PLACE):
        with contextlib.suppress(FileNotFoundError):
            _refuse_other(path, path.lstat())


def opened(run: Path, name: str, flags: int) -> int:
    """A regular file as an open handle, made where `flags` have O_CREAT; the caller closes it."""
    with files.explained(run / name):
        return _opened(run, name, flags)


def extended(run: Path, name: str) -> BinaryIO:
    """A file to write to the end of, made where there is none; the caller closes it."""
    return open(opened(run, name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab")


@contextlib.contextmanager
def replaced(run: Path, name: str) -> Iterator[BinaryIO]:
    """A new file to write to; on success it takes the place of `name` in one step, on failure it is removed."""
    with files.explained(run / name), _inside(run, name) as (folder, last):
        _refuse_link(run / name)  # it would only be replaced, but whoever put it there meant something else
        partial = files.partial_name(last)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, _MODE, dir_fd=folder)
        try:
            with open(handle, "wb") as file:
                yield file
            os.replace(partial, last, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=folder)
            raise


def write_bytes(run: Path, name: str, content: bytes) -> None:
    with replaced(run, name) as file:
        file.write(content)


def write_text(run: Path, name: str, text: str) -> None:
    write_bytes(run, name, text.encode())


def overwritten(run: Path, name: str, content: bytes) -> bool:
    """Write into the very blocks that a file has, for when the disk has no room for another file to take its place.

    Returns:
        whether all of it was written; else the file is as it was.
    """
    handle = opened(run, name, os.O_RDWR)
    with open(handle, "r+b", buffering=0) as file:
        before = file.read()
        if len(content) > max(len(before), os.fstat(handle).st_blocks * 512):
            return False
        try:
            written = os.pwrite(handle, content, 0) == len(content)
            os.ftruncate(handle, len(content) if written else len(before))
        except OSError:
            written = False
        if not written:
            with contextlib.suppress(OSError):
                os.pwrite(handle, before, 0)
        return written


def append(run: Path, name: str, content: bytes) -> None:
    """All of it or nothing: half a line would swallow the next one."""
    with files.explained(run / name):
        handle = _opened(run, name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            before = os.fstat(handle).st_size
            if os.write(handle, content) != len(content):
                os.ftruncate(handle, before)
                raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            os.close(handle)


def shorten(run: Path, name: str, size: int) -> None:
    """Cut a file off after `size` bytes; one that is shorter, or not there, stays so."""
    with files.explained(run / name):
        try:
            handle = _opened(run, name, os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            os.ftruncate(handle, min(size, os.fstat(handle).st_size))
        finally:
            os.close(handle)


def synced(run: Path, name: str = ".") -> int:
    """Have a file or folder written to the disk itself; its size, 0 where it is not there."""
    with files.explained(run / name):
        try:
            with _inside(run, name) as (folder, last):
                handle = os.open(last, os.O_RDONLY | _FILE, dir_fd=folder)
        except FileNotFoundError:
            return 0
        try:
            os.fsync(handle)
            return os.fstat(handle).st_size
        finally:
            os.close(handle)


def rename(run: Path, old: str, new: str) -> None:
    """Within one folder. What is not there is left so; a link that has the new name is replaced, not followed."""
    with (
        files.explained(run / new),
        _inside(run, old) as (folder, last),
        contextlib.suppress(FileNotFoundError),
    ):
        os.rename(last, Path(new).name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(run: Path, name: str) -> None:
    """A file, or a link instead of what it leads to; what is not there is left so."""
    with (
        files.explained(run / name),
        contextlib.suppress(FileNotFoundError),
        _inside(run, name) as (folder, last),
    ):
        os.unlink(last, dir_fd=folder)


def remove_folder(run: Path, name: str) -> None:
    """With all that is in it; a link in it or in its place goes, and what it leads to stays."""
    with (
        files.explained(run / name),
        contextlib.suppress(FileNotFoundError),
        _inside(run, name) as (folder, last),
    ):
        _remove_tree(last, folder)


def make_folder(run: Path, name: str) -> None:
    """Also the folders above it, up to the run's own, which must be there."""
    with files.explained(run / name), _inside(run, f"{name.rstrip('/')}/.", make=True):
        pass


def copy(source: Path, target: Path, name: str) -> None:
    """A file of one run to the same place in another; what is not there is left so. Folders must be there."""
    try:
        handle = _opened(source, name, os.O_RDONLY)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{source / name} cannot be read ({os.strerror(error.errno or 0)})") from error
    with open(handle, "rb") as content, replaced(target, name) as file:
        shutil.copyfileobj(content, file)


def remove_partials(run: Path) -> None:
    """What a worker that was killed was writing."""
    for path in run.rglob(files.PARTIALS):  # does not look into links
        remove(run, str(path.relative_to(run)))


def delete(folder: Path) -> None:
    """A run, whole: it is out of sight in one step. Links in it go, and so does one in its place; where they lead to,
    nothing is touched."""
    hidden = f".{folder.name}.{secrets.token_hex(4)}.deleted"
    with files.explained(folder):
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.rename(folder.name, hidden, src_dir_fd=parent, dst_dir_fd=parent)
            _remove_tree(hidden, parent)
        finally:
            os.close(parent)


# --- inside -----------------------------------------------------------------------------------------------------------


def _opened(run: Path, name: str, flags: int) -> int:
    with _inside(run, name) as (folder, last):
        handle = os.open(last, flags | _FILE, _MODE, dir_fd=folder)
        try:
            if flags & os.O_ACCMODE == os.O_RDONLY:
                _refuse_special(run / name, os.fstat(handle))
            else:
                _refuse_other(run / name, os.fstat(handle))
        except BaseException:
            os.close(handle)
            raise
        return handle


def _remove_tree(name: str, folder: int) -> None:
    if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


@contextlib.contextmanager
def _inside(run: Path, name: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder in which `name` lies, and its last part. An error about a link is told as such."""
    *parts, last = name.split("/")
    where = run
    handle = _folder(run, None)
    try:
        for part in parts:
            where = where / part
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=handle)
            inner = _folder(where, handle)
            os.close(handle)
            handle = inner
        try:
            yield handle, last
        except OSError as error:
            _say(run / name, error)
    finally:
        os.close(handle)


def _folder(path: Path, parent: int | None) -> int:
    try:
        return os.open(path if parent is None else path.name, _FOLDER, dir_fd=parent)
    except OSError as error:
        _say(path, error)


def _say(path: Path, error: OSError) -> NoReturn:
    """Raises RunError where that is why, and the error itself otherwise."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        _refuse_link(path)
    if error.errno == errno.ENXIO:
        raise RunError(f"{path} is a pipe or a device, no file: remove it, then try again") from error
    raise error


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise RunError(
            f"{path} is a link to {os.readlink(path)}, which would be changed instead of a file of the run. Remove the "
            "link, or put a copy of what it leads to in its place; then try again"
        )


def _refuse_special(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RunError(f"{path} is no regular file: remove it, then try again")


def _refuse_other(path: Path, status: os.stat_result) -> None:
    """What must not be written in place: no file, or one with another name."""
    _refuse_special(path, status)
    if status.st_nlink > 1:
        raise RunError(
            f"{path} has a second name somewhere (a hard link), whose content would change with it. Give the run a "
            f"file of its own: cp -p {path} {path}.own && mv {path}.own {path}; then try again"
        )
