"""EuroSAT, satellite images (Helber et al. 2019). It has no official split: drawn like a folder of images."""

from dataclasses import replace
from pathlib import Path

from mimi_core.config import DataConfig
from mimi_core.data.checking import Check
from mimi_core.data.reading.torchvision_set import ONE, TorchvisionSet
from mimi_core.data.sources.folder import PREFIX
from mimi_core.data.sources.folder import read as read_folder
from mimi_core.data.types import Dataset


def _eurosat(config: DataConfig, place: Path, check: Check) -> Dataset:
    inside = config.model_copy(update={"name": f"{PREFIX}{place}"})
    return replace(read_folder(inside, check), name=config.name)


SOURCES = (
    TorchvisionSet(
        "eurosat",
        "27,000 satellite images of 64x64 pixels, 10 classes",
        "EuroSAT",
        ONE,
        ("eurosat/2750",),
        94,
        "https://github.com/phelber/EuroSAT",
        _eurosat,
    ).source(order=100),
)
