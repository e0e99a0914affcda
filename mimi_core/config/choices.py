"""Names that a catalogue knows, as values of settings: checked, and listed by forms."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from mimi_core.errors import ConfigError


@dataclass(frozen=True)
class OneOf:
    """Annotates a setting whose value is the name of a catalogue's entry: `Annotated[str, OneOf("score", SCORES)]`.

    The names are looked up when a value is checked; forms list them in their order.
    """

    what: str
    """What is chosen, in the message about another name."""
    known: Collection[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, name: str) -> str:
        if name not in self.known:
            raise ValueError(f"unknown {self.what}{nearest(name, self.known)}")
        return name


def known_one(name: str, known: Collection[str], what: str) -> str:
    """`name`, or a ConfigError with the nearest known one."""
    if name in known:
        return name
    raise ConfigError(f"unknown {what} {name!r}{nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the known one that is meant, or all of them."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
