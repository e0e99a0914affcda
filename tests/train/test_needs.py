"""Memory is known from shapes alone before it is taken: what cannot fit is refused with what would; nothing else is."""

import re
import resource

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mimi_core.adapters.attach import adapters_of
from mimi_core.backbones.loading import load_backbone
from mimi_core.config import RunConfig, make_config
from mimi_core.config.methods import METHODS
from mimi_core.data import memory
from mimi_core.errors import ResourceError
from mimi_core.methods import implementation
from mimi_core.scores.watching import Watcher
from mimi_core.train import needs
from mimi_core.train.check import check
from mimi_core.train.optim import make_optimizer
from mimi_core.train.setup import build_model

PLAIN = ["backbone=test_vit", "backbone.pretrained=false", "backbone.image_size=32"]
CPU = torch.device("cpu")
GIB = 2**30
Built = tuple[nn.Module, int]


def built(*sets: str) -> Built:
    model, _, image_size, _, _ = build_model(make_config(sets=[*PLAIN, *sets]), 10, CPU)
    return model, image_size


def set_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(needs, "free_bytes", lambda: size)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_foreseen_is_what_is_there(method: str) -> None:
    """Of every method of the catalogue: the weights to the byte, and what a real step of training keeps."""
    config = make_config(sets=[*PLAIN, f"method={method}", "peft.prompts=3"])
    backbone = load_backbone(config.backbone, 10)
    foreseen = needs._needs_without_weights(backbone.model, config, backbone.image_size)
    model, image_size = built(f"method={method}", "peft.prompts=3")
    assert foreseen
    assert foreseen.weights == sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    real = needs.measured(model, config, image_size)
    assert real.weights == foreseen.weights
    assert real.training == pytest.approx(foreseen.training, rel=0.1)
    assert real.image == pytest.approx(foreseen.image, rel=0.1)

    optimizer, watcher = make_optimizer(model, config.train), Watcher(adapters_of(model))
    if ranking := implementation(method).ranking:
        ranking.begin(model, optimizer, config, 10, 0)
    F.cross_entropy(model(torch.randn(2, 3, image_size, image_size)), torch.tensor([0, 1])).backward()
    optimizer.step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    remembered = [v for state in optimizer.state.values() for v in state.values() if isinstance(v, torch.Tensor)]
    watched = [v for seen in watcher.seen.values() for v in seen.values()]
    kept = sum(t.numel() * t.element_size() for t in (*gradients, *remembered, *watched))
    assert foreseen.training >= 0.9 * kept, "gradients, moments, and what is watched are all in it"
    if method not in ("oft", "dora", "adalora"):  # a forward of these makes matrices as large as the weights
        assert foreseen.training <= 1.2 * kept + 2**16, "and nothing else is"


@pytest.mark.parametrize(
    ("sets", "setting", "how"),
    [
        (["method=lora", "peft.rank=1000000"], "peft.rank=1,000,000", "lower"),
        (["method=lora", "peft.rank=9007199254740991"], "peft.rank=9.007199255e+15", "lower"),
        (["method=dora", "peft.rank=1000000"], "peft.rank=1,000,000", "lower"),
        (["method=adalora", "peft.rank=1000000"], "peft.rank=1,000,000", "lower"),
        (["method=vera", "peft.rank=1000000"], "peft.rank=1,000,000", "lower"),
        (["method=vpt_shallow", "peft.prompts=1000000"], "peft.prompts=1,000,000", "lower"),
        (["method=vpt_deep", "peft.prompts=1000000"], "peft.prompts=1,000,000", "lower"),
        (["method=mimi", "train.batch_size=1000000"], "train.batch_size=1,000,000", "lower"),
        (["method=full", "train.batch_size=1000000"], "train.batch_size=1,000,000", "lower"),
    ],
)
def test_what_cannot_fit_is_refused_before_it_is_there(
    monkeypatch: pytest.MonkeyPatch, sets: list[str], setting: str, how: str
) -> None:
    """And what would fit is said, is true, and is not far from the most that does."""
    set_free(monkeypatch, GIB)
    prepared: list[RunConfig] = []
    method = make_config(sets=sets).method
    own = implementation(method)
    monkeypatch.setattr(
        needs, "implementation", lambda name: own if name == method else pytest.fail("another method was looked at")
    )

    def ask(*changed: str) -> None:
        config = make_config(sets=[*PLAIN, *sets, *changed])
        model, _, image_size, _, _ = build_model(config, 10, CPU)
        prepared.append(config)
        needs.refuse(model, config, image_size, needs.Free.of(CPU))

    with pytest.raises(ResourceError, match=re.escape(f"not enough memory: {setting} needs")) as told:
        ask()
    if "batch" not in setting:
        assert not prepared, "refused before anything was added to the backbone"
    assert "1.0 GiB are free" in str(told.value)
    fits = re.search(rf"{how} it: ([\d,.]+) would fit", str(told.value))
    assert fits
    most, path = int(fits[1].replace(",", "")), setting.partition("=")[0]
    assert most > 1
    ask(f"{path}={most}")
    with pytest.raises(ResourceError, match=path):
        ask(f"{path}={2 * most}")


def test_wide_adapters_are_refused_with_a_sigma_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = ["backbone=vit_tiny_patch16_224", "backbone.pretrained=false", "train.batch_size=1", "adapter.sigma_0=1"]
    config = make_config(sets=sets)
    set_free(monkeypatch, 70 * 2**20)
    with pytest.raises(ResourceError, match=r"adapter\.sigma_0=1 needs .*; raise it: ([\d.]+) would fit") as told:
        build_model(config, 10, CPU)
    fits = re.search(r"it: ([\d.]+) would fit", str(told.value))
    assert fits
    adapter = config.adapter.model_copy(update={"sigma_0": float(fits[1])})
    model, _, image_size, _, _ = build_model(config.model_copy(update={"adapter": adapter}), 10, CPU)
    assert sum(p.numel() for a in adapters_of(model).values() for p in a.parameters()) > 10_000
    needs.refuse(model, config, image_size, needs.Free.of(CPU))


def test_a_model_too_large_for_one_image_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    set_free(monkeypatch, 2**16)
    with pytest.raises(ResourceError, match=r"method=full on backbone test_vit needs .* even for a batch of one image"):
        built("method=full")


def test_a_gpu_needs_room_of_its_own() -> None:
    """Of two memories the scarcer one is told; the model is built in main memory and trains on the GPU."""
    need = needs.Needs(weights=100, training=1000, image=10)
    assert needs.Free(main=50).of_which(need, 60, 5) == (1150, 110)
    assert needs.Free(main=50, gpu=2000).of_which(need, 60, 5) == (100, 110)
    assert needs.Free(main=5000, gpu=500).of_which(need, 60, 5) == (1150, 500)
    assert needs.Free(main=20, trains=False).of_which(need, 60, 5) == (100, 80)


def test_the_check_before_launch_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_free(monkeypatch, GIB)
    report = check(make_config(preset="quick", sets=["method=lora", "peft.rank=1000000"]))
    assert not report.ok
    assert "peft.rank=1,000,000 needs about" in str(report.error)


def test_usual_runs_are_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small takes no time."""
    set_free(monkeypatch, 8 * GIB)
    monkeypatch.setattr(needs, "_needs_without_weights", lambda *_: pytest.fail("looked at without need"))
    for method in ("mimi", "lora", "full", "linear"):
        built(f"method={method}")


def test_an_address_space_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory._addresses_left() > 0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**45, 2**45))
    assert 0 < memory._addresses_left() < 2**45
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**20, 2**20))
    assert memory.free_bytes() == 0, "more is taken than that"
