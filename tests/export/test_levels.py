"""A run on 12-bit images: what it found out is kept, and all ways out, a resume and a branch hold to it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from mimi_core.config import DataConfig, make_config
from mimi_core.data import load
from mimi_core.data.levels import FULL, GreyLevels
from mimi_core.data.pixels import resident, to_float
from mimi_core.export import load_pack
from mimi_core.export.pack import write_pack
from mimi_core.export.predict import predict
from mimi_core.export.saved import read_saved
from mimi_core.export.to_onnx import write_onnx
from mimi_core.runs.formats import cycle_weights, npz
from mimi_core.runs.formats.gallery import kept_levels
from mimi_core.runs.store import Store
from mimi_core.train.setup import as_begun
from tests.export.conftest import MakeRun


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("twelve")
    for name in ("healthy", "ill"):
        (root / name).mkdir()
        for n in range(12):
            values = random.integers(0, 4000, (40, 40)).astype(np.uint16)
            Image.fromarray(values).save(root / name / f"{n}.{'png' if n % 2 else 'tif'}")
    return root


@pytest.fixture(scope="module")
def run(store: Store, make_run: MakeRun, pictures: Path) -> Path:
    backbone = ["backbone=test_vit", "backbone.pretrained=false", "backbone.image_size=32", "method=linear"]
    return make_run(*backbone, f"data=folder:{pictures}")


def test_every_way_out_stretches(store: Store, run: Path, pictures: Path, tmp_path: Path) -> None:
    config, file = store.config(run.name), pictures / "ill" / "3.png"
    assert read_saved(cycle_weights.path_of(run, 0)).levels == GreyLevels(0, 4095)
    write_pack(run, config, 0, tmp_path / "pack.zip")
    write_onnx(run, config, 0, tmp_path / "model.onnx")
    pack = load_pack(tmp_path / "pack.zip")
    dataset = load(DataConfig(name=f"folder:{pictures}"))
    split = next(s for s in (dataset.train, dataset.val, dataset.test) if file in s.images.paths)  # type: ignore[attr-defined]
    at = split.images.paths.index(file)  # type: ignore[attr-defined]
    trained = resident(split.take(np.array([at])), 32, torch.device("cpu")).images
    assert trained.max() > 200
    wanted = to_float(trained, pack.preprocess.mean, pack.preprocess.std)[0]
    for given in (file, str(file), Image.open(file)):
        assert torch.equal(pack.preprocess(given), wanted)
    own = predict(run, config, file).cycles[-1].probabilities
    with torch.no_grad():
        np.testing.assert_allclose(pack.model(wanted[None])[0].softmax(0), own, atol=1e-6)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": pack.preprocess.scaled(file)[None].numpy()})
    np.testing.assert_allclose(torch.tensor(logits[0]).softmax(0), own, atol=1e-4)
    for words in (pack.preprocess.in_words, session.get_modelmeta().custom_metadata_map["input"]):
        assert "16-bit grey from 0 to 4095 stretched to 0 to 255" in words


def test_it_is_told_and_kept(store: Store, run: Path) -> None:
    warnings = [warning.message for warning in store.state(run.name).warnings]
    assert any("hold values of 12 bits" in message for message in warnings)
    assert kept_levels(run) == GreyLevels(0, 4095)


def test_a_run_that_goes_on_holds_to_what_it_found(run: Path, tmp_path: Path) -> None:
    data = make_config().data
    assert as_begun(data, run).range == "[0, 4095]"
    assert as_begun(data.model_copy(update={"range": "full"}), run).range == "full", "a person decided"
    assert as_begun(data, tmp_path) == data, "a run that has not begun looks"
    (tmp_path / "gallery.npz").write_bytes(b"torn")
    assert as_begun(data, tmp_path) == data


def test_a_run_of_before_reads_the_upper_eight_bits(run: Path, tmp_path: Path) -> None:
    with np.load(run / "gallery.npz") as archive:
        npz.write(tmp_path, "gallery.npz", {name: archive[name] for name in ("index", "label", "images")})
    assert kept_levels(tmp_path) == FULL
    assert as_begun(make_config().data, tmp_path).range == "[0, 65535]"
