"""VeRA: random B and A, shared and frozen; scales train; with PEFT (Kopiczko et al. 2024, arXiv 2310.11454)."""

from typing import Any

from mimi_core.config import RunConfig
from mimi_core.methods.peft import Targets, method


def _settings(config: RunConfig, targets: Targets) -> Any:
    from peft import VeraConfig

    return VeraConfig(r=config.peft.rank, target_modules=list(targets), projection_prng_key=config.seed)


METHOD = method(_settings)
