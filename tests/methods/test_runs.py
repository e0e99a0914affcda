"""Every method through the whole program: one loop, one order of images, one way to save and to come back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mimi_core.config import RunConfig, make_config
from mimi_core.config.methods import METHODS
from mimi_core.runs.events import EpochEnded, Event, RunEnded, RunStarted
from mimi_core.runs.recorder import NoRecorder, Recorder
from mimi_core.runs.store import Store
from mimi_core.train import cycle
from mimi_core.train.evaluate import predict_batches
from mimi_core.train.loop import EpochResult

VIT = ["backbone.name=vit_tiny_patch16_224", "backbone.pretrained=false", "backbone.image_size=32"]
PARTS = ("down", "up")
TINY = ["data.shots=2", "data.max_eval=20", "train.batch_size=10", "adapter.sigma_0=8", "prune.sigma_target=8"]


def config_of(method: str, *sets: str) -> RunConfig:
    backbone = VIT if method.startswith("vpt") else ["backbone.image_size=32"]
    return make_config(preset="quick", sets=[*backbone, *TINY, f"method={method}", *sets])


def run_of(config: RunConfig, tmp_path: Path) -> tuple[list[Event], Path]:
    store = Store(tmp_path)
    folder = store.folder(store.create(config))
    return list(recorded(folder, config)), folder


def recorded(folder: Path, config: RunConfig) -> Iterator[Event]:
    with Recorder(folder) as recorder:
        for event in cycle.run(config, recorder):
            recorder.emit(event)
            yield event


@pytest.mark.parametrize("method", METHODS)
def test_one_epoch_is_saved_whole(method: str, tmp_path: Path) -> None:
    """What the run folder keeps, put into a freshly built model by name, predicts what the run predicted."""
    config = config_of(method, "train.epochs=1")
    events, folder = run_of(config, tmp_path)
    started = events[0]
    assert isinstance(started, RunStarted)
    assert isinstance(events[-1], RunEnded)
    saved = load_file(folder / "cycles" / "0" / "adapters.safetensors")
    assert sum(tensor.numel() for tensor in saved.values()) == started.trained_parameters

    fresh = cycle.set_up(config, NoRecorder())
    own = dict(fresh.model.named_parameters())
    names = {f"adapters.{site}.{part}": f"{site}.adapter.{part}" for site in started.initial_widths for part in PARTS}
    with torch.no_grad():
        for name, tensor in saved.items():
            own[names.get(name, name.removeprefix("model."))].copy_(tensor)
    with np.load(folder / "cycles" / "0" / "predictions.npz") as stored:
        batches = predict_batches(fresh.model, fresh.test, fresh.vision, torch.from_numpy(stored["index"]))
        probabilities = torch.cat([logits for logits, _ in batches]).softmax(1).numpy()
        np.testing.assert_allclose(probabilities, stored["probabilities"], atol=1e-6)
    assert len(set(probabilities[:, 0])) > 1


def test_methods_see_the_same_images_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same stream of random numbers for whatever a layer draws."""
    seen: list[tuple[Any, ...]] = []

    def look(model: Any, pixels: Any, order: torch.Tensor, *rest: Any) -> EpochResult:
        seen[-1] += (order.tolist(), torch.rand(3).tolist())
        return EpochResult(loss=1, accuracy=0, lr=1, images_per_second=1, seconds=1)

    monkeypatch.setattr(cycle, "train_epoch", look)
    cuts = ("adapter.sigma_0=4", "prune.sigma_target=8")
    once = [(method, 4, ()) for method in ("linear", "adapter", "full", "vpt_deep", "lora", "vera")]
    for method, epochs, sets in (*once, ("mimi", 2, cuts), ("anneal", 4, cuts)):  # the first draws nothing of its own
        seen.append(())
        events = list(cycle.run(config_of(method, f"train.epochs={epochs}", "data.max_eval=10", *sets)))
        assert sum(isinstance(event, EpochEnded) for event in events) == 4
    assert all(orders == seen[0] for orders in seen)
    assert seen[0][0] != seen[0][2], "every epoch has its own order"
