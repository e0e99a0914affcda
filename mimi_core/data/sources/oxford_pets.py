"""Oxford-IIIT Pets (Parkhi et al. 2012): photos of 37 breeds, with lists."""

from pathlib import Path

from mimi_core.config import DataConfig
from mimi_core.data import names
from mimi_core.data.checking import Check
from mimi_core.data.reading.listed import below, dataset, lines_of, listed_in
from mimi_core.data.reading.torchvision_set import ONE, TorchvisionSet
from mimi_core.data.types import Dataset
from mimi_core.errors import DataError


def _pets(config: DataConfig, folder: Path, check: Check) -> Dataset:
    lists = {}
    for split, stem in {"train": "trainval", "test": "test"}.items():
        file = folder / "annotations" / f"{stem}.txt"
        entries = []
        for number, line in lines_of(file):
            name, _, rest = line.partition(" ")
            label = rest.split(" ")[0]
            if not label.isdigit() or not 1 <= int(label[:9]) <= len(names.PETS):
                raise DataError(f"{file} line {number}: expected an image and its class 1 to {len(names.PETS)}")
            entries.append((below(folder / "images", f"{name}.jpg", f"{file} line {number}"), int(label) - 1))
        lists[split] = listed_in(file, entries)
    return dataset(config, names.PETS, lists, check)


SOURCES = (
    TorchvisionSet(
        "oxford-pets",
        "7,349 photos of cats and dogs, 37 breeds",
        "OxfordIIITPet",
        ONE,
        ("oxford-iiit-pet",),
        811,
        "https://www.robots.ox.ac.uk/~vgg/data/pets/",
        _pets,
    ).source(order=80),
)
