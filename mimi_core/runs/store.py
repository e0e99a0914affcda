"""All runs in one folder: listing, reading, creating. A thousand runs list in a fraction of a second once seen.

Of every run its summary is kept in memory, and its config; whole accounts of events only of those looked at last.
"""

import os
import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from mimi_core import __version__
from mimi_core.budget import sigma
from mimi_core.config import RunConfig, read_run_config, to_yaml
from mimi_core.data.absolute import with_absolute_paths
from mimi_core.errors import ConfigError, ResourceError, RunError
from mimi_core.reading import open_regular
from mimi_core.runs import files, writing
from mimi_core.runs.events import RunState, read_events
from mimi_core.runs.inherited import with_widths
from mimi_core.runs.status import ENDED, ShownPhase, Status, claimed, read_status, write_status

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_Stamp = tuple[int, int, int] | None
_Stamps = tuple[_Stamp, _Stamp, _Stamp]
_TAIL = 64_000
"""Bytes of a log that are looked at."""
STATES_BYTES = 8_000_000
"""Of event files, whose states are kept in memory; a state takes about six times the room of its file."""
Value = TypeVar("Value")
Fill = Callable[[Path, str, RunConfig], None]
"""(draft of the run folder, id, complete config) -> puts files there."""


@dataclass(frozen=True)
class RunSummary:
    """One row of a list of runs. Fields that are not known yet are None."""

    id: str
    folder: Path
    phase: ShownPhase
    message: str
    name: str
    group: str
    method: str
    backbone: str
    data: str
    score: str
    scope: str
    seed: int
    created: float
    waits_since: float
    """Orders the queue: the time of creation, unless somebody moved the run."""
    progress: float
    eta_seconds: float | None
    deaths: int
    """Of its workers in the queue, since a person put it there."""
    retry_at: float | None
    """When it goes on by itself after a death, in seconds since 1970."""
    is_orphan: bool
    """Its worker is gone, and the queue is to see how it goes on."""
    cycle: int
    cycles: int
    sites: int
    removed: int
    neurons_at_start: int
    neurons: int
    sigma: float | None
    """Compression now: token widths over neurons."""
    trained_parameters: int | None
    accuracy: float | None
    seconds: float | None
    """Time that it took, once it has ended."""
    owner: str = ""
    """Who had it queued, where people sign in."""

    @property
    def title(self) -> str:
        return self.name or f"{self.data} · {self.backbone}"


class Store:
    """The runs in one folder. Reading never fails on a broken run: it is listed as "broken". Thread-safe."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._states: OrderedDict[str, tuple[_Stamp, RunState]] = OrderedDict()
        self._summaries: dict[str, tuple[_Stamps, RunSummary]] = {}
        self._accounts: dict[str, tuple[_Stamp, dict[str, Any]]] = {}
        self._statuses: dict[str, tuple[_Stamp, Status | None]] = {}
        self._configs: dict[str, tuple[_Stamp, RunConfig | None]] = {}
        self._parts: dict[str, Any] = {}
        self._guard = threading.Lock()

    # --- reading ------------------------------------------------------------------------------------------------

    def list(self) -> "list[RunSummary]":
        """Newest first. An empty or missing folder is an empty list.

        Raises:
            ResourceError: the folder cannot be read, or is a file.
        """
        try:
            names = [e.name for e in os.scandir(self.directory) if e.is_dir() and _RUN_ID.fullmatch(e.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ResourceError(
                f"cannot read {self.directory}: {error.strerror}; choose another with --runs"
            ) from error
        stamped = ((name, self._stamps(name)) for name in names)
        runs = [self._summary(name, stamps) for name, stamps in stamped if any(stamps)]
        return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)

    def folder(self, run_id: str) -> Path:
        """Raises RunError for an id that is malformed (ids also come from URLs) or not there."""
        if not _RUN_ID.fullmatch(run_id) or not any(self._stamps(run_id)):
            raise RunError(f"no run {run_id[:100]!r} in {self.directory}; `ls` shows what is there")
        return self.directory / run_id

    def state(self, run_id: str) -> RunState:
        """All that happened, read again only when the event file has changed."""
        folder = self.folder(run_id)
        stamp = _stamp(f"{folder}/{files.EVENTS}")
        with self._guard:
            known = self._states.get(run_id)
            if known is not None and known[0] == stamp:
                self._states.move_to_end(run_id)
                return known[1]
        state = read_events(folder / files.EVENTS)
        with self._guard:
            self._states[run_id] = (stamp, state)
            self._states.move_to_end(run_id)
            size = sum(s[1] for s, _ in self._states.values() if s)
            while size > STATES_BYTES and len(self._states) > 1:
                dropped, _ = self._states.popitem(last=False)[1]
                size -= dropped[1] if dropped else 0
        return state

    def status(self, run_id: str) -> Status | None:
        return self._status(self.folder(run_id))

    def config(self, run_id: str) -> RunConfig:
        """Raises ConfigError when the file is missing or broken."""
        folder = self.folder(run_id)
        return self._config_or_none(folder) or read_run_config(folder / files.CONFIG)

    def summary(self, run_id: str) -> RunSummary:
        return self._summary(self.folder(run_id).name, self._stamps(run_id))

    def _summary(self, name: str, stamps: _Stamps) -> RunSummary:
        """Made once for a run that nothing goes on in, and always for one whose worker may have died meanwhile."""
        with self._guard:
            known = self._summaries.get(name)
        if known is not None and known[0] == stamps:
            return known[1]
        summary = self._made_summary(self.directory / name)
        status = self._status(summary.folder)
        if status is None or status.phase in (*ENDED, "queued"):
            with self._guard:
                self._summaries[name] = (stamps, summary)
                self._statuses.pop(name, None)  # all that lists need of it is in the summary
        return summary

    def _made_summary(self, folder: Path) -> RunSummary:
        status, config = self._status(folder), self._config_or_none(folder)
        created = status.created if status else folder.stat().st_mtime
        account = self._cached(self._accounts, folder, files.EVENTS, _account)
        phase: ShownPhase = status.shown_phase if status and config else "broken"
        if status and config and account["outcome"] == "finished":  # other ends are taken back when it is resumed
            phase = "finished"
        return RunSummary(
            id=folder.name,
            folder=folder,
            phase=phase,
            message=status.message if status and config else "its status or config file is missing or broken",
            name=config.name if config else folder.name,
            group=config.group if config else "",
            method=config.method if config else "?",
            backbone=config.backbone.name if config else "?",
            data=config.data.name if config else "?",
            score=config.prune.score if config else "?",
            scope=config.prune.scope if config else "?",
            seed=config.seed if config else 0,
            created=created,
            waits_since=created if status is None or status.position is None else status.position,
            progress=status.progress if status else 0.0,
            eta_seconds=status.eta_seconds if status else None,
            deaths=status.deaths if status else 0,
            retry_at=status.retry_at if status else None,
            is_orphan=status is not None and status.is_orphan,
            owner=status.owner if status else "",
            **{name: value for name, value in account.items() if name != "outcome"},
        )

    def log_tail(self, run_id: str, lines: int = 30) -> str:
        """The end of the run's log; empty when there is none."""
        path = self.folder(run_id) / files.LOG
        try:
            with open_regular(path) as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
                text = file.read(_TAIL).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"The log cannot be read: {error.strerror}."
        return "\n".join(line.rpartition("\r")[2] for line in text.splitlines()[-lines:])

    # --- writing ------------------------------------------------------------------------------------------------

    def create(self, config: RunConfig, *, here: bool = False, fill: Fill | None = None, owner: str = "") -> str:
        """Make a run folder, whole or not at all; returns its id.

        Args:
            here: this process is going to work on it, so that no dispatcher may take it. Else it is "queued".
            fill: puts more into the folder before it is there, for a run that goes on from another one.
            owner: who asks for it, where people sign in.

        Raises:
            ResourceError: the folder cannot be written.
            RunError, ConfigError: widths are to be taken from a run, and cannot be.
        """
        written = {"versions": versions(), "branch": config.branch if fill else None}
        config = with_widths(with_absolute_paths(config), self.directory).model_copy(update=written)
        now = time.time()
        slug = re.sub(r"[^a-z0-9]+", "-", (config.name or config.method).lower()).strip("-")[:24] or "run"
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{slug}-{secrets.token_hex(2)}"
        draft = self.directory / f".{run_id}.partial"
        with files.explained(self.directory):
            draft.mkdir(parents=True)
            try:
                writing.write_text(draft, files.CONFIG, to_yaml(config))
                status = Status(created=now, heartbeat=now, owner=owner)
                write_status(draft, claimed(status, os.getpid()) if here else status)
                if fill is not None:
                    fill(draft, run_id, config)
                writing.synced(draft, files.CONFIG)
                writing.synced(draft)
                os.rename(draft, self.directory / run_id)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return run_id

    def delete(self, run_id: str) -> None:
        """Remove a run that no worker is busy with. It is out of sight in one step."""
        status, folder = self.status(run_id), self.folder(run_id)
        if status and status.shown_phase not in (*ENDED, "queued"):
            raise RunError(f"{run_id} is still running; stop it before deleting it")
        with files.without_worker(folder):
            writing.delete(folder)

    # --- inside -------------------------------------------------------------------------------------------------

    def _stamps(self, name: str) -> _Stamps:
        """Of the three files by which a run is known; all None for a folder that is none."""
        start = f"{self.directory}/{name}/"  # far faster than Path
        return _stamp(start + files.STATUS), _stamp(start + files.CONFIG), _stamp(start + files.EVENTS)

    def _status(self, folder: Path) -> Status | None:
        return self._cached(self._statuses, folder, files.STATUS, lambda path: read_status(path.parent))

    def _config_or_none(self, folder: Path) -> RunConfig | None:
        def read(path: Path) -> RunConfig | None:
            try:
                return self._sharing(read_run_config(path))
            except ConfigError:
                return None

        return self._cached(self._configs, folder, files.CONFIG, read)

    def _sharing(self, config: RunConfig) -> RunConfig:
        """The same, made of the parts of other runs where those say the same: runs of a sweep differ in one."""
        parts = {name: part for name, part in config if isinstance(part, BaseModel | dict)}
        return config.model_copy(update={n: self._parts.setdefault(repr(p), p) for n, p in parts.items()})

    def _cached(
        self, cache: dict[str, tuple[_Stamp, Value]], folder: Path, name: str, read: Callable[[Path], Value]
    ) -> Value:
        """What `read` makes of a file of a run, read again only when its time, size or inode has changed."""
        stamp = _stamp(f"{folder}/{name}")
        with self._guard:
            known = cache.get(folder.name)
        if known is not None and known[0] == stamp:
            return known[1]
        value = read(folder / name)
        with self._guard:
            cache[folder.name] = (stamp, value)
        return value


def _account(path: Path) -> dict[str, Any]:
    """The fields of a summary that a run's events tell, and how it ended."""
    state = read_events(path, with_epochs=False)
    first, last = (state.widths[0], state.widths[-1]) if state.started else ({}, {})
    neurons = sum(last.values())
    parameters = state.cuts[-1].trained_parameters if state.cuts else None
    return {
        "outcome": state.ended.status if state.ended else None,
        "cycle": len(state.cuts),
        "cycles": state.total_cuts,
        "sites": len(state.sites),
        "removed": len(state.removed_at),
        "neurons_at_start": sum(first.values()),
        "neurons": neurons,
        "sigma": sigma((site.width for site in state.sites), last.values()) if neurons else None,
        "trained_parameters": parameters or (state.started.trained_parameters if state.started else None),
        "accuracy": state.last_accuracy,
        "seconds": state.ended.seconds if state.ended else None,
    }


def _stamp(path: str) -> _Stamp:
    try:
        file = os.stat(path)
    except OSError:
        return None
    return file.st_mtime_ns, file.st_size, file.st_ino


def versions() -> dict[str, str]:
    """Versions of this code and of what decides numbers, without importing any of it."""
    known = {"mimi_core": __version__}
    for package in ("torch", "torchvision", "timm", "numpy", "scikit-learn"):
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = "absent"
    return known
