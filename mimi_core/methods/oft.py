"""OFT: W turned by an orthogonal matrix of r blocks, with PEFT (Qiu et al. 2023, arXiv 2306.07280)."""

from typing import Any

from mimi_core.config import RunConfig
from mimi_core.methods.peft import Targets, method


def _settings(config: RunConfig, targets: Targets) -> Any:
    from peft import OFTConfig

    return OFTConfig(r=config.peft.rank, oft_block_size=0, target_modules=list(targets))


METHOD = method(_settings)
