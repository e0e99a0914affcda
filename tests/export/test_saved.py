"""A saved cycle gives back the model that was saved: the same predictions, for every method, and no guessing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from mimi_core.config import make_config
from mimi_core.data import load
from mimi_core.errors import RunError
from mimi_core.export.predict import predict
from mimi_core.export.saved import Preprocess, read_saved, restorable, saved_cycles
from mimi_core.runs.formats import cycle_weights
from mimi_core.runs.formats.gallery import read_gallery, read_probabilities
from mimi_core.runs.store import Store
from tests.export.conftest import MakeRun, Mimi


def asked(store: Store, run: Path, image: Path, *cycles: int) -> dict[int, list[float]]:
    found = predict(run, store.config(run.name), image, cycles or None)
    assert [one.error for one in found.cycles if one.error] == []
    return {one.cycle: one.probabilities for one in found.cycles}


@pytest.mark.parametrize("method", ["linear", "full", "adapter", "ssf"])
def test_a_test_image_gets_the_stored_predictions(store: Store, make_run: MakeRun, tmp_path: Path, method: str) -> None:
    run = make_run(f"method={method}")
    gallery = read_gallery(run)
    test = load(store.config(run.name).data).test
    for place in (0, 7):
        test.images[int(gallery.index[place])].save(tmp_path / "image.png")
        given = asked(store, run, tmp_path / "image.png")
        assert list(given) == saved_cycles(run) == [0]
        for cycle, probabilities in given.items():
            stored = read_probabilities(run, cycle, gallery, 10)[place]
            np.testing.assert_allclose(probabilities, stored, atol=1e-5)


def test_all_cycles_at_once_are_each_cycle_alone(store: Store, pruned: Path, tmp_path: Path) -> None:
    gallery = read_gallery(pruned)
    assert gallery.is_grey
    Image.fromarray(gallery.images[3]).save(tmp_path / "image.png")  # the bundled backbone sees 64 pixels, as it does
    together = asked(store, pruned, tmp_path / "image.png")
    for cycle, probabilities in together.items():
        np.testing.assert_allclose(
            probabilities, read_probabilities(pruned, cycle, gallery, 10)[3], atol=1e-5, err_msg=str(cycle)
        )
        np.testing.assert_allclose(asked(store, pruned, tmp_path / "image.png", cycle)[cycle], probabilities, atol=1e-6)
    assert not np.allclose(together[0], together[2], atol=1e-3)


def test_what_is_left_of_the_model_has_the_widths_of_the_cycle(store: Store, pruned: Path) -> None:
    model = restorable(store.config(pruned.name), 10)
    for cycle, widths in enumerate(store.state(pruned.name).widths):
        saved = read_saved(cycle_weights.path_of(pruned, cycle))
        filled = model.fill(saved)
        names = {name.removesuffix(".adapter.down") for name, _ in filled.named_parameters() if "adapter.down" in name}
        assert names == {site for site, width in widths.items() if width}
        assert not filled.training
    assert 0 in widths.values()


@pytest.mark.parametrize("grey", [True, False])
def test_preprocessing_is_that_of_training(grey: bool) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8))
    made = Preprocess(16, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2), grey)(picture)
    square = np.asarray(picture.convert("L" if grey else "RGB").resize((16, 16), Image.Resampling.BICUBIC)) / 255
    square = np.stack([square] * 3, axis=-1) if grey else square
    np.testing.assert_allclose(made.permute(1, 2, 0), (square - [0.5, 0.4, 0.3]) / 0.2, atol=1e-5)


# --- files that cannot be trusted -------------------------------------------------------------------------------------


def broken(run: Path, target: Path, **change: object) -> Path:
    """The run with another file of cycle 1."""
    copy = target / run.name
    shutil.copytree(run, copy)
    path = cycle_weights.path_of(copy, 1)
    tensors, saved = load_file(path), read_saved(path)
    metadata: dict[str, object] = {"cycle": 1, "widths": saved.widths, "class_names": list(saved.class_names)}
    metadata |= {key: value for key, value in change.items() if key in metadata}
    tensors |= {key: value for key, value in change.items() if isinstance(value, np.ndarray)}  # type: ignore[misc]
    tensors = {key: value for key, value in tensors.items() if change.get(key, value) is not None}
    save_file(tensors, path, {key: json.dumps(value) for key, value in metadata.items()})
    return copy


FIRST = "layers.0.blocks.0.attn"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"widths": {FIRST: 3}}, "does not fit"),
        ({"widths": [1]}, "make no sense"),
        ({"widths": {FIRST: -1}}, "make no sense"),
        ({"widths": {FIRST: True}}, "make no sense"),
        ({"cycle": "1"}, "make no sense"),
        ({"class_names": []}, "make no sense"),
        ({"class_names": ["a"] * 10}, "other classes"),
        ({"class_names": [1] * 10}, "make no sense"),
        ({f"adapters.{FIRST}.down": np.zeros((3, 3), np.float32)}, "down"),
        ({"model.head.fc.bias": None}, "model.head.fc.bias"),
        ({"model.head.fc.bias": np.full(10, np.nan, np.float32)}, "no finite numbers"),
        ({"model.foreign": np.zeros(3, np.float32)}, "model.foreign"),
    ],
    ids=str,
)
def test_a_cycle_that_does_not_fit_says_so_and_the_others_answer(
    store: Store, pruned: Path, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    run = broken(pruned, tmp_path, **change)
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    found = predict(run, store.config(pruned.name), tmp_path / "image.png")
    assert [one.error is None for one in found.cycles] == [True, False, True]
    assert told in str(found.cycles[1].error)


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 100, (2**60).to_bytes(8, "little") + b"{}"])
def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "adapters.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=r"adapters\.safetensors"):
        read_saved(path)


def test_statistics_that_full_fine_tuning_changed_are_needed(tmp_path: Path) -> None:
    config = make_config({"method": "full", "backbone": {"name": "resnet18", "pretrained": False, "image_size": 32}})
    model = restorable(config, 2)
    tensors = {f"model.{name}": p.detach().numpy() for name, p in model.model.named_parameters()}
    path = tmp_path / "adapters.safetensors"
    save_file(tensors, path, {"cycle": "0", "widths": "{}", "class_names": '["a", "b"]'})
    with pytest.raises(RunError, match="running statistics"):
        model.fill(read_saved(path))
    means = {f"model.{name}": buffer.numpy() for name, buffer in model.model.named_buffers()}
    means["model.bn1.running_mean"] = np.full(64, 3, np.float32)
    save_file(tensors | means, path, {"cycle": "0", "widths": "{}", "class_names": '["a", "b"]'})
    assert model.fill(read_saved(path)).bn1.running_mean[0] == 3


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_command_answers_in_json_and_in_words(store: Store, pruned: Path, tmp_path: Path, mimi: Mimi) -> None:
    Image.new("RGB", (20, 30), "red").save(tmp_path / "image.webp")
    arguments = ["predict", pruned.name, str(tmp_path / "image.webp"), "--runs", str(store.directory)]
    answer = json.loads(mimi(*arguments, "--json").out)
    assert answer["ok"]
    assert [len(one["probabilities"]) for one in answer["cycles"]] == [10, 10, 10]
    said = mimi(*arguments, "--cycle", "2").out
    assert said.startswith("cycle 2: ")
    assert said.count("%") == 3


def test_an_image_that_is_none_is_one_line(store: Store, pruned: Path, tmp_path: Path, mimi: Mimi) -> None:
    bad = tmp_path / "image.png"
    bad.write_bytes(b"GIF89a nothing")
    arguments = ["predict", pruned.name, str(bad), "--runs", str(store.directory)]
    assert len(mimi(*arguments, code=1).err.splitlines()) == 1
    assert "not a readable image" in json.loads(mimi(*arguments, "--json", code=1).out)["error"]


def test_a_run_that_has_saved_nothing_says_so(store: Store, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    run = store.folder(store.create(make_config(preset="quick")))
    with pytest.raises(RunError, match="not saved a cycle"):
        predict(run, make_config(), tmp_path / "image.png")
