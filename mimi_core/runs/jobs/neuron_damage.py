"""What each neuron of a layer is worth: the answer of `python -m mimi_core damage`, which pages show."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError, model_validator

from mimi_core.errors import RunError
from mimi_core.runs.formats.damage import Measured

Share = Annotated[float, Field(ge=0, le=1)]


class NeuronDamage(BaseModel):
    """Mean cross entropy and accuracy of a model, whole and without each neuron of one site, in their order."""

    site: str
    cycle: int
    """At the end of which; its scores are those of cut `cycle + 1`."""
    images: int
    split: Measured
    """Which images were looked at: those of validation, or where there are none, of training."""
    loss: FiniteFloat
    accuracy: Share
    loss_without: list[FiniteFloat]
    accuracy_without: list[Share]
    error: list[Annotated[FiniteFloat, Field(ge=0)]]
    """Standard errors of the damage, over the images."""

    @model_validator(mode="after")
    def _together(self) -> "NeuronDamage":
        if not len(self.loss_without) == len(self.accuracy_without) == len(self.error):
            raise ValueError("of different numbers of neurons")
        return self

    @property
    def of_loss(self) -> np.ndarray:
        """(N,) by how much the loss rises without each neuron: its damage."""
        return np.array(self.loss_without) - self.loss


def neuron_damage(output: str) -> NeuronDamage:
    """What `damage --json` said. Raises RunError where that is no such thing."""
    try:
        return NeuronDamage.model_validate_json(output)
    except ValidationError as error:
        raise RunError("what was measured cannot be read") from error
