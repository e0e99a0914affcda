"""A number as somebody types it, never guessed at."""

import re

from mimi_core.errors import ConfigError

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+", re.ASCII)
"""`1,000` is a thousand to some and one to others; `0,005` can be only one thing."""


def read_number(text: str) -> float:
    """`0.005`, `0,005`, `5e-3`.

    Raises:
        ConfigError: it is none, or may be either of two.
    """
    typed = text.strip()
    if not typed:
        raise ConfigError("a number is needed")
    if _THOUSANDS.fullmatch(typed):
        raise ConfigError(f"{typed} may be {typed.replace(',', '')} or {typed.replace(',', '.', 1)}: write which")
    if not _NUMBER.fullmatch(typed):
        raise ConfigError(f"{typed[:40]!r} is no number: write it as 0.005, 0,005 or 5e-3")
    return float(typed.replace(",", "."))


def number_text(value: float) -> str:
    """The shortest text that `read_number` takes for this number: `0.005`, `64`, `5e-05`."""
    return repr(float(value)).removesuffix(".0")
