"""IA3: scales on what attention and MLP pass on, with PEFT (Liu et al. 2022, arXiv 2205.05638)."""

from typing import Any

from mimi_core.config import RunConfig
from mimi_core.methods.peft import Targets, method


def _settings(config: RunConfig, targets: Targets) -> Any:
    """Scales behind the maps into the attention (the paper's keys and values; most ViTs fuse the queries with them),
    and before the last map of the MLP."""
    from peft import IA3Config

    names = list(targets)
    last = {site.name: name for name, site in targets.items()}
    mlp = [name for name in names if targets[name].position == "mlp" and name in last.values()]
    attention = [name for name in names if targets[name].position == "attn" and name not in last.values()]
    return IA3Config(target_modules=attention + mlp, feedforward_modules=mlp)


METHOD = method(_settings)
