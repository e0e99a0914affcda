"""From settings as people give them to a RunConfig, or to one error that names every wrong field; and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from mimi_core.config.choices import known_one, nearest
from mimi_core.config.presets import OWN_IMAGES, PRESETS
from mimi_core.config.schema import RunConfig, Section
from mimi_core.config.short_forms import expand_short_forms, merge
from mimi_core.config.site_widths import TakenWidths
from mimi_core.config.text import read_config_file
from mimi_core.config.typed import parse_set
from mimi_core.errors import ConfigError

Parsed = TypeVar("Parsed", bound="Section")


def make_config(
    values: dict[str, Any] | None = None, preset: str | None = None, sets: list[str] | None = None
) -> RunConfig:
    """Merge preset, then `values` (a config file's content), then `a.b=value` overrides, and validate the whole.

    Raises:
        ConfigError: unknown preset or key (with the nearest known one), or a value out of range.
    """
    merged = expand_short_forms(PRESETS[known_one(preset, PRESETS, "preset")]) if preset else {}
    merged = merge(merged, expand_short_forms(values or {}))
    for assignment in sets or []:
        merged = laid_over(merged, parse_set(assignment))
    return validate(merged)


def laid_over(values: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with settings on top, which may be whole sections or paths such as `prune.rho`."""
    merged = expand_short_forms(values)
    for path, value in settings.items():
        merged = merge(merged, _at_path(str(path), value))
    return merged


def validate(values: dict[str, Any]) -> RunConfig:
    """A RunConfig, or a ConfigError that names every wrong field in one line each."""
    return parse(RunConfig, values)


def read_run_config(path: Path) -> RunConfig:
    """The config of a run folder, in which every setting was written out.

    Raises:
        ConfigError: it is missing, broken, empty or cut off, as when the power failed: never the defaults instead.
    """
    values = read_config_file(path)
    if not values:
        raise ConfigError(f"config file {path} is empty: what the run was made with is lost; start a new run")
    last = [*RunConfig.model_fields][-1]
    if last not in values:
        raise ConfigError(
            f"config file {path} ends before `{last}`, so that settings at its end are lost: `fsck --repair` writes it "
            "anew where the run had begun; else start a new run"
        )
    return validate(values)


def parse(model: type[Parsed], values: dict[str, Any]) -> Parsed:
    """`values` as that model. Raises a ConfigError as `validate` does."""
    _refuse_unknown_keys(values, model, "")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_explain(e) for e in error.errors()]
        raise ConfigError("; ".join(problems), problems) from error


def to_yaml(config: RunConfig) -> str:
    """The complete config as YAML, every default written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(config: RunConfig, base: RunConfig) -> list[str]:
    """The `a.b=value` settings that turn `base` into `config`."""
    return _differences(_wished(config), _wished(base), RunConfig, "")


def _wished(config: RunConfig) -> dict[str, Any]:
    """Without what the program read to carry a wish out, and so in words that can be typed."""
    values, widths = config.model_dump(mode="json"), config.adapter.widths
    return laid_over(values, {"adapter.widths": str(widths)}) if isinstance(widths, TakenWidths) else values


def _differences(new: dict[str, Any], old: dict[str, Any], model: type[BaseModel], prefix: str) -> list[str]:
    changes: list[str] = []
    for key, value in new.items():
        if key in ("versions", "branch"):
            continue
        section = _section(model.model_fields[key].annotation)
        if section is not None:
            changes += _differences(value, old[key], section, f"{prefix}{key}.")
        elif value != old[key]:
            text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").rstrip("\n")
            changes.append(f"{prefix}{key}={text if chr(10) not in text else json.dumps(value, ensure_ascii=False)}")
    return changes


def _at_path(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return expand_short_forms(value)


def _refuse_unknown_keys(values: dict[str, Any], model: type[BaseModel], prefix: str) -> None:
    for key, value in values.items():
        if key not in model.model_fields:
            raise ConfigError(f"unknown key '{prefix}{key}'{nearest(key, model.model_fields)}")
        section = _section(model.model_fields[key].annotation)
        if section is None:
            continue
        if value is None:
            raise ConfigError(f"'{prefix}{key}' is empty: remove the line or give it keys")
        items = {f"{key}.{n}": item for n, item in enumerate(value)} if isinstance(value, list) else {key: value}
        for place, item in items.items():
            if isinstance(item, dict):
                _refuse_unknown_keys(item, section, f"{prefix}{place}.")


def _section(annotation: Any) -> type[Section] | None:
    """The section that a field holds, or a list of."""
    parts = (annotation, *get_args(annotation))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)


def _explain(error: Any) -> str:
    """One validation error of pydantic as `where: what (got ...)`."""
    message = str(error["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("constrained-", "function-")))
    if not where:
        return message
    given = error["input"]
    got = str(given).lower() if isinstance(given, bool) else repr(given)  # as it was written
    return f"{where}: {message[0].lower()}{message[1:]} (got {got if len(got) <= 200 else got[:200] + '…'})"


def for_own_images(config: RunConfig, preset: str) -> RunConfig:
    """The same with the training that suits a small set of one's own, where nothing else was chosen than in the preset.

    Who starts from the paper wants its training.
    """
    if preset == "paper":
        return config
    usual = make_config(preset=preset).train
    free = {key: value for key, value in OWN_IMAGES.items() if getattr(config.train, key) == getattr(usual, key)}
    return config.model_copy(update={"train": config.train.model_copy(update=free)})
