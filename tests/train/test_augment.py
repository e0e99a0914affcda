"""Random changes to training images, drop path, where the head starts: off unless asked for, and exact on resume."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from mimi_core.backbones.loading import drop_paths, load_backbone
from mimi_core.config import BackboneConfig, RunConfig, make_config
from mimi_core.data import pixels
from mimi_core.errors import BackboneError
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from mimi_core.runs.recorder import NoRecorder
from mimi_core.runs.store import Store
from mimi_core.train import augment, cycle, head, probe
from mimi_core.train.augment import Augment
from mimi_core.train.evaluate import predict_batches
from mimi_core.train.optim import learning_rate
from mimi_core.train.setup import build_model, set_up
from mimi_core.train.worker import work
from tests import warm
from tests.conftest import QUICK
from tests.warm import PATIENCE, ended

EVERYTHING = [
    "train.augment=randaugment", "train.mixup=0.8", "train.cutmix=1.0", "train.drop_path=0.2", "train.lr_floor=0.01",
    "train.head=probe", "train.device=cpu", "probe=false",
]  # fmt: skip


def of(epoch: int = 0, seed: int = 0, **settings: object) -> Augment:
    config = make_config(sets=[f"train.{key}={value}" for key, value in settings.items()])
    return Augment(config.train, seed, classes=5, image_size=32, epoch=epoch)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def test_off_it_touches_nothing_and_draws_nothing(images: torch.Tensor) -> None:
    before = torch.get_rng_state()
    inputs = images.float()
    assert of().images(images, torch.arange(6)) is images
    same = of().mixed(inputs, LABELS, 0)
    assert same[0] is inputs
    assert same[1] is LABELS
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["flip", "crop", "randaugment"])
def test_what_an_image_becomes_hangs_on_seed_epoch_and_image_alone(kind: str, images: torch.Tensor) -> None:
    before = torch.get_rng_state()
    whole = of(augment=kind).images(images, torch.arange(6))
    torch.rand(3)
    backwards = of(augment=kind).images(images.flip(0), torch.arange(6).flip(0)).flip(0)
    assert torch.equal(whole, backwards), "whatever batch it is in"
    assert whole.shape == images.shape
    assert whole.dtype == torch.uint8
    others = [of(augment=kind, epoch=1), of(augment=kind, seed=1)]
    assert all(not torch.equal(whole, other.images(images, torch.arange(6))) for other in others)
    torch.set_rng_state(before)
    of(augment=kind).images(images, torch.arange(6))
    assert torch.equal(torch.get_rng_state(), before), "dropout goes on as without"


def test_a_flip_is_a_flip_and_grey_pictures_have_three_channels_where_they_change(images: torch.Tensor) -> None:
    flipped = of(augment="flip").images(images, torch.arange(6))
    kinds = [(torch.equal(new, old), torch.equal(new, old.flip(2))) for new, old in zip(flipped, images, strict=True)]
    assert all(same or mirrored for same, mirrored in kinds)
    assert {same for same, _ in kinds} == {True, False}
    assert of(augment="randaugment").images(images[:, :1], torch.arange(6)).shape == (6, 3, 32, 32)


@pytest.mark.parametrize("settings", [{"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0}])
def test_blended_labels_go_with_blended_images(settings: dict[str, float], images: torch.Tensor) -> None:
    inputs = images.float()
    blended, targets = of(**settings).mixed(inputs, LABELS, 3)
    again = of(**settings).mixed(inputs, LABELS, 3)
    assert torch.equal(blended, again[0])
    assert torch.equal(targets, again[1])
    assert not torch.equal(blended, of(**settings).mixed(inputs, LABELS, 4)[0])
    assert torch.allclose(targets.sum(1), torch.ones(6))
    share = float(targets[1, 1])
    assert targets[1, 0] == pytest.approx(1 - share), "the image before it in the batch"
    if "cutmix" not in settings:
        assert torch.allclose(blended[1], share * inputs[1] + (1 - share) * inputs[0], atol=1e-3)


def test_drop_path_skips_blocks_of_a_frozen_backbone_while_training_only() -> None:
    config = make_config(preset="quick", sets=["train.drop_path=0.5", "method=adapter"])
    model = build_model(config, 10)[0]
    model.eval()
    inputs = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        calm = model(inputs)
        assert torch.equal(calm, model(inputs))
        plain = build_model(make_config(preset="quick", sets=["method=adapter"]), 10)[0].eval()
        assert torch.equal(calm, plain(inputs)), "the same weights, head included"
        rates = [path.train().drop_prob for path in drop_paths(model)]
        assert not torch.equal(model(inputs), model(inputs))
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(0.5)
    assert drop_paths(plain) == []


def test_a_model_without_drop_path_says_so() -> None:
    with pytest.raises(BackboneError, match=r"train.drop_path=0"):
        load_backbone(BackboneConfig(name="selecsls42", pretrained=False), 2, drop_path=0.1)


def test_the_learning_rate_ends_at_its_floor() -> None:
    config = make_config(sets=["train.lr=0.1", "train.lr_floor=0.01", "train.warmup=0.2"]).train
    rates = [learning_rate(step, 100, config) for step in range(101)]
    assert max(rates) == rates[20] == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.001)
    assert learning_rate(60, 100, make_config().train) == 5e-4 * 0.5 * (1 + np.cos(np.pi * 50 / 90))


def accuracy(model: nn.Module, split: pixels.Pixels, vision: object) -> float:
    told = [(logits.argmax(1) == labels) for logits, labels in predict_batches(model, split, vision)]  # type: ignore[arg-type]
    return float(torch.cat(told).float().mean())


def small(*sets: str) -> RunConfig:
    return make_config(preset="quick", sets=[*QUICK, "train.device=cpu", *sets])


def test_the_head_can_start_at_the_probe_or_at_nothing() -> None:
    setup = set_up(small("train.head=probe"), NoRecorder())
    made, classifier = probe._work_out(setup, lambda text: None)
    before = setup.model.state_dict()["head.fc.weight"].clone()
    head.start(setup)
    assert not torch.equal(before, setup.model.state_dict()["head.fc.weight"])
    assert accuracy(setup.model, setup.test, setup.vision) == pytest.approx(made.test_accuracy, abs=0.15)
    by_hand = set_up(small("train.head=probe"), NoRecorder())
    head.start(by_hand, classifier)
    for name in ("head.fc.weight", "head.fc.bias"):
        assert torch.allclose(setup.model.state_dict()[name], by_hand.model.state_dict()[name], atol=1e-4)
    zeros = set_up(small("train.head=zeros"), NoRecorder())
    head.start(zeros)
    assert not zeros.model.state_dict()["head.fc.weight"].any()


def test_two_classes_and_one_that_is_never_seen_make_a_whole_head() -> None:
    draw = np.random.default_rng(0)
    labels = np.repeat([0, 2], 20)
    features = draw.normal(size=(40, 3)) * [1, 5, 0.1] + labels[:, None]
    fitted = probe.fit((features, labels), (features, labels))
    weight, bias = fitted.affine(3)
    logits = features @ weight.T + bias
    assert np.array_equal(logits[:, [0, 2]].argmax(1) * 2, fitted.predict(features))
    assert not weight[1].any()
    assert bias[1] == bias.min()


def work_with_little_memory(run: Path) -> None:
    os.setsid()
    pixels.RESIDENT_SHARE, cycle.WITHIN_EPOCH = 0.0, 0.0
    work(run)


def test_a_run_killed_between_two_batches_goes_on_with_the_same_changes(tmp_path: Path) -> None:
    config = small(*EVERYTHING, "train.batch_size=6")
    store = Store(tmp_path)
    calm, killed = (store.folder(store.create(config, here=True)) for _ in range(2))
    assert ended(warm.start("work", str(calm))) == 0
    worker = warm.process(work_with_little_memory, killed)
    deadline = time.monotonic() + PATIENCE
    while len(read_events(killed / files.EVENTS).epochs) < 3:
        assert worker.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert ended(worker) == -signal.SIGKILL
    assert ended(warm.start("work", str(killed))) == 0
    for k in range(3):
        mine, theirs = (load_file(files.cycle_folder(run, k) / "adapters.safetensors") for run in (calm, killed))
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine), k


def test_torchvision_is_not_imported_where_nothing_changes() -> None:
    assert augment._transform("none", 8) is None
    assert augment._mixing(make_config().train, 3) is None
