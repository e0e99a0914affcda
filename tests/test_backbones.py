"""Backbones: bundled, by name, and from local files that may be of another size, another model, or hostile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.backbones.loading import load_backbone
from mimi_core.config import BackboneConfig
from mimi_core.data.sources.fashion_mnist import CLASS_NAMES
from mimi_core.errors import BackboneError
from mimi_core.resources import BACKBONES, DEMO_BACKBONE
from mimi_core.study.plan import TASKS

VIT = "vit_tiny_patch16_224"


def small_vit(edge: int = 32) -> nn.Module:
    torch.manual_seed(5)
    model: nn.Module = timm.create_model(VIT, img_size=edge, num_classes=1000)
    return model


def as_safetensors(model: nn.Module, folder: Path) -> Path:
    save_file(model.state_dict(), folder / "vit.safetensors")
    return folder / "vit.safetensors"


def as_training_checkpoint(model: nn.Module, folder: Path) -> Path:
    """As many training scripts leave it: nested, and with the prefix of a data-parallel wrapper."""
    weights = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"model": weights, "epoch": 3}, folder / "vit.pth")
    return folder / "vit.pth"


def test_the_bundled_backbone() -> None:
    backbone = load_backbone(BackboneConfig(name="demo"), num_classes=7)
    assert (backbone.image_size, backbone.warnings) == (64, ())
    assert DEMO_BACKBONE.stat().st_size < 8_000_000
    with torch.no_grad():
        assert backbone.model(torch.zeros(1, 3, 64, 64)).shape == (1, 7)
    random = load_backbone(BackboneConfig(name="demo", pretrained=False), num_classes=7)
    assert "random weights" in random.warnings[0]
    differing = [
        n for n, p in random.model.named_parameters() if not torch.equal(p, dict(backbone.model.named_parameters())[n])
    ]
    assert "layers.2.blocks.3.mlp.fc1.weight" in differing


def test_random_numbers_come_from_the_seed_alone() -> None:
    config = BackboneConfig(name="demo")
    before = torch.get_rng_state()
    heads = [load_backbone(config, 5, seed).model.get_classifier().weight for seed in (0, 0, 1)]  # type: ignore[operator]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert torch.equal(torch.get_rng_state(), before), "the caller's random stream is left alone"


@pytest.mark.parametrize("save", [as_safetensors, as_training_checkpoint])
def test_a_local_checkpoint(save: Callable[[nn.Module, Path], Path], tmp_path: Path) -> None:
    source = small_vit()
    config = BackboneConfig(name=VIT, checkpoint=save(source, tmp_path), image_size=32)
    loaded = load_backbone(config, num_classes=4)
    assert loaded.warnings == ()
    theirs = source.state_dict()
    mine = loaded.model.state_dict()
    assert mine["head.weight"].shape == (4, 192), "the head is new"
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs if not name.startswith("head."))


def test_position_embeddings_are_resampled_for_another_image_size(tmp_path: Path) -> None:
    source = small_vit(32)
    config = BackboneConfig(name=VIT, checkpoint=as_safetensors(source, tmp_path), image_size=64)
    loaded = load_backbone(config, num_classes=4)
    assert loaded.image_size == 64
    assert loaded.model.pos_embed.shape == (1, 1 + 16, 192)  # type: ignore[union-attr]
    torch.testing.assert_close(loaded.model.pos_embed[:, 0], source.pos_embed[:, 0])  # type: ignore[index]
    with torch.no_grad():
        assert loaded.model(torch.zeros(1, 3, 64, 64)).shape == (1, 4)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    file = as_safetensors(small_vit(), tmp_path)
    with pytest.raises(BackboneError, match="does not fit"):
        load_backbone(BackboneConfig(name="deit3_small_patch16_224", checkpoint=file), 4)
    with pytest.raises(BackboneError, match="does not fit"):
        load_backbone(BackboneConfig(name="demo", checkpoint=file), 4)


class Hostile:
    """What a pickle can do when it is trusted."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {os.environ['HOSTILE_MARK']}",)


def test_a_checkpoint_with_code_in_it_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE_MARK", str(tmp_path / "executed"))
    torch.save({"model": small_vit().state_dict(), "extra": Hostile()}, tmp_path / "evil.pth")
    with pytest.raises(BackboneError, match="holds code"):
        load_backbone(BackboneConfig(name=VIT, checkpoint=tmp_path / "evil.pth", image_size=32), 4)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x08\x00\x00\x00\x00\x00\x00\x00{}", b"PK\x03\x04 cut short"])
def test_a_broken_file_is_one_clear_error(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BackboneError) as caught:
        load_backbone(BackboneConfig(name=VIT, checkpoint=tmp_path / name, image_size=32), 4)
    assert "\n" not in str(caught.value)


def test_unknown_names_and_missing_files() -> None:
    with pytest.raises(BackboneError, match="vit_tiny_patch16_224"):
        load_backbone(BackboneConfig(name="vit_tiny_patch16_244"), 4)
    with pytest.raises(BackboneError, match="not found"):
        load_backbone(BackboneConfig(name=VIT, checkpoint=Path("absent.pth")), 4)
    with pytest.raises(BackboneError, match=r"cannot .* 8 pixels"):
        load_backbone(BackboneConfig(name=VIT, pretrained=False, image_size=8), 4)


def test_bundled_backbones_say_which_classes_they_saw() -> None:
    for name, file in BACKBONES.items():
        with safe_open(file, "pt") as weights:
            facts = weights.metadata()
        seen = set(facts.get("classes", "|".join(CLASS_NAMES)).split("|"))
        assert len(seen) == (5 if "half" in name else 10)
        for task in TASKS:
            if "half" in name and task.settings["data.name"] == "fashion-mnist":
                assert not seen & set(task.settings["data.classes"].split("|")), "the study's task is new to them"
        assert load_backbone(BackboneConfig(name=name), num_classes=4).image_size == 64
