"""A sweep beside the runs that are there already: what is done, what goes on, and what is still to be started."""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from filelock import FileLock

from mimi_core.config import RunConfig
from mimi_core.config.identity import run_key, setting_key
from mimi_core.data.absolute import with_absolute_paths
from mimi_core.errors import ConfigError
from mimi_core.runs import control, files
from mimi_core.runs.queue.dispatcher import ensure_dispatcher, queue_locked
from mimi_core.runs.status import ENDED, ShownPhase, claimed, write_status
from mimi_core.runs.store import RunSummary, Store

_RANK: dict[str, int] = {"finished": 0, "queued": 2, "stopped": 3, "died": 3, "failed": 4}
"""Which of several runs of one config counts; those with a worker come second."""


@dataclass(frozen=True)
class Planned:
    """A run of the sweep, and the one in the store that is it."""

    config: RunConfig
    run: RunSummary | None

    @property
    def phase(self) -> ShownPhase | Literal["missing"]:
        return self.run.phase if self.run else "missing"

    def is_to_start(self, retry_failed: bool = False) -> bool:
        """Whether it must be started, or gone on with; what failed only when asked for."""
        return self.phase in ("missing", "stopped", "died") or (retry_failed and self.phase == "failed")

    @property
    def has_ended(self) -> bool:
        return self.phase in (*ENDED, "missing")


def compare(store: Store, configs: Sequence[RunConfig]) -> list[Planned]:
    """Find every run of the sweep among those of its group: the same config in all that matters.

    Of several, the one that is furthest. A broken run is none.
    """
    return matched(configs, known(store, {config.group for config in configs}))


def known(store: Store, groups: Collection[str]) -> dict[str, RunSummary]:
    """The runs of these groups by what makes them the same, for `matched`."""
    found: dict[str, RunSummary] = {}
    for run in store.list():
        if run.group not in groups or run.phase == "broken":
            continue
        try:
            key = run_key(store.config(run.id))
        except ConfigError:
            continue
        if key not in found or _RANK.get(run.phase, 1) < _RANK.get(found[key].phase, 1):
            found[key] = run
    return found


def matched(configs: Sequence[RunConfig], runs: Mapping[str, RunSummary]) -> list[Planned]:
    """Each config with its run among `known` ones."""
    return [Planned(config, runs.get(run_key(with_absolute_paths(config)))) for config in configs]


def others(store: Store, planned: Collection[Planned]) -> int:
    """How many runs of the same group are of other settings; other seeds are not."""
    groups = {p.config.group for p in planned}
    mine = {setting_key(with_absolute_paths(p.config)) for p in planned}
    count = 0
    for run in store.list():
        with contextlib.suppress(ConfigError):
            count += run.group in groups and setting_key(store.config(run.id)) not in mine
    return count


def queue(store: Store, configs: Sequence[RunConfig], retry_failed: bool = False, *, owner: str = "") -> list[Planned]:
    """Queue all that is to be started, and nothing twice, also when two do so at once. Returns all, as they are then.

    Raises:
        ResourceError: the folder of runs cannot be written.
    """
    with _only_one(store):
        for planned in compare(store, configs):
            if planned.run is None:
                store.create(planned.config, owner=owner)
            elif planned.is_to_start(retry_failed):
                control.requeue(store, planned.run.id, wake=False)
        afterwards = compare(store, configs)
    if any(planned.phase == "queued" for planned in afterwards):
        ensure_dispatcher(store.directory)
    return afterwards


def claim(store: Store, configs: Sequence[RunConfig], tried: Collection[str], retry_failed: bool = False) -> str | None:
    """Take the next run that is to be started, or waits, for this process to work on. None when there is none.

    Args:
        tried: ids that have had their chance.
    """
    with _only_one(store), queue_locked(store.directory):
        for planned in compare(store, configs):
            if planned.run is None:
                return store.create(planned.config, here=True)
            run_id, status = planned.run.id, store.status(planned.run.id)
            wanted = planned.phase == "queued" or planned.is_to_start(retry_failed)
            if wanted and status is not None and run_id not in tried:
                write_status(store.folder(run_id), claimed(status, os.getpid()))
                return run_id
    return None


@contextlib.contextmanager
def _only_one(store: Store) -> Iterator[None]:
    """Held while somebody looks what is missing and makes it."""
    with files.explained(store.directory):
        store.directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(store.directory / ".sweep.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
