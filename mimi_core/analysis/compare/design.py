"""What the runs of a comparison differ in, found by itself, and what the settings that differ are called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from mimi_core.config import RunConfig
from mimi_core.config.identity import UNUSED, Value, Values, compared_settings, plain_value
from mimi_core.config.methods import METHODS
from mimi_core.scores.catalogue import label_of as score_label

EVERY = "every setting"
"""Stands for the choice to compare whole settings and not one field of them."""
_LONGEST = 48
_WORDS = {
    "data.classes": "classes {}",
    "data.shots": "{} images per class",
    "data.max_eval": "at most {} evaluated",
    "backbone.name": "{} backbone",
    "backbone.image_size": "{} pixels",
    "adapter.sigma_0": "σ₀ {}",
    "prune.sigma_target": "σ {}",
    "prune.rho": "ρ {}",
    "prune.score": "{} score",
    "train.lr": "learning rate {}",
    "train.epochs": "{} epochs a cycle",
    "train.batch_size": "batches of {}",
}
_SPEAK_ALONE = ("branch", "method", "data.name", "prune.scope", "prune.schedule", "adapter.placement")
_ALWAYS_TOLD = ("method", "data.name", "backbone.name")


def task_of(config: RunConfig) -> str:
    """Dataset and backbone, with all that makes them another task. Runs of one task can be compared. Plain text."""
    parts = []
    for section in ("data", "backbone"):
        paths = [path for path in _paths() if path.startswith(f"{section}.")]
        changed = [p for p in paths if p != f"{section}.name" and plain_value(config, p) != _default(p)]
        parts.append(", ".join([getattr(config, section).name, *(worded(p, plain_value(config, p)) for p in changed)]))
    return " · ".join(parts)


@dataclass(frozen=True)
class Design:
    """How the runs of a comparison differ, seeds aside."""

    fields: tuple[str, ...]
    """Paths of the settings that tell the runs apart; as few as it takes."""
    along: tuple[str, ...]
    """Paths that differ too, but never alone: what they do cannot be told from what `fields` do."""
    constant: dict[str, Value]
    """Path -> value of what is the same in all of them: method, data, backbone, and what is no default."""
    labels: dict[tuple[Value, ...], str]
    """Values of `fields` and `along` -> name of the setting, in the order in which settings are shown."""

    def setting(self, run: Values) -> str:
        return self.labels[_key(run, (*self.fields, *self.along))]


@dataclass(frozen=True)
class Levels:
    """A table of runs made ready for one comparison, by its columns `level` and `block`."""

    table: pd.DataFrame
    order: list[str]
    """Of the levels, as they are shown."""
    blocks: list[str]
    """Levels are compared within a block; one empty name where whole settings are compared."""


def design(runs: Sequence[Values]) -> Design:
    """Find out what differs. A setting counts as different where two runs in which it plays a part disagree.

    A setting is named by the title of its runs where each has one of its own, and by what it differs in otherwise.
    """
    used = {path: {run[path] for run in runs} - {UNUSED} for path in _paths()}
    varied = [path for path, values in used.items() if len(values) > 1]
    fields = _fewest(runs, varied)
    along = tuple(path for path in varied if path not in fields)
    same = {path: next(iter(values)) for path, values in used.items() if len(values) == 1}
    constant = {path: value for path, value in same.items() if path in _ALWAYS_TOLD or value != _default(path)}
    labels = _labels((*fields, *along), {_key(run, (*fields, *along)) for run in runs}, named=len(fields))
    return Design(fields, along, constant, _given_names(runs, labels, (*fields, *along)) or labels)


def by_level(table: pd.DataFrame, how: Design, compared: str) -> Levels:
    """Compare whole settings, or the values of one field within blocks of the same other fields.

    Args:
        table: a `runs_table` or a `points_table`.
        how: its design.
        compared: `EVERY`, or one of `how.fields`. Runs in which that field plays no part are left out.
    """
    if compared not in how.fields:
        there = set(table["setting"])
        order = [label for label in how.labels.values() if label in there]
        return Levels(table.assign(level=table["setting"], block=""), order, [""])
    table = table[table[compared] != UNUSED]
    others = [path for path in how.fields if path != compared]
    own, shared = (list(table[paths].itertuples(index=False, name=None)) for paths in ([compared], others))
    levels, blocks = _labels([compared], set(own)), _labels(others, set(shared))
    table = table.assign(level=[levels[key] for key in own], block=[blocks[key] for key in shared])
    return Levels(table, list(levels.values()), list(blocks.values()))


def worded(path: str, value: Value) -> str:
    """`prune.rho`, 0.5 -> `ρ 0.5`. Plain text, untrusted."""
    text = f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
    if value is None:
        text = "all" if path in ("data.classes", "data.shots", "data.max_eval") else "default"
    if path == "prune.score":
        text = score_label(text)
    if path in _SPEAK_ALONE:
        return METHODS[text].label if path == "method" and text in METHODS else text
    return _WORDS.get(path, path.rpartition(".")[2].replace("_", " ") + " {}").format(text)


# --- small things -----------------------------------------------------------------------------------------------------


def _fewest(runs: Sequence[Values], varied: Sequence[str]) -> tuple[str, ...]:
    """The first fields that, together, tell apart all that can be told apart; none that is not needed, but for the
    method, without which a setting has no name."""

    def told_apart(paths: Iterable[str]) -> int:
        return len({_key(run, tuple(paths)) for run in runs})

    chosen: list[str] = []
    for path in varied:
        if told_apart([*chosen, path]) > told_apart(chosen):
            chosen.append(path)
    for path in tuple(chosen):
        without = [p for p in chosen if p != path]
        if path != "method" and told_apart(without) == told_apart(varied):
            chosen = without
    return tuple(chosen)


def _labels(paths: Sequence[str], keys: set[tuple[Value, ...]], named: int | None = None) -> dict[Any, str]:
    """A name for each key, different ones for different keys: by its first `named` values. In the order to show."""
    ordered = sorted(keys, key=lambda key: _order(paths, key))
    labels = []
    for key in ordered:
        parts = [worded(p, v) for p, v in list(zip(paths, key, strict=True))[:named] if v != UNUSED]
        labels.append(_clipped(" · ".join(parts) or "one setting"))
    if len(set(labels)) < len(labels):
        labels = [f"{i} {label}" for i, label in enumerate(labels, start=1)]
    return dict(zip(ordered, labels, strict=True))


def _given_names(
    runs: Sequence[Values], labels: dict[tuple[Value, ...], str], paths: tuple[str, ...]
) -> dict[tuple[Value, ...], str] | None:
    """The titles of the runs instead of `labels`, where each setting has one of its own: then people named them."""
    names: dict[tuple[Value, ...], set[str]] = {key: set() for key in labels}
    for run in runs:
        names[_key(run, paths)].add(_clipped(str(run["name"])))
    single = {key: next(iter(titles)) for key, titles in names.items() if len(titles) == 1 and "" not in titles}
    return single if len(names) > 1 and len(set(single.values())) == len(names) else None


def _key(run: Values, paths: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(run[path] for path in paths)


def _order(paths: Sequence[str], key: Sequence[Value]) -> list[tuple[int, float, str]]:
    """Choices in the program's order, numbers by size, all else by its letters; what plays no part comes last."""

    def place(path: str, value: Value) -> tuple[int, float, str]:
        choices = _paths()[path]
        if value == UNUSED:
            return 3, 0.0, ""
        if isinstance(value, int | float):
            return 0, float(value), ""
        if value in choices:
            return 0, float(choices.index(str(value))), ""
        return 2 if value is None else 1, 0.0, str(value)

    return [place(path, value) for path, value in zip(paths, key, strict=True)]


@cache
def _paths() -> dict[str, tuple[str, ...]]:
    """All settings by which runs may differ, with the choices that each has."""
    return {path: setting.choices for path, setting in compared_settings().items()} | {"branch": ()}


@cache
def _default(path: str) -> Value:
    return "not branched" if path == "branch" else plain_value(RunConfig(), path)


def _clipped(text: str) -> str:
    """Both ends of a long text: a path is known by its end."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[1 - _LONGEST // 2 :]}"
