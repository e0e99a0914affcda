"""Ways to fine-tune, one file each. All go through the same loop, data, evaluation and recorder."""

from collections.abc import Mapping

from mimi_core.config import Method as MethodName
from mimi_core.methods import (
    adalora,
    adapter,
    adaptformer,
    attn_only,
    bitfit,
    full,
    linear,
    mimi,
    mlp_only,
    peft,
    ssf,
    vpt,
)
from mimi_core.methods.method import Method

METHODS: Mapping[MethodName, Method] = {
    "mimi": mimi.METHOD,
    "adapter": adapter.METHOD,
    "adaptformer": adaptformer.METHOD,
    "linear": linear.METHOD,
    "bitfit": bitfit.METHOD,
    "attn_only": attn_only.METHOD,
    "mlp_only": mlp_only.METHOD,
    "full": full.METHOD,
    "ssf": ssf.METHOD,
    "vpt_shallow": vpt.SHALLOW,
    "vpt_deep": vpt.DEEP,
    "lora": peft.LORA,
    "dora": peft.DORA,
    "adalora": adalora.METHOD,
    "ia3": peft.IA3,
    "vera": peft.VERA,
    "oft": peft.OFT,
}

__all__ = ["METHODS", "Method"]
