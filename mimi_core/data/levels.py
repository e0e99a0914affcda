"""Which values of 16-bit pictures become black and white: all that there can be, or as many bits as the images use.

Cameras, microscopes and X-rays write 10, 12 or 14 bits into files of 16. By their upper 8 bits alone such pictures
would be nearly black: 16 levels of grey are left of 12 bits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AUTO, ALL = "auto", "full"
_BITS = (8, 10, 12, 14)
"""Less than 16, that are in use."""


@dataclass(frozen=True)
class GreyLevels:
    """Of 16-bit pictures: what becomes 0, and what 255."""

    black: int = 0
    white: int = 0xFFFF

    def to_eight_bits(self, values: np.ndarray) -> np.ndarray:
        """Integers of any shape as uint8, in 256 equal steps; what lies beyond an end becomes that end.

        Of the whole range these are the upper 8 bits.
        """
        inside = np.clip(values.astype(np.int64), self.black, self.white) - self.black
        return (inside * 256 // (self.white - self.black + 1)).astype(np.uint8)

    @property
    def in_words(self) -> str:
        if self == FULL:
            return "16-bit grey cut to its upper 8 bits"
        return f"16-bit grey from {self.black} to {self.white} stretched to 0 to 255"


FULL = GreyLevels()


def explicit(asked: str) -> GreyLevels | None:
    """What `data.range` says by itself; None where the images decide."""
    if asked == AUTO:
        return None
    return FULL if asked == ALL else GreyLevels(*json.loads(asked))


def chosen(asked: str, training: Sequence[int], others: Sequence[int] = ()) -> tuple[GreyLevels, list[str]]:
    """How 16-bit pictures are read, and what should be known of that, a sentence each.

    Args:
        asked: `data.range`.
        training: the largest value in each 16-bit picture that is trained on; it alone decides.
        others: in those for validation and test.
    """
    levels, remarks = explicit(asked), list[str]()
    if not training and not others:
        return levels or FULL, remarks
    peak = max(training, default=0xFFFF)
    bits = next((bits for bits in _BITS if peak < 2**bits), 16)
    own = levels or GreyLevels(0, 2**bits - 1)
    if levels is None and own != FULL:
        remarks.append(
            f"The 16-bit images hold values of {bits} bits, {peak:,} at most: 0 to {own.white:,} are stretched to the "
            "whole range of grey (data.range=full would leave them dark)."
        )
    if levels == FULL and bits < 16:
        remarks.append(
            f"The 16-bit images hold no value above {peak:,} of 65,535, so that at most {peak // 256 + 1} levels of "
            "grey are left of them; data.range=auto stretches them."
        )
    if beyond := sum(value > own.white for value in (*training, *others)):
        remarks.append(
            f"{beyond:,} 16-bit image{'s hold' if beyond > 1 else ' holds'} values above {own.white:,}, which all "
            "become white; data.range sets where that is."
        )
    return own, remarks
