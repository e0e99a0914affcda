"""What docs/study-plan.md compares: its arms, tasks and seeds, and the config of every run.

In which order they are made, and with which learning rates, is `mimi_core.study.stages`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mimi_core.config import RunConfig, make_config
from mimi_core.config.settings import nested
from mimi_core.data.sources.sprites import TASKS as SPRITES

TUNING_SEEDS = (100, 101)
"""Used for nothing but learning rates."""
SEEDS = tuple(range(20, 32))
RATES = (0.0025, 0.005, 0.01)
COURSES, EPOCHS = 5, 12
START, END = 2, 32
"""Compression of MiMi's adapters."""
TUNING, STUDY = "plan: learning rates", "plan"
"""Groups of runs."""


@dataclass(frozen=True)
class Arm:
    """One way to fine-tune, as the plan compares them."""

    name: str
    settings: Mapping[str, Any]
    takes: Literal["fresh", "rewound", "shuffled", "parameters"] | None = None
    """Of what the MiMi run of the same task and seed ended with: its widths, in one of three ways, or how many
    parameters its adapters have."""
    rates: tuple[float, ...] = RATES
    """Peak learning rates to choose from."""


@dataclass(frozen=True)
class Task:
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """What others take of a MiMi run that has finished.

    Attributes:
        run: its id.
        parameters: of its adapters at the end.
    """

    run: str
    parameters: int


_CUT = {"method": "mimi", "adapter.sigma_0": START, "prune.sigma_target": END, "train.epochs": EPOCHS}
_UNCUT = {"method": "adapter", "train.epochs": EPOCHS, "train.cycles": COURSES}
MIMI = Arm("MiMi", _CUT)
RANDOM = Arm("random score", {**_CUT, "prune.score": "random"})
GRADIENT = Arm("gradient score", {**_CUT, "prune.score": "gradient"})
SMALL = Arm("small, restarts", {**_UNCUT, "adapter.sigma_0": END})
FRESH = Arm("MiMi's widths, fresh", _UNCUT, "fresh")
PRIMARY = (MIMI, RANDOM, GRADIENT, SMALL, FRESH)
SECONDARY = (
    Arm("MiMi's widths, rewound", _UNCUT, "rewound"),
    Arm("MiMi's widths, shuffled", _UNCUT, "shuffled"),
    Arm("small, one course", {"method": "adapter", "adapter.sigma_0": END, "train.epochs": COURSES * EPOCHS}),
    Arm("by depth", {**_CUT, "prune.score": "depth"}),
    Arm(
        "AdaLoRA",
        {"method": "adalora", "peft.rank": 1, "train.epochs": EPOCHS, "train.cycles": COURSES},
        "parameters",
        rates=(0.001, 0.0025, 0.005),
    ),
    Arm("wide, uncut", {**_UNCUT, "adapter.sigma_0": START}),
)
PROBE = "converged probe"
"""An arm without runs of its own: it is kept beside each."""
CONTRASTS = ((MIMI, SMALL), (MIMI, FRESH), (MIMI, RANDOM), (MIMI, GRADIENT))
"""The primaries .."""
ASKS = (
    "Does cutting pay, beyond restarts of the learning rate and equal epochs?",
    "Is it the widths that were found, or the weights that were trained on the way?",
    "Does the score matter?",
    "Is MiMi's score better than a gradient's?",
)
""".. and what they ask."""
TASKS = (
    Task("digits", {"data.name": "digits", "data.shots": 30}),
    Task(
        "clothes",
        {
            "data.name": "fashion-mnist",
            "data.classes": "T-shirt/top|Dress|Coat|Sneaker|Ankle boot",
            "data.shots": 30,
            "data.max_eval": 1000,
        },
    ),
    Task("location", {"data.name": "sprites-location", "data.shots": 30, "data.max_eval": 1000}),
    Task("count", {"data.name": "sprites-count", "data.shots": 100, "data.max_eval": 1000}),
    Task("orientation", {"data.name": "sprites-orientation", "data.shots": 30, "data.max_eval": 1000}),
)


def _five(name: str, sprites: str) -> Task:
    classes = "|".join(SPRITES[sprites].class_names[:5])
    return Task(name, {"data.name": sprites, "data.classes": classes, "data.shots": 30, "data.max_eval": 1000})


FIVE_CLASSES = (
    Task("digits 0 to 4", {"data.name": "digits", "data.classes": "0|1|2|3|4", "data.shots": 30}),
    TASKS[1],
    _five("five locations", "sprites-location"),
    _five("one to five", "sprites-count"),
    _five("five orientations", "sprites-orientation"),
)
"""For claims about tasks: as many classes, images and steps. The clothes have five classes as they are."""
ORDERS = (TASKS[:2], SEEDS[:4])
"""Tasks and seeds of MiMi's runs that are made once more with the images in another order."""


def config(
    arm: Arm, task: Task, seed: int, rate: float, group: str, mimi: Ended | None = None, *, order: int | None = None
) -> RunConfig:
    """One run of the plan.

    Args:
        mimi: the run from which the arm takes something.
        order: seed of another order of the images.
    """
    values = {**arm.settings, **task.settings, "backbone.name": f"demo-half-{seed % 2}", "train.lr": rate}
    if arm.takes:
        assert mimi is not None
        values |= _taken(arm.takes, mimi, seed)
    if order is not None:
        values["train.order_seed"] = order
    values |= {"seed": seed, "data.seed": seed, "name": f"{arm.name}, {task.name}", "group": group}
    return make_config(nested(values), preset="demo")


def _taken(what: str, mimi: Ended, seed: int) -> dict[str, Any]:
    if what == "parameters":
        return {"peft.parameters": mimi.parameters}
    how = {"fresh": "", "rewound": ",weights:rewound", "shuffled": f",shuffle:{seed}"}[what]
    return {"adapter.widths": f"from:{mimi.run}{how}"}
