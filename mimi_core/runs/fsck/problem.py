"""Something that is wrong with a file of a run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

RESUMABLE: Final = "resume goes on from what is whole"


@dataclass(frozen=True)
class Problem:
    file: str
    """Of the run, relative to its folder."""
    what: str
    """Is wrong with it."""
    remedy: str
    """What a person can do, or what `mend` does."""
    mend: Callable[[], None] | None = field(default=None, compare=False)
    """Puts it right without inventing anything; None where nobody can. Raises MimiError where it cannot either."""
