"""What the parts of the torture share: how much each may do, and what it has to say afterwards."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass
class Outcome:
    """`counts`: what was done, and what came of it. `failures`: what must not be. `left_out`: why less was done."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    left_out: str = ""


@dataclass
class Budget:
    """Iterated over, it counts the cases: at least one, and no more when the seconds or the cases are used up."""

    seconds: float
    cases: int | None = None
    crowd: int = 8
    """How many at once, where a part does several."""
    tell: Callable[[int], object] = lambda number: None
    """Called before every case."""

    def __iter__(self) -> Iterator[int]:
        end = time.monotonic() + self.seconds
        number = 0
        while number == 0 or (time.monotonic() < end and (self.cases is None or number < self.cases)):
            self.tell(number)
            yield number
            number += 1


Part = Callable[[Path, Random, Budget], Outcome]
"""(empty folder, source of chance, budget) -> what came of it."""
