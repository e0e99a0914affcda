"""AdaLoRA: one budget of ranks, moved to the matrices that need it while they train (arXiv 2303.10512), with PEFT.

Every matrix W becomes W + alpha / r * B diag(E) A, with 3/2 `peft.rank` directions at the start. The budget falls to
`peft.rank` directions a matrix on average by a cubic schedule: a tenth of the steps come before it, three tenths are
for settling at its end. The entries of E of the least important directions are set to zero after every step; they may
come back until the budget has reached its end. With `peft.parameters` the budget counts parameters, of which directions
of large matrices have more, and ends within half a direction of that number.

What is left is told at the end as one cut: a direction whose E is not zero counts as a neuron does elsewhere.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.errors import ConfigError
from mimi_core.methods.method import Method, RankedMatrix, Ranking
from mimi_core.methods.peft import NAME, find_targets, inject, require_library

BEFORE, SETTLING = 0.1, 0.3
"""Shares of all steps."""
ORTHOGONALITY = 0.5
"""Weight of the mean of |A A^T - I| and |B^T B - I|, PEFT's default."""
AVERAGES = ("exp_avg_ipt", "exp_avg_unc")
"""PEFT's names of what it remembers: smoothed |weight * gradient|, and its uncertainty."""


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    require_library()
    targets = find_targets(model, image_size, config.adapter.positions)
    inject(model, image_size, _settings(config, steps=100, targets=list(targets)), generator)
    for name, site in targets.items():
        model.get_submodule(name).site = site  # type: ignore[assignment]
    return []


def begin(model: nn.Module, optimizer: Optimizer, config: RunConfig, steps: int, done: int) -> None:
    """Move the budget after every step of the optimiser, and keep directions orthogonal.

    What is remembered between steps is kept in the optimiser's state, so that safe states hold it.
    """
    from peft.tuners.adalora.layer import RankAllocator

    settings = _settings(config, steps)
    allocator, last = RankAllocator(model, settings, NAME), steps - settings.tfinal
    if config.peft.parameters is not None:
        _count_parameters(allocator, model, config.peft.parameters)
    named = {name: p for name, p in model.named_parameters() if ".lora_" in name}
    for name, p in named.items():
        if AVERAGES[0] in optimizer.state.get(p, {}):
            allocator.ipt[name] = torch.zeros_like(p)
            for kind in AVERAGES:
                getattr(allocator, kind)[name] = optimizer.state[p][kind]
    left = {name: (p != 0).flatten().tolist() for name, p in named.items() if ".lora_E." in name}  # where it is settled

    def before_step(*_: Any) -> None:
        for p, gradient in _orthogonality(model):
            p.grad = gradient if p.grad is None else p.grad + gradient

    def after_step(*_: Any) -> None:
        nonlocal done, left
        done += 1
        if done > last:
            allocator.mask_using_rank_pattern(model, left)
            return
        if not allocator.ipt:  # so that a run of very few steps has something to rank
            allocator.update_ipt(model)
        left = allocator.update_and_allocate(model, done, force_mask=done == last)[1] or left
        for name, p in named.items():
            optimizer.state[p].update({kind: getattr(allocator, kind)[name] for kind in AVERAGES})

    optimizer.register_step_pre_hook(before_step)
    optimizer.register_step_post_hook(after_step)


def ranks(model: nn.Module) -> list[RankedMatrix]:
    return [
        RankedMatrix(
            site=layer.site,
            matrix=name,
            start=len(layer.lora_E[NAME]),
            left=int(layer.lora_E[NAME].count_nonzero()),
            cost=layer.in_features + layer.out_features + 1,
        )
        for name, layer in _layers(model)
    ]


def keep(config: RunConfig, matrices: Sequence[RankedMatrix]) -> float:
    if config.peft.parameters is not None:
        return min(1.0, config.peft.parameters / sum(m.cost * m.start for m in matrices))
    return config.peft.rank / _start(config)


def _count_parameters(allocator: Any, model: nn.Module, target: int) -> None:
    """Let PEFT's allocator keep a budget of parameters instead of directions; importance and schedule stay its own.

    Raises:
        ConfigError: the directions at the start have fewer.
    """
    layers, matrices = dict(_layers(model)), ranks(model)
    start = sum(m.cost * m.start for m in matrices)
    if target > start:
        raise ConfigError(
            f"peft.parameters={target:,} is more than the {start:,} of the directions at the start: raise peft.rank"
        )
    allocator.init_bgt, allocator.target_bgt = start, target
    costs = torch.cat([torch.full((m.start,), m.cost) for m in matrices])
    parts = [[f"{name}.lora_{part}.{NAME}" for part in "EAB"] for name in layers]

    def importance(e: str, a: str, b: str) -> Tensor:
        """(directions,), as `RankAllocator.mask_to_budget` has it."""
        of = allocator._element_score
        vectors = torch.stack([of(a).mean(dim=1), of(b).mean(dim=0)], dim=1)
        return allocator._combine_ipt(of(e), vectors)

    def mask_to_budget(model: nn.Module, budget: int) -> dict[str, list[bool]]:
        order = torch.cat([importance(*names) for names in parts]).argsort(descending=True, stable=True).cpu()
        until = costs[order].cumsum(0) - costs[order] / 2  # what crosses the line stays if most of it is within
        kept = torch.zeros(len(costs), dtype=torch.bool)
        kept[order[until <= budget]] = True
        pattern = {
            e: own.tolist() for (e, _, _), own in zip(parts, kept.split([m.start for m in matrices]), strict=True)
        }
        allocator.mask_using_rank_pattern(model, pattern)
        return pattern

    allocator.mask_to_budget = mask_to_budget


def _settings(config: RunConfig, steps: int, targets: list[str] | None = None) -> Any:
    from peft import AdaLoraConfig

    return AdaLoraConfig(
        init_r=_start(config),
        target_r=config.peft.rank,
        lora_alpha=config.peft.alpha,  # type: ignore[arg-type]  # a factor, need not be whole
        tinit=int(BEFORE * steps),
        tfinal=int(SETTLING * steps),
        total_step=steps,
        target_modules=targets,
    )


def _start(config: RunConfig) -> int:
    return config.peft.rank + -(-config.peft.rank // 2)


def _layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, part) for name, part in model.named_modules() if hasattr(part, "lora_E") and hasattr(part, "site"))


def _orthogonality(model: nn.Module) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Every A and B with the gradient of the penalty."""
    directions = [m for _, layer in _layers(model) for m in (layer.lora_A[NAME], layer.lora_B[NAME])]
    with torch.enable_grad():
        penalties = []
        for m in directions:
            products = m @ m.T if len(m) < m.shape[1] else m.T @ m
            penalties.append((products - torch.eye(len(products), device=m.device)).norm())
        penalty = ORTHOGONALITY * torch.stack(penalties).mean()
        gradients = torch.autograd.grad(penalty, directions)
    return zip(directions, gradients, strict=True)


METHOD = Method(prepare, ranking=Ranking(begin, ranks, keep))
