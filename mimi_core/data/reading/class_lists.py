"""Lists of `class/image`, below a folder of images. Classes are in alphabetical order."""

from collections.abc import Mapping
from pathlib import Path

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check
from mimi_core.data.reading.listed import Listed, below, dataset, lines_of, listed_in
from mimi_core.data.reading.torchvision_set import Read
from mimi_core.data.types import Dataset
from mimi_core.errors import DataError


def class_slash_image(lists: Mapping[str, str], suffix: str = "") -> Read:
    """Reads such lists; `lists`: split -> file. `suffix` is what the names of images lack."""

    def read(config: DataConfig, folder: Path, check: Check) -> Dataset:
        lines = {split: lines_of(folder / file) for split, file in lists.items()}
        classes = sorted({line.split("/")[0] for numbered in lines.values() for _, line in numbered})
        made: dict[str, Listed] = {}
        for split, numbered in lines.items():
            file = folder / lists[split]
            entries = []
            for number, line in numbered:
                where = f"{file} line {number}"
                if line.count("/") != 1:
                    raise DataError(f"{where}: expected class/image, got {line[:200]!r}")
                path = below(folder / "images", line + suffix, where)
                entries.append((path, classes.index(line.split("/")[0])))
            made[split] = listed_in(file, entries)
        return dataset(config, classes, made, check)

    return read
