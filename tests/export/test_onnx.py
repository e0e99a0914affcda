"""The exported graph gives the model's logits for any batch, and holds nothing of adapters that are gone."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from mimi_core.config import make_config
from mimi_core.errors import RunError
from mimi_core.export import to_onnx
from mimi_core.runs.formats.gallery import read_gallery, read_probabilities
from mimi_core.runs.store import Store
from tests.export.conftest import MakeRun


@pytest.fixture(scope="module")
def run(make_run: MakeRun) -> Path:
    """Six blocks of 64 channels, of which the only cut takes adapters."""
    backbone = ["backbone=test_vit", "backbone.pretrained=false", "backbone.image_size=32"]
    return make_run(*backbone, "adapter.positions=mlp", "adapter.init=paper", "prune.rho=0.9", "prune.sigma_target=40")


def test_the_graph_gives_the_stored_predictions_and_removed_adapters_cost_nothing(
    store: Store, run: Path, tmp_path: Path
) -> None:
    target = tmp_path / "model.onnx"
    done = to_onnx.write_onnx(run, store.config(run.name), 1, target)
    assert done.size == target.stat().st_size
    assert 0 <= done.largest_difference < 1e-5

    gallery = read_gallery(run)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == list("0123456789")
    images = [Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC) for image in gallery.images]
    pixels = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images]).astype(np.float32) / 255
    (logits,) = session.run(["logits"], {"images": pixels})
    assert logits.shape == (len(images), 10)
    # The gallery's pictures were made smaller in two steps here, so this is close and not equal.
    given = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(given, read_probabilities(run, 1, gallery, 10), atol=0.02)

    widths = store.state(run.name).widths[1]
    left = [site for site, width in widths.items() if width]
    assert 0 < len(left) < len(widths)
    graph = onnx.load(target).graph
    assert sum(node.op_type == "Gelu" for node in graph.node) == 6 + len(left)
    shapes = [tuple(tensor.dims) for tensor in graph.initializer]
    for width in widths.values():
        assert width == 0 or (64, width) in shapes or (width, 64) in shapes
    assert not any(0 in shape for shape in shapes)


def test_a_graph_that_gives_other_logits_is_not_written(
    store: Store, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong:
        def __init__(self, path: Path, providers: list[str]) -> None: ...

        def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.full((len(inputs["images"]), 10), np.nan)]

    empty = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    monkeypatch.setattr(to_onnx, "_graph", lambda *_: empty)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    with pytest.raises(RunError, match="other logits"):
        to_onnx.write_onnx(run, store.config(run.name), 1, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_its_packages_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(RunError, match=r"\(onnxruntime\): pip install onnx onnxscript onnxruntime"):
        to_onnx.write_onnx(tmp_path, make_config(), 0, tmp_path / "model.onnx")
