"""How much memory a run needs, known from shapes alone: what cannot fit is refused before it is allocated.

A copy of the backbone without any weights (on torch's meta device) is prepared as the model would be, and looks at
images of nothing; what its parameters and activations would take is counted. Where a config asks for little that is
not done, and the model itself is measured.
"""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from mimi_core.adapters.attach import adapters_of, head_parameters
from mimi_core.config import RunConfig
from mimi_core.config.methods import METHODS
from mimi_core.data.memory import free_bytes
from mimi_core.errors import MimiError, ResourceError
from mimi_core.methods import implementation
from mimi_core.scores.catalogue import SCORES

FLOAT = 4
MOMENTS = {"adamw": 2, "sgd": 1}
"""Numbers that an optimiser remembers of a parameter."""
RANKING = 3
"""Numbers that a method which moves ranks remembers of a parameter: its importance, smoothed, and how uncertain."""
LARGE_SHARE, LARGE_IMAGE, MANY_PROMPTS = 0.25, 512, 500
"""From there on a model is looked at without its weights first."""
LARGEST = 10**8
"""Ranks and prompts are tried up to there, so that no product of shapes overflows."""
_CHOICES = {"peft.rank": (1.0, "lower"), "peft.prompts": (1.0, "lower"), "adapter.sigma_0": (1e6, "raise")}
"""Settings that decide how much is added to a backbone: the value that adds the least, and where it lies."""


@dataclass(frozen=True)
class Needs:
    """Bytes of memory.

    Attributes:
        weights: of the whole model.
        training: gradients, what the optimiser remembers, what is watched for scores, and what a forward pass keeps
            however many images it sees.
        image: what it keeps of each image of a batch until the backward pass.
    """

    weights: int
    training: int
    image: int

    def with_batch(self, images: int) -> int:
        return self.weights + self.training + images * self.image


@dataclass(frozen=True)
class Free:
    """Bytes that are free: of main memory, where every model is built, and of the GPU that trains it, if there is one.

    Attributes:
        trains: whether the model will train, and not only be asked.
    """

    main: int
    gpu: int | None = None
    trains: bool = True

    @classmethod
    def of(cls, device: torch.device | None) -> "Free":
        """`device`: where the model will train; None: nowhere."""
        on_gpu = torch.cuda.mem_get_info(device)[0] if device is not None and device.type == "cuda" else None
        return cls(free_bytes(), on_gpu, device is not None)

    def of_which(self, needs: Needs, there: int, batch: int) -> tuple[int, int]:
        """What is needed, and what is free for it, where that is scarcest.

        Args:
            there: bytes of main memory that are part of it and taken already.
        """
        whole = needs.with_batch(batch) if self.trains else needs.weights
        main = (whole if self.gpu is None else needs.weights), self.main + there
        return main if self.gpu is None else min(main, (whole, self.gpu), key=lambda pair: pair[1] - pair[0])


@dataclass(frozen=True)
class _Asked:
    """What a config asks for, and how to find what would fit instead.

    Attributes:
        needs_of: of another config; None where that cannot be known.
    """

    config: RunConfig
    needs: Needs
    needs_of: Callable[[RunConfig], Needs | None]
    free: Free
    there: int

    def spare(self, needs: Needs, batch: int | None = None) -> int:
        """Bytes that would be left; less than none where it does not fit."""
        needed, free = self.free.of_which(needs, self.there, batch or self.config.train.batch_size)
        return free - needed


def foresee(model: nn.Module, config: RunConfig, image_size: int, free: Free) -> None:
    """Refuse what cannot fit, before anything is added to the backbone.

    Args:
        model: the backbone with its head; it is left as it is.

    Raises:
        ResourceError: it says which setting asks for how much, and what would fit.
    """
    if not _asks_for_much(model, config, image_size, free):
        return

    def needs_of(other: RunConfig) -> Needs | None:
        return _needs_without_weights(model, other, image_size)

    if needs := needs_of(config):
        _refuse(_Asked(config, needs, needs_of, free, _weights(model)))


def refuse(model: nn.Module, config: RunConfig, image_size: int, free: Free) -> None:
    """The same of a whole model, which is there and measured.

    Raises:
        ResourceError: as `foresee`.
    """
    needs = image_size > LARGE_IMAGE and _without_memory(lambda: measured(_without_weights(model), config, image_size))
    needs = needs or measured(model, config, image_size)
    _refuse(_Asked(config, needs, lambda _: None, free, _weights(model)))


def measured(model: nn.Module, config: RunConfig, image_size: int) -> Needs:
    """Of a model as it is prepared for a method; on the meta device as well. It looks at one image, and at two."""
    trained = [p for p in model.parameters() if p.requires_grad]
    numbers = sum(p.numel() for p in trained)
    remembered = (1 + MOMENTS[config.train.optimizer]) * numbers
    if implementation(config.method).ranking:
        remembered += RANKING * (numbers - sum(p.numel() for p in head_parameters(model)))
    kept = [per for score in SCORES.values() for per in score.watch.keeps.values()]
    per_parameter = sum(per == "parameter" for per in kept)
    watched = sum(per_parameter * p.numel() for adapter in adapters_of(model).values() for p in adapter.parameters())
    one, two = _kept_by_a_forward(model, 1, image_size), _kept_by_a_forward(model, 2, image_size)
    image = max(0, two - one)
    pixels = 3 * image_size**2 * FLOAT
    return Needs(_weights(model), FLOAT * (remembered + watched) + max(0, one - image), image + pixels)


def _weights(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))


def _kept_by_a_forward(model: nn.Module, images: int, image_size: int) -> int:
    """Bytes that are kept for the backward pass, without the parameters themselves."""
    storages = {p.untyped_storage()._cdata for p in model.parameters()}
    alive: list[Any] = []  # so that no identity is used twice
    kept = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        storage = tensor.untyped_storage()
        if storage._cdata not in storages:
            storages.add(storage._cdata)
            alive.append(storage)
            kept += tensor.numel() * tensor.element_size()
        return tensor

    like = next(model.parameters())
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model.eval()(like.new_zeros(images, 3, image_size, image_size))
    return kept


# --- without weights --------------------------------------------------------------------------------------------------


def _asks_for_much(model: nn.Module, config: RunConfig, image_size: int, free: Free) -> bool:
    """By a bound that needs no forward pass, on what any method of the catalogue adds."""
    uses = METHODS[config.method].may_use
    sides = [len(p) + p[0].numel() for p in model.parameters() if p.ndim > 1 and p.numel()]
    each = 2 * config.peft.rank * uses("peft.rank") + config.peft.prompts * uses("peft.prompts")
    beside = (1 if config.adapter.widths else 1 / config.adapter.sigma_0) * uses("adapter.sigma_0")
    added = sum(side * (each + side * beside + 1) for side in sides)
    room = free.main if free.gpu is None else min(free.main, free.gpu)
    large = FLOAT * 8 * added > LARGE_SHARE * room
    return large or image_size > LARGE_IMAGE or config.peft.prompts * uses("peft.prompts") > MANY_PROMPTS


def _needs_without_weights(model: nn.Module, config: RunConfig, image_size: int) -> Needs | None:
    """None where the model cannot be looked at so, or the method not be prepared; the real one will tell why."""
    peft = {name: min(getattr(config.peft, name), LARGEST) for name in ("rank", "prompts")}  # what shapes follow from
    config = config.model_copy(update={"peft": config.peft.model_copy(update=peft)})

    def look() -> Needs:
        empty = _without_weights(model)
        implementation(config.method).prepare(empty, config, image_size, torch.Generator("cpu"))
        return measured(empty, config, image_size)

    return _without_memory(look)


def _without_memory(look: Callable[[], Needs]) -> Needs | None:
    """What `look` finds on the meta device; None where a model needs real numbers."""
    try:
        with torch.device("meta"), _Fused(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they will come with the real model
            return look()
    except (MimiError, RuntimeError, ValueError, TypeError, NotImplementedError):
        return None


def _without_weights(model: nn.Module) -> nn.Module:
    """A copy on the meta device; nothing of its weights is copied."""
    parameters = {id(p): nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad) for p in model.parameters()}
    buffers = {id(b): torch.empty_like(b, device="meta") for b in model.buffers()}
    return copy.deepcopy(model, {**parameters, **buffers})


class _KeptByFused(torch.autograd.Function):
    """What fused attention keeps: queries, keys, values and the output, and no matrix of all pairs of tokens."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, output)
        return output


class _Fused(TorchFunctionMode):
    """On the meta device torch would take the attention that is not fused."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        given = dict(zip(("query", "key", "value"), args, strict=False)) | (kwargs or {})
        return _KeptByFused.apply(given["query"], given["key"], given["value"])  # type: ignore[no-untyped-call]


# --- in words ---------------------------------------------------------------------------------------------------------


def _refuse(asked: _Asked) -> None:
    """Raises a ResourceError where it does not fit: which setting asks for too much, how much, and what would fit."""
    config, needs = asked.config, asked.needs
    if asked.spare(needs) >= 0:
        return
    needed, free = asked.free.of_which(needs, asked.there, config.train.batch_size)
    sizes = f"about {_gib(needed)} of memory, and {_gib(free)} are free"
    for path, (least, how) in _CHOICES.items():
        value = _value(config, path)
        if METHODS[config.method].may_use(path) and (most := _fitting(asked, path, least)):
            more = "more than " if value > LARGEST else ""
            raise ResourceError(
                f"not enough memory: {path}={value:,.10g} needs {more}{sizes}; {how} it: {most:,.10g} would fit"
            )
    if asked.free.trains and asked.spare(needs, 1) >= 0:
        most = _two_digits(1 + asked.spare(needs, 1) / needs.image)
        raise ResourceError(
            f"not enough memory: train.batch_size={config.train.batch_size:,} needs {sizes}; lower it: {most:,.0f} "
            "would fit, and more with a lower backbone.image_size"
        )
    least = needs.with_batch(1) if asked.free.trains else needs.weights
    even = " even for a batch of one image" if asked.free.trains else ""
    raise ResourceError(
        f"not enough memory: method={config.method} on backbone {config.backbone.name} needs about {_gib(int(least))}"
        f"{even}, and {_gib(free)} are free; choose a smaller backbone, a lower backbone.image_size, or a method that "
        "trains less"
    )


def _fitting(asked: _Asked, path: str, least: float) -> float | None:
    """The largest round value that fits (for `adapter.sigma_0`, the smallest); None where not even `least` does.

    What is needed grows about linearly with it, or with its inverse, so that two looks tell where it lies.
    """
    inverse = path == "adapter.sigma_0"

    def spare(amount: float) -> int:
        section, _, name = path.partition(".")
        part = getattr(asked.config, section).model_copy(update={name: 1 / amount if inverse else int(amount)})
        needs = asked.needs_of(asked.config.model_copy(update={section: part}))
        return -1 if needs is None else asked.spare(needs)

    value = _value(asked.config, path)
    small, large = (1 / least, 1 / value) if inverse else (least, min(value, LARGEST))
    if small >= large or (at_least := spare(small)) < 0:
        return None
    slope = (asked.spare(asked.needs) - at_least) / (large - small)
    amount = small - at_least / slope if slope < 0 else small
    for _ in range(6):
        rounded = 1 / _two_digits(1 / amount, up=True) if inverse else _two_digits(amount)
        if rounded > small and spare(rounded) >= 0:
            return 1 / rounded if inverse else rounded
        amount *= 0.7
    return least


def _two_digits(value: float, up: bool = False) -> float:
    """Rounded to two digits, never beyond it; at least 1."""
    if value < 1:
        return 1
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return float((math.ceil if up else math.floor)(value / unit) * unit)


def _value(config: RunConfig, path: str) -> float:
    section, _, name = path.partition(".")
    return float(getattr(getattr(config, section), name))


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
