"""Where the files of a config lie, whatever the working directory."""

import os
from pathlib import Path

from mimi_core.config.schema import FOLDER_PREFIX, HF_PREFIX, KEPT_SETS, RunConfig


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """The same config, good in any working directory: a run may be resumed from another one, or by a worker."""
    data, backbone = config.data, config.backbone
    prefix, _, place = data.name.partition(":")
    if data.name.startswith(FOLDER_PREFIX) or (data.name.startswith(HF_PREFIX) and place.startswith(("/", "~", "."))):
        data = data.model_copy(update={"name": f"{prefix}:{_absolute(Path(place))}"})
    elif data.path is None and data.name.startswith(KEPT_SETS):
        data = data.model_copy(update={"path": datasets_folder()})
    if data.path is not None:
        data = data.model_copy(update={"path": _absolute(data.path)})
    if backbone.checkpoint is not None:
        backbone = backbone.model_copy(update={"checkpoint": _absolute(backbone.checkpoint)})
    return config.model_copy(update={"data": data, "backbone": backbone})


def datasets_folder() -> Path:
    """Where datasets lie that are known by name: what MIMI_DATA says, or beside the runs."""
    runs = Path(os.environ.get("MIMI_RUNS") or "runs")
    return _absolute(Path(os.environ.get("MIMI_DATA") or runs.absolute().parent / "datasets"))


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
