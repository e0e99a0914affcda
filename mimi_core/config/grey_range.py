"""`data.range`: which values of 16-bit images become black and white, as a text however it was written."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_NAMES = ("auto", "full")
_PAIR = re.compile(r"\[?\s*(\d{1,5})\s*,\s*(\d{1,5})\s*\]?")
HIGHEST = 0xFFFF


def _read(value: Any) -> str:
    """`auto`, `full`, or `[LOW, HIGH]`."""
    text = str(value).strip()
    if text in _NAMES:
        return text
    pair = _PAIR.fullmatch(text)
    if pair and (low := int(pair[1])) < (high := int(pair[2])) <= HIGHEST:
        return f"[{low}, {high}]"
    raise ValueError(f"auto, full, or two whole numbers [LOW, HIGH] with 0 <= LOW < HIGH <= {HIGHEST} are needed")


GreyRange = Annotated[str, BeforeValidator(_read)]
