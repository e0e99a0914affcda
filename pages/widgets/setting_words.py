"""Settings in the words of the form, for whatever tells people about them."""

import re

from mimi_core.config.settings import settings
from pages.widgets.text import plain

MAIN = {
    "Model and data": {
        "name": "Title",
        "backbone.name": "Backbone",
        "data.name": "Data",
        "data.shots": "Images per class",
        "method": "Method",
    },
    "Adapters and pruning": {
        "adapter.sigma_0": "Compression at the start, σ₀",
        "prune.sigma_target": "Compression at the end, σ",
        "prune.rho": "Cut per cycle, ρ",
        "prune.score": "Score",
        "prune.scope": "Scope",
        "prune.schedule": "Schedule",
    },
    "Training": {
        "train.epochs": "Epochs per cycle",
        "train.lr": "Learning rate",
        "train.batch_size": "Batch size",
        "seed": "Seed",
    },
}
"""The settings that most people change, with the words for them; all others are found by themselves."""
HELP = {
    "name": "For you: what the run is called in lists.",
    "backbone.name": "`demo` is the bundled small Swin. Listed are those of many papers; any timm model can be typed.",
    "data.name": "A dataset on this machine; or type `folder:` and the path of a folder with one for each class, "
    "or `hf:` and the owner/name of a dataset of the Hugging Face Hub.",
    "data.shots": "Training images of every class, drawn by data.seed. Empty: all of them.",
    "method": "MiMi prunes adapters in cycles; the others train once, and are what it is compared with.",
    "adapter.sigma_0": "Token width over neurons when adapters are put in: 8 gives a layer of width 96 twelve neurons.",
    "prune.sigma_target": "Pruning goes on until the compression is this high. Twice as high: half the neurons.",
    "prune.rho": "Share of the neurons that every cut removes, between 0 and 1. Smaller: more cuts, more training.",
    "prune.score": "What a neuron is worth. The lowest go.",
    "prune.scope": "global: all layers compete, and some may lose their adapter. local: every layer keeps its share.",
    "prune.schedule": "cycles: cut, train, cut, train. one_shot: a single cut. anneal: many small ones in one.",
    "train.epochs": "Passes over the training images: in every cycle anew, or in all where there is a single training.",
    "seed": "Same seed, same numbers. It decides initial weights and the order of images.",
}
SECTIONS = {
    "": "Run",
    "backbone": "Backbone",
    "data": "Data",
    "adapter": "Adapters",
    "prune": "Pruning",
    "peft": "Other methods",
    "train": "Training",
}


def label_of(path: str) -> str:
    """`Learning rate` of `train.lr`. A path that the form does not have is its own label."""
    label = next((labels[path] for labels in MAIN.values() if path in labels), None)
    if label:
        return label
    name = path.rpartition(".")[2]
    return name.replace("_", " ").capitalize() if path in settings() else path


def in_words(message: str) -> str:
    """A message with settings in the form's words, the keys behind: `**Learning rate** (train.lr)`. Markdown."""
    parts = _paths().split(message)
    return "".join(_named(part) if number % 2 else plain_part(part) for number, part in enumerate(parts))


def plain_part(text: str) -> str:
    """`plain`, with the blanks at the ends that join it to its neighbours."""
    start, end = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if text.strip() else ""
    return f"{' ' if start else ''}{plain(text)}{' ' if end else ''}"


def mentioned(message: str) -> list[str]:
    """The settings that a message names, in its order, each once."""
    return list(dict.fromkeys(_paths().findall(message)))


def _named(path: str) -> str:
    return f"**{plain(label_of(path))}** ({plain(path)})"


def _paths() -> re.Pattern[str]:
    """Any key with a dot; those without, such as `seed`, are words of the language, too."""
    keys = sorted((path for path in settings() if "." in path), key=len, reverse=True)
    return re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, keys))})(?![\w/-]|\.\w)")
