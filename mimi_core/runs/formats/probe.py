"""`probe.json`: what a linear classifier on the frozen features of the run's backbone reaches on the run's images.

It stands beside the run and not among its events: it is the same for all runs on these images with this backbone, which
take it from each other, and changes nothing that they do. Which test images it got right is kept as bits, so that a run
can be paired with it.
"""

import base64
import binascii
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mimi_core.reading import read_regular
from mimi_core.runs import writing

NAME: Final = "probe.json"
_LARGEST = 2**20


class Probe(BaseModel):
    """Logistic regression on frozen features, converged."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    key: str = ""
    """The same for all runs whose probes are the same."""
    absent: str = ""
    """Why there is none, in words; then nothing below is known."""
    strength: float | None = Field(None, gt=0)
    """C: the inverse of the L2 penalty on features of unit variance."""
    chosen_on: Literal["validation", "training", "nothing"] = "nothing"
    """Which images chose the strength: those of validation, or where there are none, parts of the training images."""
    features: int = Field(0, ge=0)
    train_images: int = Field(0, ge=0)
    """It was fitted on these .."""
    of_train_images: int = Field(0, ge=0)
    """.. of so many."""
    train_accuracy: float = Field(0.0, ge=0, le=1)
    val_accuracy: float | None = Field(None, ge=0, le=1)
    test_accuracy: float = Field(0.0, ge=0, le=1)
    test_images: int = Field(0, ge=0)
    right: str = ""
    """One bit per test image in their order, in base64: whether its class was told."""
    seconds: float = Field(0.0, ge=0)

    @property
    def told(self) -> np.ndarray | None:
        """(test_images,) bool: whether it told the class of each test image; None where that was not kept."""
        try:
            packed = np.frombuffer(base64.b64decode(self.right, validate=True), np.uint8)
        except (binascii.Error, ValueError):
            return None
        bits = np.unpackbits(packed)[: self.test_images].astype(bool)
        return bits if len(bits) == self.test_images > 0 else None


def bits(told: np.ndarray) -> str:
    """As `Probe.right` keeps them. `told`: (n,) bool."""
    return base64.b64encode(np.packbits(told).tobytes()).decode("ascii")


def write(run: Path, probe: Probe) -> None:
    """Raises ResourceError where it cannot be written."""
    writing.write_text(run, NAME, probe.model_dump_json(indent=1))


def read(run: Path) -> Probe | None:
    """None where there is none, and where it is broken or of a later version: it decides nothing, and is made anew."""
    try:
        return Probe.model_validate_json(read_regular(run / NAME, _LARGEST))
    except (OSError, ValueError):
        return None


def of_another(run: Path, key: str) -> Probe | None:
    """What another run of the same store has with that key, looked for among the newest first."""
    others = sorted((path.parent for path in run.parent.glob(f"[!.]*/{NAME}")), reverse=True)
    kept = (read(other) for other in others if other != run)
    return next((probe for probe in kept if probe and probe.key == key), None)
