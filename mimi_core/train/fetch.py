"""Fetches datasets where they are absent: torchvision's classic sets by its own downloaders, which check what comes,
and those of the Hugging Face Hub by its library.

A set is made beside its place and moved there when it is whole, so that a download that breaks off leaves nothing that
looks like the set; and two runs that want the same set fetch it once.
"""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Self
from urllib.error import URLError

from filelock import FileLock

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before torchvision)
from mimi_core.config import DataConfig, datasets_folder
from mimi_core.data.catalogue import answering, missing
from mimi_core.data.source import Download
from mimi_core.data.sources import hf
from mimi_core.errors import DataError, ResourceError

TIMEOUT_SECONDS = 60.0
"""Without a byte."""
Tell = Callable[[str], None]


def fetch_missing(config: DataConfig, tell: Tell) -> None:
    """Download the set where it is absent and torchvision or the Hub has it; nothing otherwise.

    Args:
        tell: called with what is being done, in a few words.

    Raises:
        DataError: it could not be downloaded; the message says what to do.
        ResourceError: the folder of datasets cannot be written.
    """
    on_the_hub = config.name.startswith(hf.PREFIX) and not hf.parse_name(config.name).is_folder
    source = answering(config.name)
    download = source.download if source else None
    if not (download or on_the_hub) or missing(config) is None:
        return
    if download and config.path and not download.into_path:
        return  # a folder with the very files, which the user named
    root = (config.path or datasets_folder()).expanduser()
    try:
        root.mkdir(parents=True, exist_ok=True)
        place = root / (hf.kept_at(hf.parse_name(config.name)) if on_the_hub else config.name)
        place.parent.mkdir(exist_ok=True)
        with FileLock(place.with_name(f".{place.name}.lock")):
            if (told := missing(config)) is not None:
                if download:
                    _fetch(config.name, download, root, told, tell)
                else:
                    _fetch_from_the_hub(hf.parse_name(config.name).place, place, told, tell)
    except OSError as error:
        raise ResourceError(
            f"{root}: cannot be written ({error.strerror or error}); set data.path or MIMI_DATA"
        ) from error


def _fetch(name: str, download: Download, root: Path, told: str, tell: Tell) -> None:
    from torchvision import datasets

    for left in root.glob(f".{name}-*"):
        shutil.rmtree(left, ignore_errors=True)  # by a process that was killed
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=root) as folder:
        try:
            with _told(datasets.utils, partial(_Bar, lambda done: tell(f"downloading {name}: {done}"))):
                for split in download.splits:
                    getattr(datasets, download.torchvision)(folder, download=True, **split)
        except Exception as error:  # urllib, ssl, tarfile, zipfile, md5: all that can go wrong on the way
            plain = error.reason if type(error) is URLError else error  # without its angle brackets
            reason = " ".join(str(plain).split())[:300] or type(error).__name__
            raise DataError(f"{told}. Downloading failed: {reason}") from error
        for place in download.places:
            top = place.split("/")[0]
            if (Path(folder) / top).exists():
                _put(Path(folder) / top, root / top)


def _put(new: Path, place: Path) -> None:
    """Move what has come to its place, without the archives it came in; something half that is there makes way.

    Raises:
        DataError: a link is there: it would be filled somewhere else.
    """
    _refuse_link(place)
    if new.is_dir():
        for pattern in ("*.zip", "*.tar.gz", "*.tgz"):
            for archive in new.glob(pattern):
                archive.unlink()
        shutil.rmtree(place, ignore_errors=True)
    shutil.move(new, place)


def _fetch_from_the_hub(name: str, place: Path, told: str, tell: Tell) -> None:
    """What has come of a download that broke off is kept, and not fetched again."""
    from huggingface_hub import snapshot_download

    half = place.with_name(f".{place.name}.half")
    _refuse_link(half)
    bar = _hub_bar(lambda done: tell(f"downloading {name}: {done}"))
    try:
        # Programs would not be run, but the library refuses folders that have one.
        snapshot_download(name, repo_type="dataset", local_dir=half, ignore_patterns=["*.py"], tqdm_class=bar)
    except Exception as error:  # of its own, of the client beneath it, of the system
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{told}. Downloading failed: {reason}") from error
    shutil.rmtree(half / ".cache", ignore_errors=True)
    half.rename(place)


def _refuse_link(place: Path) -> None:
    if place.is_symlink():
        raise DataError(
            f"{place} is a link to {os.readlink(place)}, where nothing will be put: remove the link, or complete the "
            "dataset there"
        )


def _hub_bar(tell: Tell) -> type:
    """A class of progress bars that tell of bytes, instead of drawing."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **settings: Any) -> None:
            self._bytes = _Bar(tell) if settings.get("unit") == "B" else None
            super().__init__(*args, **{**settings, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if self._bytes:
                self._bytes.update(int(n or 0))
            return None

    return Bar


@contextlib.contextmanager
def _told(utils: ModuleType, bar: Any) -> Iterator[None]:
    """Torchvision's downloads draw a bar on the terminal; here they tell. And they never wait for ever."""
    drawn, before = utils.tqdm, socket.getdefaulttimeout()
    utils.tqdm = bar  # type: ignore[attr-defined]
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        utils.tqdm = drawn  # type: ignore[attr-defined]
        socket.setdefaulttimeout(before)


class _Bar:
    """What torchvision needs of tqdm."""

    def __init__(self, tell: Tell, total: int | None = None, **_: Any) -> None:
        self._tell, self._total, self._done, self._told = tell, total, 0, -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def update(self, count: int) -> None:
        self._done += count
        megabytes = self._done // 10**6
        if megabytes != self._told:
            self._told = megabytes
            self._tell(f"{megabytes:,}{f' of {self._total / 1e6:,.0f}' if self._total else ''} MB")
