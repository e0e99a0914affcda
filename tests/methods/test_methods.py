"""Every way to fine-tune: exactly what it should train trains, and what should start as the identity does."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.backbones import torchvision_remedy  # noqa: F401  (before timm)

import timm  # isort: skip

from mimi_core.backbones.loading import demo_swin
from mimi_core.config import RunConfig, make_config
from mimi_core.config.methods import METHODS
from mimi_core.errors import ConfigError, MimiError
from mimi_core.methods import implementation
from mimi_core.methods.method import Method
from mimi_core.methods.ssf import fold_into_weights
from mimi_core.methods.vpt import Prompted
from tests.adapters.conftest import EDGE, tiny_vit

PROMPTS = ["vpt_shallow", "vpt_deep"]
HEAD = {"head.weight", "head.bias"}


def config_of(method: str, *sets: str) -> RunConfig:
    return make_config(sets=[f"method={method}", "adapter.sigma_0=4", *sets])


def prepared(method: str, *sets: str, model: nn.Module | None = None, seed: int = 1) -> nn.Module:
    model, config = model or tiny_vit(), config_of(method, *sets)
    implementation(config.method).prepare(model, config, EDGE, torch.Generator().manual_seed(seed))
    return model


def trained(model: nn.Module) -> set[str]:
    """Names of what trains besides the head."""
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert names >= HEAD
    return names - HEAD


def small_swin() -> nn.Module:
    torch.manual_seed(0)
    return demo_swin(num_classes=4, image_size=EDGE).eval()


def images() -> Tensor:
    return torch.randn(2, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(2))


def test_every_method_of_the_config_exists() -> None:
    assert all(isinstance(implementation(name), Method) for name in METHODS)


def test_methods_are_loaded_when_one_is_asked_for() -> None:
    look = "import sys, mimi_core.methods, mimi_core.config.methods; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("method", "is_trained"),
    [
        ("linear", lambda name: False),
        ("bitfit", lambda name: name.endswith(".bias")),
        ("attn_only", lambda name: ".attn." in name),
        ("mlp_only", lambda name: ".mlp." in name),
        ("full", lambda name: True),
    ],
)
def test_exactly_these_of_the_backbone_s_own_weights_train(method: str, is_trained: Callable[[str], bool]) -> None:
    before = {name for name, _ in tiny_vit().named_parameters()} - HEAD
    model = prepared(method)
    assert {name for name, _ in model.named_parameters()} - HEAD == before, "nothing is added"
    assert trained(model) == {name for name in before if is_trained(name)}


@pytest.mark.parametrize("model", [tiny_vit, small_swin], ids=["vit", "swin"])
@pytest.mark.parametrize("method", sorted(set(METHODS) - {*PROMPTS}))
def test_the_model_starts_as_it_was_and_all_that_trains_is_reached(method: str, model: Callable[[], nn.Module]) -> None:
    before, after = model(), prepared(method, model=model())
    outputs = after(images())
    torch.testing.assert_close(outputs, before(images()), rtol=0, atol=1e-6)
    step(after, 0.1)
    F.cross_entropy(after(images()), torch.tensor([0, 1])).backward()
    unreached = {name for name, p in after.named_parameters() if p.requires_grad and p.grad is None}
    assert not unreached
    assert all(p.grad is None for p in after.parameters() if not p.requires_grad)


def step(model: nn.Module, size: float) -> None:
    """Away from the start, where some gradients are still zero."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += size * torch.randn(p.shape, generator=generator)


def test_adaptformer_is_the_paper_s_equation() -> None:
    model = prepared("adaptformer", "adapter.init=paper")
    assert trained(model) == {f"blocks.{i}.mlp.adapter.{part}" for i in (0, 1) for part in ("down", "up")}
    module, h = model.get_submodule("blocks.0.mlp"), torch.randn(2, 5, 24)
    adapter = module.adapter
    assert adapter.down.shape == (6, 24)
    expected = module.base(h) + 0.1 * F.gelu(h @ adapter.down.T) @ adapter.up.T
    torch.testing.assert_close(module(h), expected)


def test_ssf_scales_and_shifts_behind_every_operation() -> None:
    model = prepared("ssf")
    operations = {name.removesuffix(".scale") for name in trained(model) if name.endswith(".scale")}
    in_blocks = {"norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}
    assert operations == {f"blocks.{i}.{part}" for i in (0, 1) for part in in_blocks} | {"patch_embed.proj", "norm"}
    qkv, h = model.get_submodule("blocks.0.attn.qkv"), torch.randn(2, 5, 24)
    with torch.no_grad():
        qkv.scale.fill_(2.0)
        qkv.shift.fill_(3.0)
    torch.testing.assert_close(qkv(h), 2 * F.linear(h, qkv.weight, qkv.bias) + 3)


@pytest.mark.parametrize("model", [tiny_vit, small_swin], ids=["vit", "swin"])
def test_ssf_can_be_folded_away(model: Callable[[], nn.Module]) -> None:
    bare, tuned = model(), prepared("ssf", "adapter.init=paper", model=model())
    step(tuned, 0.1)
    expected = tuned(images())
    assert not torch.allclose(expected, bare(images()), atol=1e-3)
    fold_into_weights(tuned)
    torch.testing.assert_close(tuned(images()), expected, rtol=1e-4, atol=1e-4)
    assert {name for name, _ in tuned.named_modules()} == {name for name, _ in bare.named_modules()}


def test_shallow_prompts_are_tokens_beside_the_image_s() -> None:
    """Against the model's own parts, called one after the other."""
    model = prepared("vpt_shallow", "peft.prompts=3")
    assert trained(model) == {"blocks.0.prompts"}
    bare, x = tiny_vit(), images()
    prompts = model.blocks[0].prompts
    tokens = bare._pos_embed(bare.patch_embed(x))
    out = bare.blocks(torch.cat([tokens, prompts.expand(2, -1, -1)], 1))
    torch.testing.assert_close(model(x), bare.forward_head(bare.norm(out)))


def test_deep_prompts_are_new_in_every_block() -> None:
    model = prepared("vpt_deep", "peft.prompts=3")
    assert trained(model) == {"blocks.0.prompts", "blocks.1.prompts"}
    bare, x = tiny_vit(), images()
    tokens = bare._pos_embed(bare.patch_embed(x))
    for prompted, block in zip(model.blocks, bare.blocks, strict=True):
        assert isinstance(prompted, Prompted)
        tokens = block(torch.cat([tokens, prompted.prompts.expand(2, -1, -1)], 1))[:, : tokens.shape[1]]
    torch.testing.assert_close(model(x), bare.forward_head(bare.norm(tokens)))


@pytest.mark.parametrize("method", PROMPTS)
def test_prompts_begin_by_the_seed_and_are_reached(method: str) -> None:
    one, again, other = (prepared(method, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.blocks[0].prompts, again.blocks[0].prompts)
    assert not torch.equal(one.blocks[0].prompts, other.blocks[0].prompts)
    bound = (6 / (3 * 8 * 8 + 24)) ** 0.5
    assert 0.5 * bound < one.blocks[0].prompts.abs().max().item() <= bound
    F.cross_entropy(one(images()), torch.tensor([0, 1])).backward()
    assert all(p.grad is not None for p in one.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("swin", {}),
        ("cait_xxs24_224", {"img_size": 32, "depth": 1}),  # its last blocks look at the class token alone
        ("beit_base_patch16_224", {"img_size": 32, "depth": 1, "embed_dim": 24, "num_heads": 2}),  # a bias per position
        ("pvt_v2_b0", {"depths": (1, 1, 1, 1), "embed_dims": (8, 16, 16, 16), "num_heads": (1, 1, 1, 1)}),
    ],
)
@pytest.mark.parametrize("method", PROMPTS)
def test_prompts_are_refused_where_they_cannot_join(method: str, name: str, arguments: dict[str, object]) -> None:
    model = small_swin() if name == "swin" else timm.create_model(name, num_classes=4, **arguments)
    with pytest.raises(ConfigError, match="choose a plain Vision Transformer, such as vit_small"):
        prepared(method, model=model)


def test_a_backbone_without_what_is_to_be_trained_is_refused() -> None:
    no_bias = nn.Sequential(nn.Flatten(), nn.Linear(3 * EDGE * EDGE, 4))
    no_bias.get_classifier = lambda: no_bias[1]  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"Sequential has none; choose another method"):
        implementation("bitfit").prepare(no_bias, config_of("bitfit"), EDGE, torch.Generator())
    for method in ("attn_only", "mlp_only", "adaptformer"):
        with pytest.raises(MimiError, match="choose a Vision Transformer"):
            implementation(method).prepare(no_bias, config_of(method), EDGE, torch.Generator())
