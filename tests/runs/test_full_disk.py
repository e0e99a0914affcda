"""A disk without room, or one that is read-only: one line says so, the status tells it, nothing is half there."""

import errno
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from mimi_core.cli.main import app
from mimi_core.config import RunConfig
from mimi_core.errors import DiskFullError, ResourceError, RunError, lack_of_means
from mimi_core.runs import control, files, writing
from mimi_core.runs.describe import describe_death
from mimi_core.runs.queue import dispatcher
from mimi_core.runs.status import Status, read_status, write_status
from mimi_core.runs.store import Store
from tests import warm
from tests.conftest import QUICK
from tests.recorded import record
from tests.warm import ended

SHORT = [part for setting in (*QUICK, "train.epochs=1") for part in ("--set", setting)]
"""Of `run --preset quick`."""


def command(arguments: list[str], out: Path, prepare: Callable[[], None]) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    prepare()
    sys.argv = ["mimi", *arguments]
    from mimi_core.cli.main import main

    main()


def on_a_disk_that_fills(arguments: list[str], out: Path, runs: Path, name: str) -> None:
    """From the first time on that a file of this name is written, there is no room for any file; those that are open,
    and the blocks that a file has, can be written."""
    full = False

    def watch(event: str, details: tuple[object, ...]) -> None:
        nonlocal full
        if event != "open":
            return
        path = Path(str(details[0]))
        if path.is_absolute() and runs not in path.parents:
            return  # what is in a run folder is opened relative to it
        flags = details[2]
        if isinstance(flags, int) and flags & os.O_CREAT:
            full = full or name in path.name
            if full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    command(arguments, out, lambda: sys.addaudithook(watch))


def with_small_files(arguments: list[str], out: Path) -> None:
    command(arguments, out, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)))


def with_little_memory(arguments: list[str], out: Path) -> None:
    most = psutil.Process().memory_info().vms + 120 * 2**20
    command(arguments, out, lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)))


WRITES = [
    files.CONFIG, files.STATUS, files.LOG, "fingerprint.json", files.EVENTS, files.GALLERY, "newest", "adapters",
    "predictions", "scores.npz",
]  # fmt: skip
"""Of every kind of file one, in the order in which a run writes them first."""


@pytest.mark.parametrize("name", WRITES)
def test_a_disk_that_is_full_at_any_write_is_said_in_one_line_and_in_the_status(name: str, tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    process = warm.process(
        on_a_disk_that_fills, ["run", "--preset", "quick", *SHORT, "--runs", str(runs)], out, runs, name
    )
    assert ended(process) == 1
    told = [line for line in out.read_text().splitlines() if "rror" in line or "Traceback" in line]
    assert len(told) == 1, out.read_text()
    assert told[0].startswith("error: cannot write")
    assert "the disk is full: free some space" in told[0]
    for run in Store(runs).list():
        assert run.phase == "failed"
        assert "the disk is full" in run.message
    assert [run.phase for run in Store(runs).list()] == ["failed"] * (WRITES.index(name) > WRITES.index(files.EVENTS))
    assert not list(runs.rglob("*.partial"))


def test_a_run_goes_on_once_there_is_room(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    arguments = ["run", "--preset", "quick", *SHORT, "--runs", str(runs)]
    assert ended(warm.process(on_a_disk_that_fills, arguments, out, runs, "scores.npz")) == 1
    (run,) = Store(runs).list()
    assert warm.mimi("resume", run.id, "--runs", str(runs)).returncode == 0
    state = Store(runs).state(run.id)
    assert [e.cycle for e in state.epochs] == [0, 1, 2]
    assert [cut.cycle for cut in state.cuts] == [1, 2]


def test_a_limit_on_the_size_of_files_is_said(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    assert ended(warm.process(with_small_files, ["run", "--preset", "quick", *SHORT, "--runs", str(runs)], out)) == 1
    assert "ulimit -f" in out.read_text().splitlines()[-1]
    assert "ulimit -f" in Store(runs).list()[0].message


def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "out"
    assert ended(warm.process(with_little_memory, ["run", "--preset", "quick", *SHORT, "--runs", str(runs)], out)) == 1
    assert "Traceback" not in out.read_text()
    assert "error: out of memory: lower train.batch_size" in out.read_text()
    assert all(run.phase == "failed" for run in Store(runs).list())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "out of memory"),
        (RuntimeError("can't start new thread"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (OSError(errno.EIO, "Input/output error"), ""),
        (RuntimeError("another"), ""),
    ],
)
def test_what_the_machine_could_not_give_has_words(error: Exception, says: str) -> None:
    lack = lack_of_means(error)
    assert (lack is not None) == bool(says)
    assert says in str(lack)


def test_a_status_is_written_into_its_own_place_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(run: Path, name: str, text: str) -> None:
        raise DiskFullError("full")

    status = Status(created=1, heartbeat=2, message="m" * 100)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_text", full)
        with pytest.raises(DiskFullError):
            write_status(tmp_path, status)
    write_status(tmp_path, status)
    monkeypatch.setattr(writing, "write_text", full)
    for message in ("m" * 1000, "short"):
        changed = status.model_copy(update={"message": message})
        write_status(tmp_path, changed)
        assert read_status(tmp_path) == changed
    with pytest.raises(DiskFullError):
        write_status(tmp_path, status.model_copy(update={"message": "m" * 50_000}))
    assert read_status(tmp_path) == changed, "what there is no room for leaves what was there"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(RunError, match="is a link"):
        writing.overwritten(tmp_path, "link", b"theirs")
    assert (tmp_path / "target").read_text() == "mine"


@pytest.fixture
def no_lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has locks fail with an error."""

    def fail(number: int) -> None:
        def acquire(self: FileLock, timeout: float = 0) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(FileLock, "acquire", acquire)

    return fail


def test_runs_can_be_taken_out_and_deleted_on_a_full_disk(
    store: Store, quick_config: RunConfig, no_lock: Callable[[int], None]
) -> None:
    waiting, other = store.create(quick_config), store.create(quick_config)
    no_lock(errno.ENOSPC)
    assert control.stop_after_cycle(store, waiting) == "was waiting: it is taken out of the queue"
    assert store.summary(waiting).phase == "stopped"
    control.delete(store, other)
    assert [run.id for run in store.list()] == [waiting]


@pytest.mark.parametrize("arguments", [["delete", "RUN", "--yes"], ["stop", "RUN"], ["resume", "RUN"], ["dispatch"]])
def test_a_read_only_disk_is_said(
    arguments: list[str], store: Store, quick_config: RunConfig, no_lock: Callable[[int], None]
) -> None:
    run_id = store.create(quick_config)
    no_lock(errno.EROFS)
    where = [str(store.directory)] if arguments == ["dispatch"] else ["--runs", str(store.directory)]
    result = CliRunner().invoke(app, [part.replace("RUN", run_id) for part in arguments] + where)
    assert isinstance(result.exception, ResourceError)
    assert "the disk is read-only" in str(result.exception)
    assert store.summary(run_id).phase == "queued"


def test_what_cannot_be_tidied_up_does_not_hide_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is read-only nothing can be unlinked, not even what is not there."""

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", read_only)
    monkeypatch.setattr(Path, "write_text", read_only)
    with pytest.raises(ResourceError, match="the disk is read-only: choose a folder on another"):
        files.write_text(tmp_path / "report.html", "text")


def test_how_a_worker_ended_is_told_as_soon_as_there_is_room(
    store: Store, quick_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        pid, returncode = 2**22 - 3, -11

        def poll(self) -> int:
            return self.returncode

    run_id = record(store, quick_config, cuts=1, outcome=None)
    folder = store.folder(run_id)
    worker = dispatcher._Worker(Ended(), folder, None)  # type: ignore[arg-type]

    def full(run: Path, status: Status) -> None:
        raise DiskFullError("full")

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "write_status", full)
        assert dispatcher._still_there(store, [worker], 2) == [worker]
    assert dispatcher._still_there(store, [worker], 2) == []
    status = read_status(folder)
    assert status is not None
    assert status.exit_code == -11


def test_a_full_disk_is_named_where_nothing_could_be_written() -> None:
    status = Status(created=0, heartbeat=0, phase="training")
    assert "disk that it is on is full (4,096 bytes are left)" in describe_death(status, 4096)
    assert "disk" not in describe_death(status, 10**9)
    assert "disk" not in describe_death(status.model_copy(update={"exit_code": -9}), 4096)
