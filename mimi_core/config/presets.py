"""Configs to start from."""

from typing import Any

from mimi_core.config.schema import DEMO_BACKBONE

OWN_IMAGES: dict[str, Any] = {"lr": 0.002, "head": "probe", "augment": "flip"}
"""Training settings for a small set of pictures that nobody tuned to. What they were chosen by is in docs/recipe.md."""
PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "name": "demo",
        "backbone": {"name": DEMO_BACKBONE},
        "data": {"name": "digits", "shots": 30},
        "adapter": {"sigma_0": 2},
        "prune": {"sigma_target": 32},
        "train": {"epochs": 12, "batch_size": 32, "lr": 0.005, "warmup": 0.3},
    },
    "quick": {
        "name": "quick look",
        "backbone": {"name": DEMO_BACKBONE},
        "data": {"name": "digits", "shots": 10, "max_eval": 200},
        "adapter": {"sigma_0": 4},
        "prune": {"sigma_target": 16},
        "train": {"epochs": 5, "batch_size": 20, "lr": 0.01},
    },
    # From config.py and lr_scheduler.py of the authors' code: rates are theirs times batch/512, as they scale them.
    "paper": {
        "name": "paper",
        "train": {
            "lr": 6.25e-5,
            "warmup": 0.2,
            "lr_floor": 0.01,
            "augment": "randaugment",
            "mixup": 0.8,
            "cutmix": 1.0,
            "drop_path": 0.2,
        },
    },
    "own": {
        "name": "own images",
        "backbone": {"name": DEMO_BACKBONE},
        "adapter": {"sigma_0": 2},
        "prune": {"sigma_target": 32},
        "train": {"epochs": 12, "batch_size": 32, "warmup": 0.3, **OWN_IMAGES},
    },
}
