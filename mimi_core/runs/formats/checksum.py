"""What tells weights whose bytes have changed from those that were written."""

import hashlib
from collections.abc import Mapping
from typing import Final

import numpy as np

KEY: Final = "sha256"
"""In the metadata of a file; those of earlier versions have none."""


def of(tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, kinds, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def fits(kept: object, tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether they are those that `kept` was made of; where nothing was kept, nobody can say otherwise."""
    return kept is None or kept == of(tensors)
