"""Everything a run depends on, validated whole before anything is touched."""

from mimi_core.config.choices import known_one
from mimi_core.config.merging import (
    differences,
    for_own_images,
    laid_over,
    make_config,
    parse,
    read_run_config,
    to_yaml,
    validate,
)
from mimi_core.config.places import datasets_folder
from mimi_core.config.presets import PRESETS
from mimi_core.config.schema import (
    DEMO_BACKBONE,
    AdapterConfig,
    BackboneConfig,
    Branch,
    DataConfig,
    Init,
    MethodName,
    NormaliserName,
    Placement,
    Positions,
    RunConfig,
    Scope,
    ScoreName,
    Section,
    Seed,
    TrainConfig,
)
from mimi_core.config.short_forms import SHORT_METHODS

__all__ = [
    "DEMO_BACKBONE",
    "PRESETS",
    "SHORT_METHODS",
    "AdapterConfig",
    "BackboneConfig",
    "Branch",
    "DataConfig",
    "Init",
    "MethodName",
    "NormaliserName",
    "Placement",
    "Positions",
    "RunConfig",
    "Scope",
    "ScoreName",
    "Section",
    "Seed",
    "TrainConfig",
    "datasets_folder",
    "differences",
    "for_own_images",
    "known_one",
    "laid_over",
    "make_config",
    "parse",
    "read_run_config",
    "to_yaml",
    "validate",
]
