"""The settings of a run as a form and a table see them: read from RunConfig, so that nothing is written down twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mimi_core.config import PRESETS, RunConfig, differences, make_config
from mimi_core.config.choices import OneOf
from mimi_core.config.conditions import OnlyIf
from mimi_core.config.fields import inner_type
from mimi_core.errors import ConfigError

MOST_SETS, LONGEST_SET = 100, 500
_LONGER = {"adapter.widths=": 4_000}
"""What names every site of a model takes more room."""
Kind = Literal["choice", "switch", "integer", "number", "text"]


@dataclass(frozen=True)
class Setting:
    path: str
    """`train.lr`"""
    kind: Kind
    help: str
    optional: bool
    choices: tuple[str, ...]
    default: Any
    only_if: tuple[OnlyIf, ...] = ()
    """Without all of these it plays no part."""


def settings() -> dict[str, Setting]:
    """Every setting of a run, by path, in the order of the config file."""
    return {s.path: s for s in _settings(RunConfig, RunConfig(), "") if s.path not in ("versions", "branch")}


def value_at(config: RunConfig, path: str) -> Any:
    """`value_at(config, "train.lr")`."""
    value: Any = config
    for part in path.split("."):
        value = getattr(value, part)
    return value


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """`{"train.lr": 1}` as `{"train": {"lr": 1}}`."""
    result: dict[str, Any] = {}
    for path, value in values.items():
        *sections, last = path.split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return result


# --- a config as a link to the form -----------------------------------------------------------------------------------


def link(config: RunConfig, preset: str | None = None) -> dict[str, Any]:
    """Query parameters that open the form with this config: a preset, and what differs from it as `set`.

    Args:
        preset: where to start from; None: the one that leaves the least to be said.
    """
    changes = {name: differences(config, make_config(preset=name)) for name in ([preset] if preset else PRESETS)}
    nearest = min(changes, key=lambda name: len(changes[name]))
    return {"preset": nearest, "set": changes[nearest]}


def from_link(preset: str, sets: Sequence[str]) -> RunConfig:
    """The config that a link asks for.

    Raises:
        ConfigError: an unknown preset or setting, a value out of range, or far too much of it.
    """
    if len(sets) > MOST_SETS or any(len(line) > _longest(line) for line in sets):
        raise ConfigError("the link is longer than any that this form makes")
    return make_config(preset=preset, sets=list(sets))


def _longest(line: str) -> int:
    return next((longest for start, longest in _LONGER.items() if line.startswith(start)), LONGEST_SET)


def _settings(model: type[BaseModel], defaults: BaseModel, prefix: str) -> list[Setting]:
    listed: list[Setting] = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            listed += _settings(kind, getattr(defaults, name), f"{prefix}{name}.")
        else:
            listed.append(_setting(f"{prefix}{name}", info, getattr(defaults, name)))
    return listed


def _setting(path: str, info: FieldInfo, default: Any) -> Setting:
    inner, optional = inner_type(info)
    choices = tuple(str(choice) for choice in get_args(inner)) if get_origin(inner) is Literal else ()
    choices += tuple(name for known in info.metadata if isinstance(known, OneOf) for name in known.known)
    kinds: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number"}
    return Setting(
        path,
        "choice" if choices else kinds.get(inner, "text"),
        info.description or "",
        optional,
        choices,
        default,
        tuple(condition for condition in info.metadata if isinstance(condition, OnlyIf)),
    )
