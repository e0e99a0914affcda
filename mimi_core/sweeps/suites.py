"""Suites: many datasets under one protocol, and the means over them that are compared. `mimi suite NAME`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimi_core.config import DataConfig, RunConfig, known_one, laid_over, parse
from mimi_core.config.typed import parse_set
from mimi_core.data.catalogue import missing, source_of
from mimi_core.data.sources import domainnet, vtab
from mimi_core.sweeps.sweep import Sweep, expand

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Suite:
    """One experiment.

    Attributes:
        title: what it is, for people.
        protocol: how its runs are trained, and what must be known to compare them.
        groups: of datasets, in the order of the table; a mean is taken over each where there are several.
        base: what all runs share, laid over the paper's settings.
        grid: what varies beside the dataset, path -> values.
        references: how the datasets of published results begin that these runs may stand beside; None: there are none.
    """

    title: str
    protocol: str
    groups: Mapping[str, tuple[str, ...]]
    base: Mapping[str, Any]
    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: {"method": ("mimi",)})
    references: str | None = None

    @property
    def data(self) -> tuple[str, ...]:
        return tuple(name for names in self.groups.values() for name in names)


_FOUR = ("cifar10", "cifar100", "svhn", "flowers102")
_DOMAINS = tuple(f"{domainnet.PREFIX}{name}" for name in domainnet.DOMAINS)
_VTAB = {
    group: tuple(f"{vtab.PREFIX}{name}" for name, task in vtab.TASKS.items() if task.group == group)
    for group in ("natural", "specialised", "structured")
}
_PAPER = (
    "The paper's settings: 100 epochs before the first cut and after every one, AdamW, cosine. Trained on training and "
    "validation images, tested once at the end."
)
SUITES: dict[str, Suite] = {
    "multi-task": Suite(
        "Four tasks: CIFAR-10, CIFAR-100, SVHN, VGG-Flowers",
        _PAPER,
        {"tasks": _FOUR},
        {"data.train_on_val": True},
    ),
    "multi-task-29": Suite(
        "29 tasks: the four, DomainNet's six domains, VTAB-1k's 19",
        _PAPER,
        {"tasks": _FOUR, "DomainNet": _DOMAINS, "VTAB-1k": tuple(name for names in _VTAB.values() for name in names)},
        {"data.train_on_val": True},
    ),
    "vtab": Suite(
        "VTAB-1k: 19 tasks of 1,000 training images, ViT-B/16 pre-trained on ImageNet-21k",
        "The protocol of published results (as in Adapter+): train800val200, AdamW 1e-3, weight decay 1e-4, batch 64, "
        "100 epochs, 10 of them warm-up, cosine, images resized without crop or augmentation, the last epoch counts. "
        "Two things differ: the frozen backbone drops no paths, and MiMi trains 100 epochs before the first cut and "
        "after every one (the epochs are in the table; prune.schedule=anneal stays within 100).",
        _VTAB,
        {
            "backbone.name": "vit_base_patch16_224.augreg_in21k",
            "data.train_on_val": True,
            "train.epochs": 100,
            "train.batch_size": 64,
            "train.lr": 1e-3,
            "train.weight_decay": 1e-4,
            "train.warmup": 0.1,
            "train.label_smoothing": 0.0,
        },
        references=vtab.PREFIX,
    ),
    "domainnet": Suite(
        "DomainNet: the same 345 classes in six styles",
        _PAPER,
        {"domains": _DOMAINS},
        {"data.train_on_val": True},
    ),
    "backbones": Suite(
        "Eight backbones on four tasks",
        _PAPER,
        {"tasks": _FOUR},
        {"data.train_on_val": True},
        {
            "backbone.name": (
                *(f"vit_{size}_patch16_224" for size in ("tiny", "small", "base", "large")),
                *(f"swin_{size}_patch4_window7_224" for size in ("tiny", "small", "base", "large")),
            ),
            "method": ("mimi",),
        },
    ),
}


@dataclass(frozen=True)
class Prepared:
    """A suite on this machine.

    Attributes:
        runs: of the datasets that are there.
        varying: paths of the settings that tell runs on one dataset apart, seeds aside.
        present: datasets of the runs.
        missing: dataset -> what is missing of it and how to get it.
        changed: what was set otherwise than in the suite, as `section.key=value`.
    """

    suite: Suite
    runs: tuple[RunConfig, ...]
    varying: tuple[str, ...]
    present: tuple[str, ...]
    missing: Mapping[str, str]
    changed: tuple[str, ...]


def prepare(
    name: str,
    root: Path | None = None,
    sets: Sequence[str] = (),
    seeds: Any = None,
    fetch: bool = False,
) -> Prepared:
    """The runs of a suite over whatever of its data is present, every one validated.

    Args:
        root: where the datasets lie; None: in the folder of all datasets.
        sets: `section.key=value` for all runs. A list varies; `data=..` chooses among the suite's datasets.
        seeds: a list, or how many; None: three.
        fetch: take what is absent for present, where a run downloads it.

    Raises:
        ConfigError: unknown suite or setting, or a dataset that is none of the suite's.
    """
    suite = SUITES[known_one(name, SUITES, "suite")]
    base, grid = dict(suite.base), {"data.name": list(suite.data), **{k: list(v) for k, v in suite.grid.items()}}
    for path, value in (item for text in sets for item in parse_set(text, lists=True).items()):
        path = f"{path}.name" if path in ("data", "backbone") else path
        if isinstance(value, list) or path in grid:
            grid[path] = value if isinstance(value, list) else [value]
        else:
            base[path] = value
    for wanted in grid["data.name"]:
        known_one(str(wanted), suite.data, f"dataset of the suite {name}")
    if root is not None:
        base["data.path"] = str(root)
    absent = {data: told for data in grid["data.name"] if (told := missing(DataConfig(name=data, path=root)))}
    if fetch:
        absent = {data: told for data, told in absent.items() if source_of(data).download is None}
    present = tuple(data for data in grid["data.name"] if data not in absent)
    varying = tuple(path for path in grid if path != "data.name")
    described = {"name": f"suite {name}", "base": laid_over({}, base), "grid": {**grid, "data.name": list(present)}}
    runs = expand(parse(Sweep, {**described, "seeds": list(SEEDS) if seeds is None else seeds})) if present else []
    changed = tuple(text for text in sets if text.partition("=")[0].strip() not in ("data", "data.name", "method"))
    return Prepared(suite, tuple(runs), varying, present, absent, changed)
