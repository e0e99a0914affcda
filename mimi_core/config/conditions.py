"""Settings that play a part only beside certain values of others: said beside the setting, as an annotation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OnlyIf:
    """`Annotated[float, OnlyIf("placement", lambda it: it == "parallel")]`: plays no part unless that holds.

    Attributes:
        other: a setting of the same section.
        holds: of its value.
    """

    other: str
    holds: Callable[[Any], bool]
