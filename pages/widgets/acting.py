"""All that the pages do to runs and datasets, for who may, within what may be made. Pages act through this alone."""

import threading
from collections.abc import Callable, Sequence
from io import BytesIO

from mimi_core.config import RunConfig
from mimi_core.data.intake import upload
from mimi_core.runs import control, quota
from mimi_core.runs.formats.gallery import SavedCycle
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.jobs.checking import Checking, check_all
from mimi_core.runs.jobs.job import Job
from mimi_core.runs.store import Store
from mimi_core.sweeps import matching
from pages.widgets import gate, stores, waiting

MEASURING_SECONDS = 1800.0
MeasuringKey = tuple[str, str, SavedCycle, str]
"""Of a job that measures neurons: "damage", the run's folder, the cycle at whose end, and the site."""
_MAKING = threading.Lock()
"""Held from counting what is there to having made more, so that two tabs do not both get the last place."""


def submit(config: RunConfig) -> str:
    """Queue a run of the user's; returns its id.

    Raises:
        MimiError: the person may not, there is no room for it, or it cannot be made.
    """
    person = gate.demand("launch")
    with _MAKING:
        _check_room(1, person.address)
        return control.submit(stores.user_store(), config, owner=person.address)


def branch_off(source: Store, run_id: str, cycle: int, sets: Sequence[str]) -> str:
    """Queue a run that goes on from a cycle of another; as `submit`."""
    person, target = gate.demand("launch"), stores.user_store()
    with _MAKING:
        _check_room(1, person.address)
        return control.branch_off(source, run_id, cycle, sets, target, owner=person.address)


def queue_sweep(configs: Sequence[RunConfig], retry_failed: bool) -> None:
    """Queue what is missing of a sweep; as `submit`."""
    with _MAKING:
        owner = check_sweep(configs, retry_failed)
        matching.queue(stores.user_store(), configs, retry_failed=retry_failed, owner=owner)


def check_sweep(configs: Sequence[RunConfig], retry_failed: bool) -> str:
    """Whether what is missing of a sweep may be queued, all of it. Returns whose it will be."""
    todo = [p for p in matching.compare(stores.user_store(), configs) if p.is_to_start(retry_failed)]
    owner = gate.demand("launch", [p.run.owner for p in todo if p.run]).address
    _check_room(len(todo), owner)
    return owner


def requeue(store: Store, run_id: str) -> None:
    """Have a run that ended go on; it counts as one more that waits."""
    owner = store.summary(run_id).owner
    gate.demand("launch", [owner])
    with _MAKING:
        _check_room(1, owner)
        control.requeue(store, run_id)


def stop_after_cycle(store: Store, run_id: str) -> None:
    _act(control.stop_after_cycle, store, run_id)


def stop_now(store: Store, run_id: str) -> None:
    _act(control.stop_now, store, run_id)


def delete(store: Store, run_id: str) -> None:
    _act(control.delete, store, run_id)


def move(store: Store, run_id: str, place: int) -> None:
    """Give a waiting run another place in the queue, which is everybody's: where people sign in, an admin does it."""
    gate.demand("admin")
    control.move(store, run_id, place)


def stop_requested(store: Store, run_id: str) -> bool:
    return control.stop_requested(store, run_id)


def unpack(archive: BytesIO, name: str, on_progress: Callable[[int, int], None]) -> upload.Upload:
    """Make a dataset of a zip that somebody sent."""
    gate.demand("launch")
    quota.check_disk([stores.user_store().directory, stores.datasets_folder()], archive.getbuffer().nbytes)
    return upload.unpack(archive, name, stores.datasets_folder(), on_progress)


def check(configs: Sequence[RunConfig]) -> Checking:
    """Begin a check, in a process that trains a few steps."""
    gate.demand("launch")
    return Checking(configs)


def check_and_wait(configs: Sequence[RunConfig]) -> list[CheckReport]:
    gate.demand("launch")
    return check_all(configs)


def measure_neurons(store: Store, run_id: str, key: MeasuringKey) -> Job:
    """Begin to measure what each neuron of a layer is worth, in a process that looks at images for minutes.

    Args:
        key: of the job, which says which cycle and which site.
    """
    gate.demand("launch")
    _, _, saved, site = key
    where = ["--runs", str(store.directory.resolve()), f"--layer={site}", "--cycle", str(saved.cycle)]
    return waiting.jobs().start(key, lambda folder: ["damage", run_id, *where, "--json"], MEASURING_SECONDS)


def _act(what: Callable[[Store, str], object], store: Store, run_id: str) -> None:
    gate.demand("launch", [store.summary(run_id).owner])
    what(store, run_id)


def _check_room(more: int, owner: str) -> None:
    store = stores.user_store()
    quota.check_disk([store.directory, stores.datasets_folder()])
    quota.check_runs(store, more, owner)
