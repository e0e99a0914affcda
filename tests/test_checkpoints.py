"""One model, saved in the ways people save it: the same features again, or a message that says what is wrong."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.backbones.loading import Backbone, load_backbone
from mimi_core.config import BackboneConfig
from mimi_core.errors import BackboneError
from mimi_core.resources import DEMO_BACKBONE

VIT, EDGE = "vit_tiny_patch16_224", 32
Weights = dict[str, Tensor]


def new(name: str = VIT, seed: int = 7, **changes: Any) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = timm.create_model(name, num_classes=5, img_size=EDGE, **changes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model.eval()


def features(model: Any) -> Tensor:
    images = torch.randn(2, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        given: Tensor = model.eval().forward_head(model.forward_features(images), pre_logits=True)
    return given


def loaded(path: Path, name: str = VIT, edge: int = EDGE) -> Backbone:
    return load_backbone(BackboneConfig(name=name, checkpoint=path, image_size=edge), 3)


def refusal(path: Path, name: str = VIT) -> str:
    with pytest.raises(BackboneError) as caught:
        loaded(path, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def saved(weights: object, path: Path) -> Path:
    if path.suffix == ".safetensors":
        assert isinstance(weights, dict)
        save_file({name: value.contiguous().clone() for name, value in weights.items()}, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "backbone.", "_orig_mod.", "module._orig_mod.", "model.encoder.vit."]
)
def test_prefixes_of_wrappers_are_taken_off(tmp_path: Path, prefix: str, suffix: str) -> None:
    model = new()
    path = saved({prefix + name: value for name, value in model.state_dict().items()}, tmp_path / f"a.{suffix}")
    backbone = loaded(path)
    assert backbone.warnings == ()
    torch.testing.assert_close(features(backbone.model), features(model))


def test_blocks_that_were_compiled_one_by_one(tmp_path: Path) -> None:
    model = new()
    weights = {re.sub(r"(blocks\.\d+\.)", r"\1_orig_mod.", name): v for name, v in model.state_dict().items()}
    torch.testing.assert_close(features(loaded(saved(weights, tmp_path / "a.safetensors")).model), features(model))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_what_is_beside_the_backbone_is_left_aside_and_said(tmp_path: Path, suffix: str) -> None:
    model = new()
    weights = {f"backbone.{name}": value for name, value in model.state_dict().items()}
    weights |= {"projector.0.weight": torch.zeros(3, 3), "projector.1.weight": torch.zeros(3)}
    backbone = loaded(saved(weights, tmp_path / f"a.{suffix}"))
    torch.testing.assert_close(features(backbone.model), features(model))
    (warning,) = backbone.warnings
    assert "left aside: projector.*.weight (2)" in warning


def test_two_models_in_one_file_are_not_guessed_between(tmp_path: Path) -> None:
    weights = {f"{who}.{name}": v for who in ("student", "teacher") for name, v in new().state_dict().items()}
    told = refusal(saved(weights, tmp_path / "a.pth"))
    assert "2 such models" in told
    assert "student., teacher." in told


BESIDE: dict[str, Callable[[Weights], object]] = {
    "Lightning": lambda w: {"state_dict": {f"model.{n}": v for n, v in w.items()}, "hyper_parameters": {"lr": 0.1}},
    "timm": lambda w: {"state_dict": w, "args": argparse.Namespace(lr=0.1), "metric": np.float64(77.1), "epoch": 1},
    "numpy": lambda w: {"model": w, "loss": np.float32(0.5), "epoch": np.int64(3), "best": np.bool_(True)},
    "nested": lambda w: {"model": {"state_dict": w}, "optimizer": {}},
    "model_state_dict": lambda w: {"model_state_dict": w},
    "averaged": lambda w: {"state_dict": {n: v * 2 for n, v in w.items()}, "state_dict_ema": w},
    "no average": lambda w: {"state_dict": w, "state_dict_ema": None},
}


@pytest.mark.parametrize("how", BESIDE)
def test_what_training_scripts_put_beside_the_weights(tmp_path: Path, how: str) -> None:
    model = new()
    backbone = loaded(saved(BESIDE[how](model.state_dict()), tmp_path / "a.pth.tar"))
    torch.testing.assert_close(features(backbone.model), features(model))


def test_old_names_of_numpy_are_read(tmp_path: Path) -> None:
    """As NumPy 1 wrote them: numpy.core where there is numpy._core today."""
    model = new()
    path = tmp_path / "a.pth"
    torch.save({"model": model.state_dict(), "metric": np.float64(1)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"cnumpy._core.multiarray\nscalar" in content
    path.write_bytes(content.replace(b"cnumpy._core.multiarray\nscalar", b"cnumpy.core.multiarray\nscalar"))
    torch.testing.assert_close(features(loaded(path).model), features(model))


class Custom:
    pass


def test_what_is_refused_is_named(tmp_path: Path) -> None:
    told = refusal(saved({"model": new().state_dict(), "config": Custom()}, tmp_path / "a.pth"))
    assert f"{Custom.__module__}.Custom" in told
    assert "never run" in told
    whole = refusal(saved(new(), tmp_path / "whole.pth"))
    assert "(timm." in whole
    assert "state_dict()" in whole


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], {"model": {}}, 7])
def test_a_file_without_weights(tmp_path: Path, content: object) -> None:
    assert "holds no weights by name" in refusal(saved(content, tmp_path / "a.pth"))


@pytest.mark.parametrize("pool", ["avg", "token"])
def test_pooling_is_that_of_the_checkpoint(tmp_path: Path, pool: str) -> None:
    other = {"avg": VIT, "token": "beit_base_patch16_224"}[pool]
    small = {} if pool == "avg" else {"depth": 12}
    model = new(other, global_pool=pool, **small)
    backbone = loaded(saved(model.state_dict(), tmp_path / "a.pth"), other)
    assert f"by '{pool}'" in backbone.warnings[0]
    torch.testing.assert_close(features(backbone.model), features(model))


def test_timms_filters_get_their_arguments(tmp_path: Path) -> None:
    """DeiT III as it was published: gamma_1 where timm says ls1.gamma, which timm's function renames only if asked."""
    name = "deit3_small_patch16_224"
    model = new(name)
    old = {re.sub(r"ls([12])\.gamma", r"gamma_\1", key): value for key, value in model.state_dict().items()}
    torch.testing.assert_close(features(loaded(saved({"model": old}, tmp_path / "a.pth"), name).model), features(model))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_what_is_no_number_is_found_by_name(tmp_path: Path, prefix: str, value: float, suffix: str) -> None:
    weights = {prefix + name: tensor.clone() for name, tensor in new().state_dict().items()}
    weights[f"{prefix}blocks.3.mlp.fc1.weight"][5, :2] = value
    told = refusal(saved(weights, tmp_path / f"a.{suffix}"))
    assert "blocks.3.mlp.fc1.weight (2 of 147,456 numbers)" in told
    assert f"a.{suffix} holds NaN or infinity" in told


def test_the_head_may_hold_anything(tmp_path: Path) -> None:
    weights = new().state_dict()
    weights["head.weight"][:] = float("nan")
    assert loaded(saved(weights, tmp_path / "a.pth")).warnings == ()


def test_nan_in_a_checkpoint_of_the_bundled_model(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(DEMO_BACKBONE)
    weights["layers.2.blocks.3.mlp.fc1.weight"][3] = float("nan")
    path = saved(weights, tmp_path / "a.safetensors")
    with pytest.raises(BackboneError, match=r"layers\.2\.blocks\.3\.mlp\.fc1\.weight"):
        load_backbone(BackboneConfig(name="demo", checkpoint=path), 3)


def test_resampling_and_cutting_are_said(tmp_path: Path) -> None:
    path = saved(new().state_dict(), tmp_path / "a.pth")
    (warning,) = loaded(path, edge=64).warnings
    assert "pos_embed, 1x5x192 to 1x17x192" in warning
    cut = loaded(path, edge=40).warnings
    assert len(cut) == 1  # of 40 pixels the same four patches are seen
    assert "sees 32: 8 rows and columns are cut off" in cut[0]
    assert "32 or 48" in cut[0]
    coarse = saved(new("vit_small_patch32_224").state_dict(), tmp_path / "b.pth")
    assert (
        "patches of 32 x 32 pixels and was resampled to 16 x 16" in loaded(coarse, "vit_small_patch16_224").warnings[0]
    )
    swin = loaded_swin(tmp_path)
    assert "relative_position_bias_table (12)" in swin[0]


def loaded_swin(folder: Path) -> tuple[str, ...]:
    """The bundled model's weights at twice its size, in windows that are as large."""
    from safetensors.torch import load_file

    weights = load_file(DEMO_BACKBONE)
    tables = [name for name in weights if name.endswith("relative_position_bias_table")]
    for name in tables:
        weights[name] = torch.zeros(13 * 13, weights[name].shape[1])
    path = saved(weights, folder / "swin.safetensors")
    return load_backbone(BackboneConfig(name="demo", checkpoint=path), 3).warnings


def without(pattern: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: value for name, value in weights.items() if not re.search(pattern, name)}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without(r"^blocks\.11"), "has 11 blocks and the model 12: it is cut off"),
        (lambda w: w | {f"blocks.12.{n[9:]}": v for n, v in w.items() if n.startswith("blocks.0.")}, "a deeper model"),
        (without("norm1"), r"24 weights are missing (blocks.*.norm1.weight (12), blocks.*.norm1.bias (12))"),
        (lambda w: w | {"blocks.0.ls1.gamma": torch.ones(192)}, "LayerScale"),
        (lambda w: w | {"blocks.0.attn.qkv.lora_A.weight": torch.ones(2, 2)}, "merge them"),
        (lambda w: w | {"decoder_embed.weight": torch.ones(2, 2)}, "decoder of a masked autoencoder"),
        (lambda w: w | {"reg_token": torch.ones(1, 4, 192)}, "Register tokens"),
        (lambda w: {f"x{n}": v for n, v in w.items()}, "No name is common"),
        (lambda w: w | {"patch_embed.proj.weight": torch.ones(192, 1, 16, 16)}, "images of 1 channels"),
        (lambda w: w | {"cls_token": torch.ones(1, 1, 384)}, "cls_token is 1 x 1 x 384, the model's 1 x 1 x 192"),
    ],
    ids=range(10),
)
def test_what_does_not_fit_is_told_by_kind_with_the_cause(
    tmp_path: Path, change: Callable[[Weights], Weights], told: str
) -> None:
    message = refusal(saved(change(dict(new().state_dict())), tmp_path / "a.pth"))
    assert told in message
    assert "does not fit" in message
