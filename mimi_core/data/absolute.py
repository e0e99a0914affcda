"""A config that means the same files whatever the working directory."""

from pathlib import Path

from mimi_core.config import DataConfig, RunConfig, datasets_folder
from mimi_core.data.catalogue import answering


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """The same config, good in any working directory: a run may be resumed from another one, or by a worker."""
    backbone = config.backbone
    if backbone.checkpoint is not None:
        backbone = backbone.model_copy(update={"checkpoint": _absolute(backbone.checkpoint)})
    return config.model_copy(update={"data": _placed(config.data), "backbone": backbone})


def _placed(data: DataConfig) -> DataConfig:
    source = answering(data.name)
    place = data.name.removeprefix(source.name) if source else ""
    if source and source.is_path and source.is_path(place):
        data = data.model_copy(update={"name": f"{source.name}{_absolute(Path(place))}"})
    elif source and source.kept and data.path is None:
        data = data.model_copy(update={"path": datasets_folder()})
    return data if data.path is None else data.model_copy(update={"path": _absolute(data.path)})


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()
