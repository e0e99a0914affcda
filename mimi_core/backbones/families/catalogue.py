"""All families, found in `kinds/`: a module there that declares `FAMILIES` is known everywhere."""

import importlib
import pkgutil
from collections.abc import Iterable

from mimi_core.backbones.families import kinds
from mimi_core.backbones.families.entry import Family


def in_order(declared: Iterable[Family]) -> tuple[Family, ...]:
    """As they are listed: those of papers first.

    Raises:
        ValueError: two have one name, or one model is in two.
    """
    ordered = sorted(declared, key=lambda family: (not family.in_papers, family.order, family.name.casefold()))
    for what, names in (
        ("families are called", [family.name for family in ordered]),
        ("families have the model", [model for family in ordered for model in family.models]),
    ):
        if twice := [name for index, name in enumerate(names) if name in names[:index]]:
            raise ValueError(f"two {what} {twice[0]!r}")
    return tuple(ordered)


def _declared() -> list[Family]:
    modules = [module.name for module in pkgutil.iter_modules(kinds.__path__) if not module.name.startswith("_")]
    return [family for name in modules for family in importlib.import_module(f"{kinds.__name__}.{name}").FAMILIES]


FAMILIES = in_order(_declared())
