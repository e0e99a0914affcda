"""All datasets, found in `sources/`: a module there that declares `SOURCES` is known everywhere. No torch."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from mimi_core.config import DataConfig, datasets_folder
from mimi_core.data import sources
from mimi_core.data.source import Source
from mimi_core.errors import DataError


def in_order(declared: Iterable[Source]) -> tuple[Source, ...]:
    """As they are listed.

    Raises:
        ValueError: two answer to one name.
    """
    ordered = tuple(sorted(declared, key=lambda source: source.order))
    for index, source in enumerate(ordered):
        for other in ordered[:index]:
            if other.answers_to(source.name) or source.answers_to(other.name):
                raise ValueError(f"two datasets answer to {source.name!r}")
    return ordered


def _declared() -> list[Source]:
    modules = [module.name for module in pkgutil.iter_modules(sources.__path__) if not module.name.startswith("_")]
    return [source for name in modules for source in importlib.import_module(f"{sources.__name__}.{name}").SOURCES]


SOURCES = in_order(_declared())


def source_of(name: str) -> Source:
    """Raises a DataError with the nearest known name."""
    if source := answering(name):
        return source
    close = difflib.get_close_matches(name, known(), n=1, cutoff=0.5)
    families = (f"{s.name}.." if s.members else s.names[0] for s in SOURCES)
    hint = f": did you mean {close[0]!r}?" if close else f"; known: {', '.join(families)}"
    raise DataError(f"unknown dataset {name!r}{hint}")


def answering(name: str) -> Source | None:
    """The source of a dataset, or None."""
    return next((source for source in SOURCES if source.answers_to(name)), None)


def known() -> dict[str, str]:
    """Name -> one line about it, of every dataset there is."""
    return {name: source.summary for source in SOURCES for name in source.names}


def named() -> list[str]:
    """The names that are whole, and not only how one begins, as `folder:PATH`."""
    return [name for source in SOURCES if not source.placeholder for name in source.names]


def kept(folder: Path | None = None) -> list[str]:
    """Names of what lies in a folder of all datasets and is in no list: what was fetched from the Hub, or uploaded."""
    where = folder or datasets_folder()
    takers = sorted((source for source in SOURCES if source.kept_in), key=lambda source: -source.order)
    return [name for source in takers if source.kept_in for name in source.kept_in(where)]


def on_this_machine(folder: Path | None = None) -> list[str]:
    """Names for `data.name` that can be used at once; `folder` as in `kept`."""
    lacking = absent()
    return [*(name for name in named() if name not in lacking), *kept(folder)]


def absent(path: Path | None = None) -> dict[str, str]:
    """Name -> what is missing of it and how to get it, of the named datasets that are not on this machine.

    Args:
        path: where to look, as in `data.path`.
    """
    told = {name: missing(DataConfig(name=name, path=path)) for name in named()}
    return {name: what for name, what in told.items() if what}


def missing(config: DataConfig) -> str | None:
    """What of the dataset's files is missing, and how to get it. None where nothing is, or only `load` can tell.

    Raises:
        DataError: unknown name.
    """
    source = source_of(config.name)
    return source.missing(config) if source.missing else None
