"""What the methods of the PEFT library share: they change linear maps inside attention and MLP (`adapter.positions`).

The library is imported when a run needs it: that takes seconds.
"""

from collections.abc import Callable
from importlib.util import find_spec
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


def require_library() -> None:
    """Raises ConfigError where PEFT is not installed."""
    if find_spec("peft") is None:
        raise ConfigError("this method needs the library peft: pip install peft; or choose another, such as adapter")


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
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator, device="cpu")))
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


def method(settings: Callable[[RunConfig, Targets], Any]) -> Method:
    """The method whose PEFT config is made from a run's config and the names of what it may change."""

    def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
        require_library()
        targets = find_targets(model, image_size, config.adapter.positions)
        inject(model, image_size, settings(config, targets), generator)
        for name, parameter in model.named_parameters():
            if ".ia3_l." in name:
                parameter.around_one = True  # type: ignore[attr-defined]  # decay would pull it to zero
        return []

    return Method(prepare)
