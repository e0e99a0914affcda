"""A run knows its images and its backbone: it refuses to go on with others, says what changed, and can be told to."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mimi_core.config import make_config
from mimi_core.data.types import ArrayImages, Split
from mimi_core.errors import RunError
from mimi_core.export.pack import write_pack
from mimi_core.export.predict import predict
from mimi_core.resources import DEMO_BACKBONE
from mimi_core.runs.branch import branch
from mimi_core.runs.events import Evaluated
from mimi_core.runs.formats import fingerprint
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from mimi_core.train.cycle import run as events_of
from mimi_core.train.fingerprint import _of


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for label, name in enumerate(("cat", "dog")):
        for number in range(12):
            picture(tmp_path / "pets" / name / f"{number}.png", 100 * label + number)
    return tmp_path / "pets"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copy(DEMO_BACKBONE, tmp_path / "base.safetensors"))


def other_weights(path: Path) -> None:
    save_file(
        {name: value * 1.01 if value.is_floating_point() else value for name, value in load_file(path).items()}, path
    )


def begun(store: Store, *sets: str) -> str:
    """A run that was left after its first safe state."""
    run_id = store.create(
        make_config(preset="quick", sets=["train.epochs=1", "train.device=cpu", "data.shots=null", *sets])
    )
    with Recorder(store.folder(run_id)) as recorder:
        recorder._last_state = -1e9
        for event in events_of(store.config(run_id), recorder):
            recorder.emit(event)
            if isinstance(event, Evaluated):
                break
    return run_id


def gone_on(store: Store, run_id: str) -> None:
    with Recorder(store.folder(run_id)) as recorder:
        for event in events_of(store.config(run_id), recorder):
            recorder.emit(event)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "added": (lambda d: [picture(d / "cat" / f"new{i}.png", i) for i in range(20)], "cat "),
    "removed": (lambda d: [(d / "dog" / f"{i}.png").unlink() for i in range(8)], "dog "),
    "renamed class": (lambda d: (d / "dog").rename(d / "wolf"), "classes gone: dog; new: wolf"),
    "new class": (lambda d: shutil.copytree(d / "dog", d / "elk"), "classes new: elk"),
    "replaced": (lambda d: [picture(d / n / f"{i}.png", 7) or Image.new("RGB", (9, 9)).save(d / n / f"{i}.png")
                            for n in ("cat", "dog") for i in range(12)], "other sizes"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_other_images_are_told_and_may_be_accepted(tmp_path: Path, pets: Path, what: str) -> None:
    store = Store(tmp_path / "runs")
    run_id = begun(store, f"data=folder:{pets}")
    change, told = CHANGES[what]
    change(pets)
    with pytest.raises(RunError, match=f"(?s)not the same.*{told}.*--accept-changes"):
        gone_on(store, run_id)
    if "class" not in what:
        fingerprint.forget(store.folder(run_id))
        gone_on(store, run_id)
        assert store.state(run_id).ended is not None


def test_the_same_images_go_on_wherever_they_are(tmp_path: Path, pets: Path) -> None:
    store = Store(tmp_path / "runs")
    run_id = begun(store, f"data=folder:{pets}")
    kept = fingerprint.read(store.folder(run_id))
    assert kept is not None
    assert kept.class_names == ("cat", "dog")
    assert sum(sum(split.images) for split in kept.splits.values()) == 24
    gone_on(store, run_id)
    assert store.state(run_id).ended is not None
    moved = begun(store, f"data=folder:{pets.rename(tmp_path / 'elsewhere')}")
    assert fingerprint.read(store.folder(moved)) == kept


def test_a_run_of_before_goes_on_without_one(tmp_path: Path, pets: Path) -> None:
    store = Store(tmp_path / "runs")
    run_id = begun(store, f"data=folder:{pets}")
    fingerprint.forget(store.folder(run_id))
    gone_on(store, run_id)
    assert store.state(run_id).ended is not None


def test_another_backbone_under_the_same_name(tmp_path: Path, checkpoint: Path) -> None:
    store = Store(tmp_path / "runs")
    sets = [f"backbone.checkpoint={checkpoint}", "data.shots=1", "data.max_eval=12"]
    half, whole = begun(store, *sets), begun(store, *sets)
    gone_on(store, whole)
    folder, config = store.folder(whole), store.config(whole)
    picture(tmp_path / "a.png", 0)
    predict(folder, config, tmp_path / "a.png")
    original = checkpoint.read_bytes()
    other_weights(checkpoint)
    with pytest.raises(RunError, match=r"base\.safetensors holds another backbone .*--accept-changes"):
        gone_on(store, half)
    for use in (
        lambda: predict(folder, config, tmp_path / "a.png"),
        lambda: write_pack(folder, config, 0, tmp_path / "p.zip"),
        lambda: branch(store, whole, 1, ["prune.score=random"], store),
    ):
        with pytest.raises(RunError, match="trained on other weights"):
            use()
    checkpoint.write_bytes(original)
    predict(folder, config, tmp_path / "a.png")
    child = branch(store, whole, 1, ["prune.score=random"], store)
    assert fingerprint.read(store.folder(child)) == fingerprint.read(folder)
    assert torch.is_tensor(load_file(checkpoint)["norm.weight"])


@pytest.mark.parametrize("content", ["", "{}", "[" * 9999, '{"version": 2}'])
def test_one_that_cannot_be_read_is_one_error(tmp_path: Path, content: str) -> None:
    (tmp_path / fingerprint.NAME).write_text(content)
    with pytest.raises(RunError, match=r"fingerprint\.json cannot be read"):
        fingerprint.read(tmp_path)


def same_size(path: Path) -> None:
    """Another picture in a file of as many bytes."""
    before = path.stat().st_size
    content = np.asarray(Image.open(path)).copy()
    Image.fromarray(content[::-1]).save(path, compress_level=0)
    assert path.stat().st_size == before


@pytest.mark.parametrize("on_val", [False, True])
def test_a_picture_of_the_same_size_is_noticed(tmp_path: Path, on_val: bool) -> None:
    for label, name in enumerate(("cat", "dog")):
        for number in range(12):
            picture(tmp_path / "pets" / name / f"{number}.png", 100 * label + number)
            whole = tmp_path / "pets" / name / f"{number}.png"
            Image.open(whole).copy().save(whole, compress_level=0)
    store = Store(tmp_path / "runs")
    run_id = begun(store, f"data=folder:{tmp_path / 'pets'}", f"data.train_on_val={str(on_val).lower()}")
    times = [path.stat() for path in (tmp_path / "pets" / "dog").iterdir()]
    for path in (tmp_path / "pets" / "dog").iterdir():
        same_size(path)
    assert times
    with pytest.raises(RunError, match="train images of the same names and sizes hold something else: dog"):
        gone_on(store, run_id)
    fingerprint.forget(store.folder(run_id))
    gone_on(store, run_id)


def test_a_fingerprint_of_before_is_compared_by_what_it_has(tmp_path: Path, pets: Path) -> None:
    store = Store(tmp_path / "runs")
    run_id = begun(store, f"data=folder:{pets}")
    folder = store.folder(run_id)
    kept = fingerprint.read(folder)
    assert kept
    assert all(split.content and len(split.content) == 2 for split in kept.splits.values())
    older = {name: split.model_copy(update={"content": None}) for name, split in kept.splits.items()}
    fingerprint.write(folder, kept.model_copy(update={"splits": older}))
    gone_on(store, run_id)
    assert fingerprint.read(folder) == kept, "from now on it has what images hold, too"


def test_images_of_no_file_are_known_by_their_pixels() -> None:
    array = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    other = array.copy()
    other[2, 0, 0] += 1
    labels = np.array([0, 0, 1, 1])
    one, same, changed = (_of(Split(ArrayImages(a, "a"), labels), 2).content for a in (array, array.copy(), other))
    assert one == same
    assert one
    assert changed
    assert [a == b for a, b in zip(one, changed, strict=True)] == [True, False]
