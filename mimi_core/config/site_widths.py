"""`adapter.widths`: how wide the adapter of every site is, said as numbers or taken from a run that has finished.

What is taken becomes numbers when a run is made (`mimi_core.runs.inherited`); its config then holds both, the numbers
and where they come from, and no longer needs the other run.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from mimi_core.config.text import read_value
from mimi_core.errors import ConfigError

FROM = "from"
_RUN = "run"
Width = Annotated[int, Field(ge=0, strict=True)]
SiteWidths = dict[str, Width]
"""Site -> neurons. A site that is not named has no adapter, and so has one with 0."""


class Inherited(BaseModel):
    """What a run that finished left, as it was read when the new run was made. Written by the program."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    asked: str
    """What was asked for, in the short form. Numbers that answer another question are read anew."""
    setting: str
    """Of the other run, as `config.identity.setting_digest` names it."""
    seed: int
    data_seed: int
    """The seeds of the other run."""
    widths: SiteWidths
    start: SiteWidths = {}
    """Rewound only: widths with which the other run started. Its initial weights are drawn at these."""
    survivors: dict[str, str] = {}
    """Rewound only: site -> the initial neurons that are left, such as `0-3,7`."""


class TakenWidths(BaseModel):
    """The final widths of a finished run; shuffled over the sites, and scaled to a budget, where that is wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: Annotated[str, Field(min_length=1)]
    """Id of a run in the folder of all runs, or the path of a run folder. May be called `from`."""
    shuffle: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """Seed of a permutation of the widths over the sites."""
    budget: Annotated[int, Field(ge=1)] | None = None
    """Neurons of all sites together."""
    parameters: Annotated[int, Field(ge=1)] | Literal["same"] | None = None
    """Adapter parameters of all sites together, at most; `same`: as many as the run ended with."""
    weights: Literal["fresh", "rewound"] = "fresh"
    """rewound: the neurons that were left begin again with the weights that they had before any training."""
    inherited: Inherited | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.budget is not None and self.parameters is not None:
            raise ValueError("give either budget (neurons) or parameters, not both")
        if self.weights == "rewound" and (self.shuffle, self.budget, self.parameters) != (None, None, None):
            raise ValueError(
                "weights: rewound takes the very neurons that were left: leave out shuffle, budget, parameters"
            )
        return self

    def __str__(self) -> str:
        """The short form, such as `from:RUN,shuffle:1`."""
        wanted = self.model_dump(exclude={_RUN, "inherited"}, exclude_defaults=True)
        return ",".join([f"{FROM}:{self.run}", *(f"{key}:{value}" for key, value in wanted.items())])

    @property
    def current(self) -> Inherited | None:
        """What was read for this very wish."""
        return self.inherited if self.inherited is not None and self.inherited.asked == str(self) else None

    @property
    def rewound(self) -> Inherited | None:
        """What is needed to begin with the weights that another run began with; None where that is not asked for."""
        return _read(self) if self.weights == "rewound" else None


def _short(value: Any) -> Any:
    """`from:RUN,shuffle:1` or the text of a mapping as a mapping, in which `from` is `run`."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("{"):
            try:
                value = read_value(text, "the value")
            except ConfigError as error:
                raise ValueError(str(error)) from error
        elif text.startswith(f"{FROM}:"):
            value = {key: part for key, _, part in (piece.partition(":") for piece in text.split(","))}
        else:
            raise ValueError("give {site: neurons}, or from:RUN for the final widths of a run")
    if isinstance(value, Mapping) and FROM in value:
        value = {_RUN if key == FROM else key: part for key, part in value.items()}
    if isinstance(value, Mapping) and _RUN not in value and not any(value.values()):
        raise ValueError("gives no site a neuron; the method `linear` trains the head alone")
    return value


def _kind(value: Any) -> str:
    taken = isinstance(value, TakenWidths) or (isinstance(value, Mapping) and _RUN in value)
    return FROM if taken else "sites"


Widths = Annotated[
    Annotated[SiteWidths, Tag("sites")] | Annotated[TakenWidths, Tag(FROM)],
    Discriminator(_kind),
    BeforeValidator(_short),
]
"""What may stand in `adapter.widths`."""


def numbers(widths: "SiteWidths | TakenWidths | None") -> Mapping[str, int] | None:
    """Site -> neurons; None where widths follow from sigma_0.

    Raises:
        ConfigError: they are those of a run that has not been read, as outside of a run folder.
    """
    return _read(widths).widths if isinstance(widths, TakenWidths) else widths


def _read(taken: TakenWidths) -> Inherited:
    if taken.current is None:
        raise ConfigError(
            f"adapter.widths names the run {taken.run}, which has not been read: "
            "mimi_core.runs.inherited.with_widths reads it"
        )
    return taken.current
