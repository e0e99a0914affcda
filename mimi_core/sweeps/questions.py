"""Questions that people ask about MiMi, each as a sweep that answers it, mostly of the demo. `sweep --preset NAME`."""

from typing import Any, get_args

from mimi_core.config import Scope
from mimi_core.config.methods import METHODS, MethodEntry
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS

_SIZES = ("tiny", "small", "base")


def _fair(method: MethodEntry) -> dict[str, Any]:
    """What a method needs to stand beside MiMi: one size at the end, and a learning rate that suits what it trains."""
    case: dict[str, Any] = {"name": method.name, "settings": {"method": method.name}}
    if method.whole_weights:  # the adapters' rate would tear the backbone apart
        case["settings"]["train.lr"] = 0.001
    if not method.cuts and method.claims("adapter.sigma_0"):
        case["final_size"] = True
    return case


QUESTIONS: dict[str, dict[str, Any]] = {
    "local-vs-global": {
        "question": "Does it matter whether all layers compete or each keeps its share?",
        "grid": {"prune.scope": [*get_args(Scope)]},
    },
    "scores": {
        "question": "Which score finds the neurons that matter, and does any beat chance?",
        # SNIP cannot tell before training where `up` starts at zero, so it starts otherwise, beside mimi and chance.
        "grid": {"prune.score": [name for name, score in SCORES.items() if not score.needs_up]},
        "cases": [
            {"name": f"score={score}, init=paper", "settings": {"prune.score": score, "adapter.init": "paper"}}
            for score in ("mimi", "snip", "random")
        ],
    },
    "normalisers": {
        "question": "Does it matter what a score is divided by before layers compete?",
        "grid": {"prune.normalise": [*NORMALISERS]},
    },
    "sigma-0": {
        "question": "How wide should adapters be at the start, when they end at the same size?",
        "grid": {"adapter.sigma_0": [1, 2, 4, 8, 16]},
        "equal_epochs": True,
    },
    "rho": {
        "question": "Many small cuts or a few large ones, with the same number of epochs in all?",
        "grid": {"prune.rho": [0.25, 0.5, 0.75, 0.9375]},
        "equal_epochs": True,
    },
    "schedules": {
        "question": "Are many small cuts within one training as good as the cycles, with a third of the epochs?",
        "cases": [
            {"name": "cycles"},
            {"name": "anneal", "settings": {"prune.schedule": "anneal", "train.epochs": 20}},
            {"name": "one shot", "settings": {"prune.schedule": "one_shot", "train.epochs": 10}},
            {"name": "one shot, all epochs", "settings": {"prune.schedule": "one_shot"}, "equal_epochs": True},
        ],
    },
    "equal-size": {
        "question": "Does cutting beat an adapter that has the final size from the start?",
        "cases": [
            {"name": "mimi"},
            {"name": "adapter of the final size", "settings": {"method": "adapter"}, "final_size": True},
            {"name": "adapter of the first size", "settings": {"method": "adapter"}},
        ],
        "equal_epochs": True,
    },
    "methods": {
        "question": "What does each way to fine-tune reach, and with how many parameters?",
        "cases": [
            _fair(method)
            for method in METHODS.values()
            if not method.needs_plain_vit  # prompts need a plain ViT, and the demo's backbone is a Swin
        ],
        "equal_epochs": True,
    },
    "backbones": {
        "question": "Do larger backbones need smaller adapters, with the paper's settings and timm's weights?",
        "preset": "paper",
        "grid": {
            "backbone.name": [
                *(f"vit_{size}_patch16_224" for size in _SIZES),
                *(f"swin_{size}_patch4_window7_224" for size in _SIZES),
            ]
        },
    },
    "dataset-size": {
        "question": "How many training images does it take?",
        "grid": {"data.shots": [3, 10, 30, 75]},
        "own_images": True,
    },
    "extreme-compression": {
        "question": "Beyond 1000-fold compression, where does it break down to the head alone?",
        "grid": {"prune.sigma_target": [32, 256, 1024, 2048]},
        "cases": [{"name": "no adapters", "settings": {"method": "linear"}, "equal_epochs": True}],
    },
}
QUESTIONS = {name: {"preset": "demo", "seeds": 3, **sweep} for name, sweep in QUESTIONS.items()}
