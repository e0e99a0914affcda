"""All runs in one folder: listing, reading, creating. A thousand runs list in a fraction of a second once seen."""

import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from mimi_core import __version__
from mimi_core.config import RunConfig, read_config_file, to_yaml, validate, with_absolute_paths
from mimi_core.errors import ConfigError, ResourceError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import RunState, read_events
from mimi_core.runs.status import ENDED, ShownPhase, Status, read_status, write_status

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_Stamp = tuple[int, int, int] | None
Value = TypeVar("Value")


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
    progress: float
    eta_seconds: float | None
    cycle: int
    cycles: int
    sites: int
    removed: int
    neurons_at_start: int
    neurons: int
    trained_parameters: int | None
    accuracy: float | None

    @property
    def title(self) -> str:
        return self.name or f"{self.data} · {self.backbone}"


class Store:
    """The runs in one folder. Reading never fails on a broken run: it is listed as "broken". Thread-safe."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._states: dict[str, tuple[_Stamp, RunState]] = {}
        self._statuses: dict[str, tuple[_Stamp, Status | None]] = {}
        self._configs: dict[str, tuple[_Stamp, RunConfig | None]] = {}
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
        runs = [self._summary(self.directory / name) for name in names if self._looks_like_a_run(name)]
        return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)

    def folder(self, run_id: str) -> Path:
        """Raises RunError for an id that is malformed (ids also come from URLs) or not there."""
        if not _RUN_ID.fullmatch(run_id) or not self._looks_like_a_run(run_id):
            raise RunError(f"no run {run_id[:100]!r} in {self.directory}; `ls` shows what is there")
        return self.directory / run_id

    def state(self, run_id: str) -> RunState:
        return self._state(self.folder(run_id))

    def status(self, run_id: str) -> Status | None:
        return self._status(self.folder(run_id))

    def config(self, run_id: str) -> RunConfig:
        """Raises ConfigError when the file is missing or broken."""
        return validate(read_config_file(self.folder(run_id) / files.CONFIG))

    def summary(self, run_id: str) -> RunSummary:
        return self._summary(self.folder(run_id))

    def _summary(self, folder: Path) -> RunSummary:
        status, state, config = self._status(folder), self._state(folder), self._config_or_none(folder)
        phase: ShownPhase = status.shown_phase if status and config else "broken"
        if status and phase not in ENDED and state.ended is not None:
            phase = state.ended.status
        first, last = (state.widths[0], state.widths[-1]) if state.started else ({}, {})
        parameters = state.cuts[-1].trained_parameters if state.cuts else None
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
            created=status.created if status else folder.stat().st_mtime,
            progress=status.progress if status else 0.0,
            eta_seconds=status.eta_seconds if status else None,
            cycle=len(state.cuts),
            cycles=state.total_cuts,
            sites=len(state.sites),
            removed=len(state.removed_at),
            neurons_at_start=sum(first.values()),
            neurons=sum(last.values()),
            trained_parameters=parameters or (state.started.trained_parameters if state.started else None),
            accuracy=state.last_accuracy,
        )

    def log_tail(self, run_id: str, lines: int = 30) -> str:
        """The end of the run's log; empty when there is none."""
        path = self.folder(run_id) / files.LOG
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 64_000))
                text = file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(line.rpartition("\r")[2] for line in text.splitlines()[-lines:])

    # --- writing ------------------------------------------------------------------------------------------------

    def create(self, config: RunConfig) -> str:
        """Make a run folder in state "queued", whole or not at all; returns its id.

        Raises:
            ResourceError: the folder cannot be written.
        """
        config = with_absolute_paths(config).model_copy(update={"versions": versions()})
        now = time.time()
        slug = re.sub(r"[^a-z0-9]+", "-", (config.name or config.method).lower()).strip("-")[:24] or "run"
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{slug}-{secrets.token_hex(2)}"
        draft = self.directory / f".{run_id}.partial"
        with files.explained(self.directory):
            draft.mkdir(parents=True)
            try:
                files.write_text(draft / files.CONFIG, to_yaml(config))
                write_status(draft, Status(created=now, heartbeat=now))
                os.rename(draft, self.directory / run_id)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return run_id

    def delete(self, run_id: str) -> None:
        """Remove a run that no worker is busy with."""
        status = self.status(run_id)
        if status and status.shown_phase not in (*ENDED, "queued"):
            raise RunError(f"{run_id} is still running; stop it before deleting it")
        with files.explained(self.folder(run_id)):
            shutil.rmtree(self.folder(run_id))

    # --- inside -------------------------------------------------------------------------------------------------

    def _looks_like_a_run(self, name: str) -> bool:
        known = (files.STATUS, files.CONFIG, files.EVENTS)
        return any(os.path.isfile(f"{self.directory}/{name}/{file}") for file in known)  # far faster than Path

    def _state(self, folder: Path) -> RunState:
        return self._cached(self._states, folder, files.EVENTS, read_events)

    def _status(self, folder: Path) -> Status | None:
        return self._cached(self._statuses, folder, files.STATUS, lambda path: read_status(path.parent))

    def _config_or_none(self, folder: Path) -> RunConfig | None:
        def read(path: Path) -> RunConfig | None:
            try:
                return validate(read_config_file(path))
            except ConfigError:
                return None

        return self._cached(self._configs, folder, files.CONFIG, read)

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


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def versions() -> dict[str, str]:
    """Versions of this code and of what decides numbers, without importing any of it."""
    known = {"mimi_core": __version__}
    for package in ("torch", "torchvision", "timm", "numpy", "scikit-learn"):
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = "absent"
    return known
