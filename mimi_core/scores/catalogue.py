"""All scores, found in `kinds/`: a module there that declares `SCORE` is known everywhere. No torch."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping

from mimi_core.scores import kinds
from mimi_core.scores.entry import Score


def in_order(scores: Iterable[Score]) -> dict[str, Score]:
    """By name, in the order in which they are listed.

    Raises:
        ValueError: two have the same name, or keep something under the same name.
    """
    ordered = sorted(scores, key=lambda score: (score.order, score.name))
    for what, names in (
        ("scores have the name", [score.name for score in ordered]),
        ("scores keep", [name for score in ordered for name in (*score.watch.keeps, *_kept_from_the_start(score))]),
    ):
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValueError(f"two {what} {twice!r}")
    return {score.name: score for score in ordered}


def _kept_from_the_start(score: Score) -> list[str]:
    return [score.name] if score.at_start else []


def _declared() -> list[Score]:
    names = [module.name for module in pkgutil.iter_modules(kinds.__path__) if not module.name.startswith("_")]
    return [importlib.import_module(f"{kinds.__name__}.{name}").SCORE for name in names]


SCORES: Mapping[str, Score] = in_order(_declared())
AT_START = tuple(name for name, score in SCORES.items() if score.at_start)
"""Scores of the adapters before any training. A neuron keeps them through all cuts."""


def label_of(name: str) -> str:
    """What people read where configs and the command line say `name`; a score of another version keeps its name."""
    return SCORES[name].label if name in SCORES else name
