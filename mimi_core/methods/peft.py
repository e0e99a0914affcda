"""The methods of the PEFT library, on the linear maps inside attention and MLP (as `adapter.positions` says).

    lora      W + alpha / r * B A                                  Hu et al. 2022, arXiv 2106.09685
    dora      the same, its columns' lengths trained apart         Liu et al. 2024, arXiv 2402.09353
    adalora   see `adalora.py`
    ia3       scales on what attention and MLP pass on             Liu et al. 2022, arXiv 2205.05638
    vera      random B and A, shared and frozen; scales train      Kopiczko et al. 2024, arXiv 2310.11454
    oft       W turned by an orthogonal matrix of r blocks         Qiu et al. 2023, arXiv 2306.07280

The library is imported when a run needs it: that takes seconds.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, nn

from mimi_core.adapters.attach import head_parameters
from mimi_core.adapters.sites import Site, called_modules, find_sites
from mimi_core.config import Positions, RunConfig
from mimi_core.errors import ConfigError
from mimi_core.methods.method import Method

NAME = "default"
"""Of the set of weights; PEFT can hold several."""
Targets = dict[str, Site]
"""Name of a linear map -> the site in whose module it is, in the model's order."""


def find_targets(model: nn.Module, image_size: int, positions: Positions) -> Targets:
    """The linear maps that a forward calls; some models only look into theirs, and would never see a change.

    Raises:
        ConfigError: there is none.
    """
    called = called_modules(model, image_size)
    targets = {
        name: site
        for site in find_sites(model, image_size, positions)
        for name, part in called.items()
        if name.startswith(f"{site.name}.") and isinstance(part, nn.Linear)
    }
    if not targets:
        raise ConfigError(
            f"{type(model).__name__} has no linear maps inside its attentions and MLPs that this method could change; "
            "choose another method, such as adapter"
        )
    return targets


def inject(model: nn.Module, image_size: int, settings: Any, generator: Generator) -> None:
    """Let PEFT change the model in place; what it adds and the head train, weights depend on the generator alone.

    Raises:
        ConfigError: PEFT will not, or the model cannot look at an image any more.
    """
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        try:
            PEFT_TYPE_TO_TUNER_MAPPING[settings.peft_type](model, settings, adapter_name=NAME)
            called_modules(model, image_size)
        except (ValueError, RuntimeError) as error:
            kind, why = settings.peft_type.value.lower(), str(error)[:150]
            raise ConfigError(
                f"{type(model).__name__} does not go with PEFT's {kind} ({why}); choose another method, such as lora"
            ) from error
    for parameter in head_parameters(model):
        parameter.requires_grad_(True)


def _lora(config: RunConfig, targets: Targets) -> Any:
    from peft import LoraConfig

    dora = config.method == "dora"
    return LoraConfig(
        r=config.peft.rank,
        lora_alpha=config.peft.alpha,  # type: ignore[arg-type]  # a factor, need not be whole
        use_dora=dora,
        target_modules=list(targets),
    )


def _ia3(config: RunConfig, targets: Targets) -> Any:
    """Scales behind the maps into the attention (the paper's keys and values; most ViTs fuse the queries with them),
    and before the last map of the MLP."""
    from peft import IA3Config

    names = list(targets)
    last = {site.name: name for name, site in targets.items()}
    mlp = [name for name in names if targets[name].position == "mlp" and name in last.values()]
    attention = [name for name in names if targets[name].position == "attn" and name not in last.values()]
    return IA3Config(target_modules=attention + mlp, feedforward_modules=mlp)


def _vera(config: RunConfig, targets: Targets) -> Any:
    from peft import VeraConfig

    return VeraConfig(r=config.peft.rank, target_modules=list(targets), projection_prng_key=config.seed)


def _oft(config: RunConfig, targets: Targets) -> Any:
    from peft import OFTConfig

    return OFTConfig(r=config.peft.rank, oft_block_size=0, target_modules=list(targets))


def method(settings: Callable[[RunConfig, Targets], Any]) -> Method:
    """The method whose PEFT config is made from a run's config and the names of what it may change."""

    def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
        targets = find_targets(model, image_size, config.adapter.positions)
        inject(model, image_size, settings(config, targets), generator)
        for name, parameter in model.named_parameters():
            if ".ia3_l." in name:
                parameter.around_one = True  # type: ignore[attr-defined]  # decay would pull it to zero
        return []

    return Method(prepare)


LORA = DORA = method(_lora)
IA3, VERA, OFT = method(_ia3), method(_vera), method(_oft)
