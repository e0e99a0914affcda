"""What a dataset says of itself in the catalogue: its name, where its files lie, how to get and to read them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimi_core.config import DataConfig
from mimi_core.data.types import Dataset, Progress


@dataclass(frozen=True)
class Download:
    """How torchvision fetches a set.

    Attributes:
        torchvision: its class in torchvision.datasets.
        splits: what to ask that class for, one download each.
        places: what comes of it, below the folder of all datasets.
        into_path: also where `data.path` is set; False where that is the folder of the very files.
    """

    torchvision: str
    splits: tuple[dict[str, Any], ...]
    places: tuple[str, ...]
    into_path: bool = True


@dataclass(frozen=True)
class Source:
    """A dataset, or a family of them where `name` ends with a colon: then the rest of the user's name is free.

    Attributes:
        summary: one line for lists and forms.
        load: reads and checks it. Raises DataError and ResourceError.
        scan: the same within so many seconds, without opening the images; None where `load` is quick.
        missing: what of its files is missing, and how to get it; None for what is there. None where nothing can be.
        members: all names of a family, where they are known.
        placeholder: what stands for the rest of the name where it can be anything, such as PATH; empty otherwise.
        is_path: whether the rest of a name is a path; None: it never is.
        kept: lies in the folder of all datasets unless `data.path` says where.
        kept_in: the names of its members that lie in a folder of all datasets, where `members` cannot tell.
        stamp: something cheap that changes when its files do; None: the time of `data.path` does.
        download: how a run fetches it, where torchvision does.
        order: where it stands in lists; a new one stands after the plain names and before the families.
    """

    name: str
    summary: str
    load: Callable[[DataConfig, Progress | None], Dataset]
    scan: Callable[[DataConfig, float], Dataset] | None = None
    missing: Callable[[DataConfig], str | None] | None = None
    members: tuple[str, ...] = ()
    placeholder: str = ""
    is_path: Callable[[str], bool] | None = None
    kept: bool = False
    kept_in: Callable[[Path], list[str]] | None = None
    stamp: Callable[[DataConfig], tuple[int, ...]] | None = None
    download: Download | None = None
    order: int = 190

    def answers_to(self, name: str) -> bool:
        return name.startswith(self.name) if self.name.endswith(":") else name == self.name

    @property
    def names(self) -> tuple[str, ...]:
        """The names that people see: every member's, its own, or how it begins and what follows."""
        return self.members or (f"{self.name}{self.placeholder}",)
