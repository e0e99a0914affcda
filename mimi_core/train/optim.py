"""The optimiser and its learning rate."""

import math

import torch
from torch import nn

from mimi_core.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Over all trainable parameters; weight decay on matrices only, not on biases, norms, and scales around one."""
    trained = [p for p in model.parameters() if p.requires_grad]
    decays = {id(p): p.ndim > 1 and not getattr(p, "around_one", False) for p in trained}
    groups = [
        {"params": [p for p in trained if decays[id(p)]], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if not decays[id(p)]], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9)
    return torch.optim.AdamW(groups, lr=config.lr)


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then cosine to `config.lr_floor` of the peak.

    Args:
        step: 0 .. steps - 1.
    """
    warmup = round(config.warmup * steps)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    return config.lr * (config.lr_floor + (1 - config.lr_floor) * share)
