"""Damage to every kind of file of a run is found, told by file, and mended where that needs no invention."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mimi_core.config import make_config
from mimi_core.errors import RunError
from mimi_core.resources import EXAMPLES
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from mimi_core.runs.formats import cycle_weights, gallery
from mimi_core.runs.formats.gallery import read_gallery
from mimi_core.runs.fsck.checking import half_made, mend, problems
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.status import read_status
from mimi_core.runs.store import Store
from tests import warm
from tests.conftest import QUICK
from tests.recorded import change_status
from tests.warm import PATIENCE, ended

CONFIG = make_config(preset="quick", sets=QUICK)
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def runs_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`finished`, and `killed` in its second cycle."""
    store = Store(tmp_path_factory.mktemp("runs"))
    done, killed = (store.folder(store.create(CONFIG)) for _ in range(2))
    assert ended(warm.start("work", str(done))) == 0
    worker = warm.start("work", str(killed))
    deadline = time.monotonic() + PATIENCE
    while not (killed / files.EVENTS).exists() or (killed / files.EVENTS).read_bytes().count(b"\n") < 11:
        assert time.monotonic() < deadline
        assert worker.is_alive()
        time.sleep(0.005)
    os.kill(worker.pid or 0, signal.SIGKILL)
    ended(worker)
    done.rename(store.directory / "finished")
    killed.rename(store.directory / "killed")
    return store.directory


@pytest.fixture
def runs(runs_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(runs_once, tmp_path / "runs")
    return tmp_path / "runs"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Some bytes, since a zip has single ones that mean nothing, such as the hour at which a member was written."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    path.write_bytes(content)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [cut, flip, zero, empty, Path.unlink]
KINDS = [
    files.CONFIG, files.EVENTS, files.STATUS, files.GALLERY, "fingerprint.json", "cycles/0/adapters.safetensors",
    "cycles/1/adapters.safetensors", "cycles/1/scores.npz", "cycles/2/end_scores.npz", "cycles/2/predictions.npz",
    "test_images.npz", "cycles/1/test_cut.npz", "cycles/2/test_trained.npz",
]  # fmt: skip


def wrong(run: Path) -> list[str]:
    return [problem.file for problem in problems(run)]


def fsck(runs: Path, *arguments: str) -> tuple[int, str]:
    done = warm.mimi("fsck", *arguments, "--runs", str(runs))
    return done.returncode, done.stdout + done.stderr


def test_runs_that_are_whole(runs: Path) -> None:
    assert wrong(runs / "finished") == []
    assert wrong(runs / "killed") == []
    for example in EXAMPLES.iterdir():
        assert wrong(example) == []
    code, told = fsck(runs)
    assert (code, "2 runs looked at, nothing is wrong" in told) == (0, True)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_to_a_file_is_told_by_its_name(name: str, damage: Damage, runs: Path) -> None:
    run = runs / "finished"
    damage(run / name)
    if (name, damage) == ("fingerprint.json", Path.unlink):
        return  # those of earlier versions have none
    expected = files.STATUS if name == files.EVENTS and damage is empty else name  # which says that it has finished
    assert expected in wrong(run)
    untouched = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    problems(run)
    assert untouched == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}, "it only looks"


@pytest.mark.parametrize("name", ["newest.safetensors", "previous.safetensors"])
@pytest.mark.parametrize("damage", DAMAGES[:4], ids=lambda damage: damage.__name__)
def test_a_damaged_safe_state_is_told(name: str, damage: Damage, runs: Path) -> None:
    damage(runs / "killed" / files.RESUME / name)
    assert wrong(runs / "killed") == [f"{files.RESUME}/{name}"]


def test_events_before_a_state_that_are_lost_are_told(runs: Path) -> None:
    run = runs / "killed"
    lines = (run / files.EVENTS).read_bytes().splitlines(keepends=True)
    (run / files.EVENTS).write_bytes(b"".join(lines[:3]))
    assert f"{files.RESUME}/newest.safetensors" in wrong(run)


def test_a_byte_of_the_weights_that_changed_is_found(runs: Path) -> None:
    path = cycle_weights.path_of(runs / "finished", 1)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # the last bit but few: the file itself is whole
    path.write_bytes(content)
    with pytest.raises(RunError, match="not as they were written"):
        cycle_weights.read(runs / "finished", 1)
    assert wrong(runs / "finished") == ["cycles/1/adapters.safetensors"]


def test_weights_of_other_widths_are_found(runs: Path) -> None:
    run = runs / "finished"
    shutil.copyfile(cycle_weights.path_of(run, 0), cycle_weights.path_of(run, 1))
    (told,) = problems(run)
    assert "other widths" in told.what


def test_an_account_that_finishes_without_all_epochs_is_told(runs: Path) -> None:
    run = runs / "finished"
    lines = (run / files.EVENTS).read_bytes().splitlines(keepends=True)
    epochs = [n for n, line in enumerate(lines) if b'"epoch_ended"' in line]
    (run / files.EVENTS).write_bytes(b"".join(line for n, line in enumerate(lines) if n != epochs[3]))
    (told,) = problems(run)
    assert told.what == "it has finished, and epoch 2 of cycle 1 are missing"
    (run / files.EVENTS).write_bytes(b"".join([*lines[: epochs[3] + 1], *lines[epochs[3] :]]))
    (told,) = problems(run)
    assert "told twice" in told.what
    pruned = next(n for n, line in enumerate(lines) if b'"pruned"' in line)
    (run / files.EVENTS).write_bytes(b"".join(line for n, line in enumerate(lines) if n != pruned))
    assert any("of 2 cuts" in problem.what for problem in problems(run))
    assert any("cannot be true" in problem.what for problem in problems(run))


def test_a_config_that_was_changed_is_told(runs: Path) -> None:
    path = runs / "finished" / files.CONFIG
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    assert files.CONFIG in wrong(runs / "finished")


def test_mending_puts_back_what_is_told_elsewhere(runs: Path) -> None:
    run = runs / "finished"
    before = {name: (run / name).read_bytes() for name in (files.CONFIG, files.EVENTS)}
    status, pictures = read_status(run), read_gallery(run)
    zero(run / files.CONFIG)
    (run / files.EVENTS).write_bytes(before[files.EVENTS] + b'{"event":"epo')
    empty(run / files.STATUS)
    (run / files.RESUME).mkdir()
    (run / "cycles" / "1" / ".scores.npz.1.partial").write_text("half")
    (run / files.GALLERY).unlink()
    code, told = fsck(runs, "--repair", "finished")
    assert (code, "nothing is wrong" in told) == (0, True), told
    assert told.count("(mended)") == 6
    assert {name: (run / name).read_bytes() for name in before} == before
    assert not (run / files.RESUME).exists()
    assert wrong(run) == []
    again = read_status(run)
    assert status is not None
    assert again is not None
    assert (again.phase, again.cycle, again.cycles, again.progress) == ("finished", 2, 2, 1.0)
    assert np.array_equal(read_gallery(run).images, pictures.images), "drawn again, the same"


def test_what_cannot_be_mended_is_left_and_told(runs: Path) -> None:
    path = cycle_weights.path_of(runs / "finished", 0)
    cut(path)
    damaged = path.read_bytes()
    code, told = fsck(runs, "--repair")
    assert code == 1
    assert "finished cycles/0/adapters.safetensors: the adapters of cycle 0 cannot be read" in told
    assert "a new run of the config makes it again" in told
    assert path.read_bytes() == damaged


def test_a_gallery_is_not_drawn_of_other_images(runs: Path) -> None:
    (runs / "finished" / files.GALLERY).unlink()
    known = runs / "finished" / "fingerprint.json"
    known.write_text(known.read_text().replace('"sha256": "', '"sha256": "0'))
    code, told = fsck(runs, "--repair", "finished")
    assert code == 1
    assert "its images are not the same any more" in told
    assert not (runs / "finished" / files.GALLERY).exists()


def test_a_last_event_that_is_whole_but_for_its_end_is_kept(runs: Path) -> None:
    path = runs / "finished" / files.EVENTS
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done, left = mend(runs / "finished")
    assert files.EVENTS in [problem.file for problem in done]
    assert left == []
    assert path.read_bytes() == whole


def test_a_run_that_lost_its_end_can_be_resumed_after_mending(runs: Path) -> None:
    """Its status says that it has finished, and keeps everybody from going on."""
    run = runs / "finished"
    path = run / files.EVENTS
    path.write_bytes(path.read_bytes()[:-30])
    mend(run)
    assert Store(runs).summary("finished").phase == "stopped"
    assert path.read_bytes().endswith(b"}\n")


def test_a_run_killed_after_its_last_word_is_told_finished(runs: Path) -> None:
    change_status(Store(runs), "finished", phase="evaluating", progress=0.9)
    (problem,) = problems(runs / "finished")
    assert problem.file == files.STATUS
    assert mend(runs / "finished")[1] == []
    status = read_status(runs / "finished")
    assert status is not None
    assert status.phase == "finished"


def test_a_run_at_work_is_left_alone(runs: Path) -> None:
    (runs / "killed" / files.EVENTS).write_bytes((runs / "killed" / files.EVENTS).read_bytes() + b"half")
    with Recorder(runs / "killed"):
        code, told = fsck(runs, "--repair")
    assert code == 0
    assert "killed: not looked at: killed is being worked on" in told
    assert (runs / "killed" / files.EVENTS).read_bytes().endswith(b"half")


def test_hidden_folders_of_those_who_were_killed_go_when_they_are_old(runs: Path) -> None:
    for name in (".x.partial", ".finished.ab.deleted"):
        (runs / name).mkdir()
        (runs / name / "config.yaml").write_text("half")
    assert list(half_made(runs)) == [], "somebody may be at it"
    for name in (".x.partial", ".finished.ab.deleted"):
        os.utime(runs / name, (1, 1))
    assert fsck(runs)[0] == 1
    assert fsck(runs, "--repair")[0] == 0
    assert sorted(path.name for path in runs.iterdir() if path.is_dir()) == ["finished", "killed"]


def test_what_a_run_that_goes_on_has_lost_is_drawn_again_or_told(runs: Path) -> None:
    """It ends as finished, for its numbers are right; but nobody must be left to find out by themselves."""
    run = runs / "killed"
    (run / files.GALLERY).unlink()
    zero(cycle_weights.path_of(run, 0))
    assert ended(warm.start("work", str(run))) == 0
    pictures = read_gallery(runs / "finished")
    assert np.array_equal(read_gallery(run).images, pictures.images)
    gallery.read_probabilities(run, 2, pictures, 10)
    (warning,) = [w for w in read_events(run / files.EVENTS).warnings if w.code == "lost"]
    assert warning.message.startswith("cycles/0/adapters.safetensors: the adapters of cycle 0 cannot be read")
    assert wrong(run) == ["cycles/0/adapters.safetensors"]


def test_weights_of_before_there_were_checksums_open(runs: Path) -> None:
    path = cycle_weights.path_of(runs / "finished", 0)
    tensors = load_file(path)
    save_file(tensors, path, metadata={"version": "1"})
    assert cycle_weights.read(runs / "finished", 0).keys() == tensors.keys()
