"""`vtab:TASK`, the 19 tasks of VTAB-1k (Zhai et al. 2019, arXiv 1910.04867), as lists of images.

Read from `vtab-1k/TASK/{train800,val200,train800val200,test}.txt` with lines `images/train800/000000.jpg 17`, the
layout that the repositories of NOAH, SSF, FacT and RepAdapter share. It trains on the 800 images and chooses by the
200. With `data.train_on_val` it does as published results do: it trains on train800val200 and has no validation images
at all, so that nothing can be chosen by them and no accuracy on them be mistaken for one of unseen images.
"""

from dataclasses import dataclass
from functools import partial

from mimi_core.config import DataConfig, known_one
from mimi_core.data import names
from mimi_core.data.checking import Check, decoding, trusting
from mimi_core.data.places import find
from mimi_core.data.places import missing as missing_from
from mimi_core.data.reading.listed import dataset, read_list
from mimi_core.data.source import Source
from mimi_core.data.types import Dataset, Progress
from mimi_core.errors import ConfigError, DataError

PREFIX = "vtab:"
HOW = (
    "Get vtab-1k from the links in the readme of https://github.com/luogen1996/RepAdapter or "
    "https://github.com/ZhangYuanhan-AI/NOAH, and put its folder, with one folder for each task, there"
)


@dataclass(frozen=True)
class VtabTask:
    """`group`: "natural", "specialised" or "structured". `class_names` are "class 17" where there are no short ones."""

    group: str
    class_names: tuple[str, ...]


def _numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(classes))


def _task(group: str, known: tuple[str, ...] | int) -> VtabTask:
    return VtabTask(group, known if isinstance(known, tuple) else _numbered(known))


_natural, _specialised, _structured = (partial(_task, group) for group in ("natural", "specialised", "structured"))
TASKS: dict[str, VtabTask] = {
    "cifar": _natural(names.CIFAR100),
    "caltech101": _natural(102),
    "dtd": _natural(names.DTD),
    "oxford_flowers102": _natural(names.FLOWERS102),
    "oxford_iiit_pet": _natural(names.PETS),
    "svhn": _natural(names.DIGITS),
    "sun397": _natural(397),
    "patch_camelyon": _specialised(("no tumour", "tumour")),
    "eurosat": _specialised(names.EUROSAT),
    "resisc45": _specialised(names.RESISC45),
    "diabetic_retinopathy": _specialised(("none", "mild", "moderate", "severe", "proliferative")),
    "clevr_count": _structured(tuple(f"{count} objects" for count in range(3, 11))),
    "clevr_dist": _structured(
        ("below 8.0", "8.0 to 8.5", "8.5 to 9.0", "9.0 to 9.5", "9.5 to 10.0", "above 10.0")  # of the nearest object
    ),
    "dmlab": _structured(6),
    "kitti": _structured(("below 8 m", "8 to 20 m", "above 20 m", "no vehicle")),  # to the nearest vehicle
    "dsprites_loc": _structured(16),
    "dsprites_ori": _structured(16),
    "smallnorb_azi": _structured(tuple(f"{angle}°" for angle in range(0, 360, 20))),
    "smallnorb_ele": _structured(tuple(f"{angle}°" for angle in range(30, 75, 5))),
}


def load(config: DataConfig, on_progress: Progress | None = None) -> Dataset:
    """Read the lists, and decode every image once.

    Raises:
        DataError: unknown task; its folder, a list or an image is missing or broken; the message names it. Single
            images are no reason if `config.skip_bad`.
    """
    return _dataset(config, decoding(on_progress))


def scan(config: DataConfig, seconds: float) -> Dataset:
    """The same, but no image is opened."""
    return _dataset(config, trusting)


def missing(config: DataConfig) -> str | None:
    """What is missing of the task, and how to get it; None where it is there."""
    return missing_from(config, *_places(config))


def _dataset(config: DataConfig, check: Check) -> Dataset:
    class_names = task(config.name).class_names
    folder = find(config, *_places(config))
    files = {"train": "train800val200"} if config.train_on_val else {"train": "train800", "val": "val200"}
    lists = {
        split: read_list(folder / f"{stem}.txt", folder, len(class_names))
        for split, stem in {**files, "test": "test"}.items()
    }
    return dataset(config, class_names, lists, check)


def task(name: str) -> VtabTask:
    """Raises a DataError with the nearest known task."""
    wanted = name.removeprefix(PREFIX)
    try:
        return TASKS[known_one(wanted, TASKS, "task of VTAB-1k")]
    except ConfigError as error:
        raise DataError(str(error)) from None


def _places(config: DataConfig) -> tuple[tuple[str, ...], str]:
    task(config.name)
    wanted = config.name.removeprefix(PREFIX)
    return (f"vtab-1k/{wanted}", wanted), HOW


SOURCES = (
    Source(
        PREFIX,
        "a task of VTAB-1k: 800 training and 200 validation images",
        load,
        scan,
        missing,
        tuple(f"{PREFIX}{task}" for task in TASKS),
        kept=True,
        order=200,
    ),
)
