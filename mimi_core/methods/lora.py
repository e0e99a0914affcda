"""LoRA: W + alpha / r * B A on linear maps, with PEFT (Hu et al. 2022, arXiv 2106.09685)."""

from typing import Any

from mimi_core.config import RunConfig
from mimi_core.methods.peft import Targets, method


def lora_settings(config: RunConfig, targets: Targets, *, dora: bool = False) -> Any:
    """PEFT's, of LoRA or of DoRA."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.peft.rank,
        lora_alpha=config.peft.alpha,  # type: ignore[arg-type]  # a factor, need not be whole
        use_dora=dora,
        target_modules=list(targets),
    )


METHOD = method(lora_settings)
