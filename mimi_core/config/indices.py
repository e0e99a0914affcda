"""Rising indices as a short text, such as `0-3,7`, for config files."""

from collections.abc import Iterable

import numpy as np

from mimi_core.errors import ConfigError

_MOST = 1_000_000


def as_text(numbers: Iterable[int]) -> str:
    """Rising whole numbers as runs of consecutive ones; empty for none."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def indices(text: str) -> np.ndarray:
    """The numbers again, int64.

    Raises:
        ConfigError: they are no rising numbers, or more than any adapter has.
    """
    kept: list[np.ndarray] = []
    try:
        for run in text.split(",") if text else []:
            first, _, last = run.partition("-")
            start, stop = int(first), int(last or first) + 1
            if not 0 <= start < stop <= _MOST:
                raise ValueError(run)
            kept.append(np.arange(start, stop))
    except ValueError as error:
        raise ConfigError(f"{text[:60]!r} names no neurons: rising numbers such as 0-3,7 are needed") from error
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)
