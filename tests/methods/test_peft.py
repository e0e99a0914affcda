"""The methods of the PEFT library: what they change, what trains, and that AdaLoRA here is AdaLoRA there."""

import ast
import inspect
import sys
from itertools import pairwise
from pathlib import Path
from types import MethodType

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from mimi_core.adapters.attach import adapters_of
from mimi_core.errors import ConfigError
from mimi_core.methods import adalora, implementation, peft
from mimi_core.runs.events import EpochEnded, Event, Pruned, Ranked, RunStarted
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from mimi_core.train import cycle
from mimi_core.train.optim import make_optimizer
from tests.adapters.conftest import EDGE, tiny_vit

from .test_methods import config_of, images, prepared, small_swin, trained
from .test_runs import config_of as run_config_of

MAPS = [f"blocks.{i}.{name}" for i in (0, 1) for name in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
LORA = ("lora_A.default.weight", "lora_B.default.weight")


@pytest.mark.parametrize(
    ("method", "maps", "parts"),
    [
        ("lora", MAPS, LORA),
        ("dora", MAPS, (*LORA, "lora_magnitude_vector.default.weight")),
        ("adalora", MAPS, ("lora_A.default", "lora_B.default", "lora_E.default")),
        ("ia3", [name for name in MAPS if name.endswith(("qkv", "fc2"))], ("ia3_l.default",)),
        ("vera", MAPS, ("vera_lambda_b.default", "vera_lambda_d.default")),
        ("oft", MAPS, ("oft_R.default.weight",)),
    ],
)
def test_exactly_these_parts_of_these_maps_train(method: str, maps: list[str], parts: tuple[str, ...]) -> None:
    assert trained(prepared(method)) == {f"{name}.{part}" for name in maps for part in parts}


@pytest.mark.parametrize("method", ["lora", "adalora"])
def test_without_the_library_it_is_told_what_to_do(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match="pip install peft"):
        prepared(method)


@pytest.mark.parametrize(("positions", "expected"), [("attn", MAPS[:2] + MAPS[4:6]), ("mlp", MAPS[2:4] + MAPS[6:])])
def test_positions_choose_the_maps(positions: str, expected: list[str]) -> None:
    model = prepared("lora", f"adapter.positions={positions}")
    assert trained(model) == {f"{name}.{part}" for name in expected for part in LORA}


def test_all_blocks_of_a_deep_model_are_found() -> None:
    """PEFT shortens long lists of names on its own; what it makes of them must be the same maps."""
    model = small_swin()
    targets = list(peft.find_targets(model, EDGE, "both"))
    assert len(targets) == 12 * 4
    prepared("lora", model=model)
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    assert names == {f"{name}.{part}" for name in targets for part in LORA} | {"head.fc.weight", "head.fc.bias"}


def test_lora_is_the_paper_s_equation() -> None:
    model = prepared("lora", "peft.rank=3", "peft.alpha=12")
    layer, h = model.get_submodule("blocks.0.attn.qkv"), torch.randn(2, 5, 24)
    a, b = (getattr(layer, part)["default"].weight for part in ("lora_A", "lora_B"))
    assert a.shape == (3, 24)
    nn.init.normal_(b)
    torch.testing.assert_close(layer(h), layer.base_layer(h) + 12 / 3 * h @ a.T @ b.T)


@pytest.mark.parametrize("method", ["lora", "vera"])
def test_the_beginning_depends_on_the_seed_alone(method: str) -> None:
    models = [tiny_vit() for _ in range(3)]
    before = torch.random.get_rng_state()
    one, again, other = (prepared(method, f"seed={s}", model=m, seed=s) for s, m in zip((1, 1, 2), models, strict=True))
    assert torch.equal(torch.random.get_rng_state(), before), "nobody else's random numbers are touched"

    def drawn(model: nn.Module) -> Tensor:
        layer = model.get_submodule("blocks.0.attn.proj")
        return layer.vera_A["default"] if method == "vera" else layer.lora_A["default"].weight

    assert torch.equal(drawn(one), drawn(again))
    assert not torch.equal(drawn(one), drawn(other))


def test_scales_around_one_do_not_decay() -> None:
    model = prepared("ia3")
    decays = {id(p): group["weight_decay"] > 0 for group in _optimizer(model).param_groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if decays.get(id(p))} == {"head.weight"}


def test_maps_that_are_only_looked_into_are_left_alone() -> None:
    """An attention that uses its map's weight directly would never see what PEFT adds to the map."""

    class LooksInto(nn.Linear):
        def __init__(self) -> None:
            super().__init__(24, 24)
            self.inner = nn.Linear(24, 24)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.linear(x, self.inner.weight, self.inner.bias))

    model = tiny_vit()
    for block in model.blocks:
        block.attn.proj = LooksInto()
    assert "blocks.0.attn.proj.inner" not in peft.find_targets(model, EDGE, "both")
    assert "blocks.0.attn.proj" in peft.find_targets(model, EDGE, "both")


def test_a_backbone_without_linear_maps_in_its_blocks_is_refused() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn, self.mlp = (nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.mlp(self.attn(x))

    model = nn.Sequential(Block(), nn.Flatten(), nn.Linear(3 * EDGE**2, 4))
    with pytest.raises(ConfigError, match="no linear maps inside its attentions"):
        implementation("lora").prepare(model, config_of("lora"), EDGE, torch.Generator())


def test_a_backbone_that_peft_s_method_breaks_is_refused() -> None:
    """OFT takes what has four dimensions for the input of a convolution; some models have maps on `(B, H, W, M)`."""
    model = tiny_vit()
    for block in model.blocks:
        block.mlp.forward = MethodType(_on_maps, block.mlp)
    with pytest.raises(ConfigError, match=r"does not go with PEFT's oft .* such as lora"):
        prepared("oft", model=model)


def _on_maps(self: nn.Module, x: Tensor) -> Tensor:
    return self.fc2(F.gelu(self.fc1(x[:, None])))[:, 0]


@pytest.mark.parametrize("module", [peft, adalora])
def test_the_library_is_imported_only_when_it_is_used(module: object) -> None:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [name for node in at_once if (name := getattr(node, "module", "") or "").startswith("peft")]


# --- AdaLoRA ------------------------------------------------------------------------------------------------------

STEPS = 20


def _optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return make_optimizer(model, config_of("adalora", "train.lr=0.01").train)


def _loss(model: nn.Module) -> Tensor:
    return F.cross_entropy(model(images()), torch.tensor([0, 1]))


def test_adalora_allocates_as_peft_does_by_itself() -> None:
    """Against PEFT's own tuner, driven as its documentation says, with the penalty as a part of the loss."""
    from peft.tuners.adalora import AdaLoraModel

    ours, theirs, config = prepared("adalora", "peft.rank=4"), tiny_vit(), config_of("adalora", "peft.rank=4")
    tuner = AdaLoraModel(theirs, {"default": adalora._settings(config, STEPS, MAPS)}, "default")
    for parameter in theirs.get_classifier().parameters():  # type: ignore[operator]
        parameter.requires_grad_(True)
    theirs.load_state_dict(ours.state_dict())
    one, other = _optimizer(ours), _optimizer(theirs)
    adalora.begin(ours, one, config, STEPS, 0)
    budgets = []
    for step in range(1, STEPS + 1):
        one.zero_grad()
        _loss(ours).backward()
        one.step()
        budgets.append(sum(matrix.left for matrix in adalora.ranks(ours)))

        other.zero_grad()
        penalty = torch.stack([_gap(p, name) for name, p in theirs.named_parameters() if _is_direction(name)]).mean()
        (_loss(theirs) + adalora.ORTHOGONALITY * penalty).backward()
        other.step()
        tuner.update_and_allocate(step)
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5, msg=name)
    assert budgets[0] == 6 * len(MAPS)
    assert all(after <= before for before, after in pairwise(budgets))
    assert budgets[-7:] == [4 * len(MAPS)] * 7, "settled for the last three tenths"
    assert len({matrix.left for matrix in adalora.ranks(ours)}) > 1, "some matrices got more than others"


def _is_direction(name: str) -> bool:
    return ".lora_A." in name or ".lora_B." in name


def _gap(p: Tensor, name: str) -> Tensor:
    product = p @ p.T if ".lora_A." in name else p.T @ p
    return torch.norm(product - torch.eye(len(product)), p="fro")


def test_a_run_of_one_step_has_ranks_too() -> None:
    model = prepared("adalora", "peft.rank=4")
    optimizer = _optimizer(model)
    adalora.begin(model, optimizer, config_of("adalora", "peft.rank=4"), 1, 0)
    _loss(model).backward()
    optimizer.step()
    assert 0 < sum(matrix.left for matrix in adalora.ranks(model)) <= 4 * len(MAPS)


def test_adalora_ends_with_as_many_parameters_as_asked_for() -> None:
    """Within half a direction, of matrices of different sizes; the most important stay."""
    settings = ["peft.rank=4", "peft.parameters=1500"]
    model, optimizer_config = prepared("adalora", *settings), config_of("adalora", *settings)
    optimizer = _optimizer(model)
    at_start = adalora.ranks(model)
    adalora.begin(model, optimizer, optimizer_config, STEPS, 0)
    left = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        _loss(model).backward()
        optimizer.step()
        left.append(sum(m.cost * m.left for m in adalora.ranks(model)))
    assert all(after <= before for before, after in pairwise(left))
    assert abs(left[-1] - 1500) <= max(m.cost for m in at_start) / 2
    assert len(set(left[-7:])) == 1, "settled"
    whole = sum(m.cost * m.start for m in at_start)
    assert left[0] == whole
    assert adalora.keep(optimizer_config, at_start) == 1500 / whole
    with pytest.raises(ConfigError, match=r"peft\.parameters=1,000,000 is more than"):
        adalora.begin(model, optimizer, config_of("adalora", "peft.rank=4", "peft.parameters=1000000"), STEPS, 0)


def events_of(folder: Path, stop_after: int | None = None) -> list[Event]:
    """Of one attempt at a run, given up before the end of so many of its epochs was kept."""
    events = []
    with Recorder(folder) as recorder:
        recorder.state_is_due = lambda seconds=0.0: True  # type: ignore[method-assign]
        for event in cycle.run(Store(folder.parent).config(folder.name), recorder):
            recorder.emit(event)
            events.append(event)
            if sum(isinstance(e, EpochEnded) for e in events) == stop_after:
                break
    return events


def test_adalora_tells_its_ranks_and_resumes(tmp_path: Path) -> None:
    """Given up while the budget falls, and again when it is settled: the end is the same to the last digit."""
    settings = ["train.epochs=4", "peft.rank=4", "train.lr=0.01", "adapter.positions=mlp"]
    store, config = Store(tmp_path), run_config_of("adalora", *settings)
    whole, broken = (store.folder(store.create(config)) for _ in range(2))
    events = events_of(whole)
    events_of(broken, stop_after=2)
    events_of(broken, stop_after=3)
    resumed = events_of(broken)
    assert not any(isinstance(e, Pruned) for e in (*events, *resumed)), "nothing is cut"
    ends = [[e for e in found if isinstance(e, Ranked)] for found in (events, resumed)]
    assert [len(end) for end in ends] == [1, 1]
    told = ends[0][0]
    assert ends[1][0].ranks == told.ranks
    weights, again = (load_file(folder / "cycles" / "0" / "adapters.safetensors") for folder in (whole, broken))
    assert weights.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())

    started = events[0]
    assert isinstance(started, RunStarted)
    assert (started.keep_fractions, len(started.sites), set(started.initial_widths.values())) == ([4 / 6], 24, {6})
    assert sum(told.ranks.values()) == told.ranks_after <= 24 * 4 < told.ranks_before == 24 * 6
    first = started.sites[0]
    assert (first.name, first.position, first.width) == ("layers.0.blocks.0.mlp.fc1", "mlp", 32)
    assert first.cost == 32 + 4 * 32 + 1
    at_start = sum((site.cost or 0) * 6 for site in started.sites)
    assert started.trained_parameters == at_start + started.head_parameters
    left = sum((site.cost or 0) * told.ranks[site.name] for site in started.sites)
    assert (told.adapter_parameters, told.trained_parameters) == (left, left + started.head_parameters)
    state = store.state(whole.name)
    assert state.decides_ranks
    assert state.widths == [started.initial_widths, told.ranks]
    assert state.cuts[0].trained_parameters == told.trained_parameters
    assert state.accuracy(1, "cut") == state.accuracy(0, "trained") == state.last_accuracy
    assert not adapters_of(cycle.set_up(config, cycle.NoRecorder()).model)
