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


def help_of(path: str) -> str:
    """What a setting is, in a sentence, as the schema says it; empty where that says nothing. Markdown."""
    setting = settings()[path]
    said = setting.help.replace("null: ", "empty: ")
    if not said:
        return ""
    starts_with_a_choice = said.partition(":")[0] in setting.choices
    return f"{said if starts_with_a_choice else said[0].upper() + said[1:]}."


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
