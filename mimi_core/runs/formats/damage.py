"""`damage.npz` of a cut: what it cost to switch off each site's adapter, on the model that was about to be cut.

Arrays: `site`, the names; `loss` and `accuracy`, (n,), with that site's adapter off; `error`, (n,), the standard error
of what it did to the loss; `whole`, (2,), loss and accuracy with all on; `images`, how many; `split`, of which split
they are.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

import numpy as np

from mimi_core.runs import files
from mimi_core.runs.formats import npz

NAME: Final = "damage"
Measured = Literal["val", "train"]
MOST_IMAGES: Final = 200
"""That are looked at, of layers by a run and of neurons by default."""


@dataclass(frozen=True)
class Damage:
    """Mean cross entropy and accuracy 0..1 of the trained model before a cut, whole and without each adapter."""

    loss: float
    accuracy: float
    loss_without: dict[str, float]
    """Site -> with its adapter off. Sites that had none left are absent."""
    accuracy_without: dict[str, float]
    images: int
    split: Measured
    """Validation images, or where there are none, training images."""
    error: dict[str, float]
    """Site -> standard error of its damage over the images; NaN where that was not kept."""

    @property
    def of_loss(self) -> dict[str, float]:
        """Site -> by how much the loss rises without its adapter: its damage. Below 0 where the model is better off."""
        return {site: loss - self.loss for site, loss in self.loss_without.items()}


def path_of(run: Path, cycle: int) -> Path:
    return files.cycle_folder(run, cycle) / f"{NAME}.npz"


def arrays(damage: Damage) -> dict[str, np.ndarray]:
    return {
        "site": npz.as_bytes(tuple(damage.loss_without)),
        "loss": np.array([*damage.loss_without.values()]),
        "accuracy": np.array([*damage.accuracy_without.values()]),
        "error": np.array([damage.error[site] for site in damage.loss_without]),
        "whole": np.array([damage.loss, damage.accuracy]),
        "images": np.array([damage.images]),
        "split": npz.as_bytes((damage.split,)),
    }


def read(run: Path, cycle: int) -> Damage:
    """Of cut `cycle`.

    Raises:
        RunError: it was not measured, as in runs of earlier versions, or cannot be read.
    """
    with npz.opened(path_of(run, cycle), f"the damage of each layer before cut {cycle}", "is") as archive:
        sites, (split,) = npz.texts(archive, "site"), npz.texts(archive, "split")
        loss, accuracy = (npz.vector(archive, name, len(sites)) for name in ("loss", "accuracy"))
        known = "error" in npz.names(archive)
        error = npz.vector(archive, "error", len(sites)) if known else np.full(len(sites), np.nan)
        whole, images = npz.vector(archive, "whole", 2), npz.vector(archive, "images", 1)
        values = np.concatenate([loss, accuracy, whole])
        sound = np.isfinite(values).all() and not np.isinf(error).any() and not (error < 0).any()
        if not sound or len({*sites}) != len(sites) or split not in get_args(Measured):
            raise ValueError("no damage of layers")
    return Damage(
        loss=float(whole[0]),
        accuracy=float(whole[1]),
        loss_without=dict(zip(sites, loss.tolist(), strict=True)),
        accuracy_without=dict(zip(sites, accuracy.tolist(), strict=True)),
        images=int(images[0]),
        split=cast(Measured, split),
        error=dict(zip(sites, error.tolist(), strict=True)),
    )
