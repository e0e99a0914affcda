"""What a setting takes: no field of a config takes for a number what is none, and every range ends where it says."""

from decimal import Decimal
from typing import Any

import annotated_types as bounds
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mimi_core.config import RunConfig, make_config, parse, validate
from mimi_core.config.fields import inner_type
from mimi_core.config.settings import nested, settings
from mimi_core.errors import ConfigError
from mimi_core.sweeps.sweep import Sweep

NUMBERS = {path: setting for path, setting in settings().items() if setting.kind in ("integer", "number")}
NO_NUMBERS = ["true", "on", "yes", "False", ".inf", "-.inf", ".nan", "inf", "-Infinity", "nan", "1e999", "many", "[1]"]


def fields(model: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """Of a model and its sections, by path."""
    every: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        inner = inner_type(info)[0]
        is_section = isinstance(inner, type) and issubclass(inner, BaseModel)
        every |= fields(inner, f"{prefix}{name}.") if is_section else {f"{prefix}{name}": info}
    return every


def limits(info: FieldInfo) -> list[Any]:
    """What pydantic checks of a number; for an optional one it stands within its type."""
    within = [part for kind in getattr(info.annotation, "__args__", ()) for part in getattr(kind, "__metadata__", ())]
    inside = [part for one in within for part in (one.metadata if isinstance(one, FieldInfo) else [one])]
    return [part for part in [*info.metadata, *inside] if isinstance(part, bounds.BaseMetadata)]


def takes(path: str, value: Any) -> bool:
    """Whether the setting itself does; others may then not go with it."""
    try:
        validate(nested({path: value}))
    except ConfigError as error:
        return not any(problem.startswith(f"{path}:") for problem in error.problems)
    return True


@pytest.mark.parametrize("path", NUMBERS)
def test_what_is_no_number_is_refused_as_one(path: str) -> None:
    for text in NO_NUMBERS:
        with pytest.raises(ConfigError, match=path):
            make_config(sets=[f"{path}={text}"])
    for value in (True, False, float("inf"), float("-inf"), float("nan"), "inf", "nan", 10**400):
        assert not takes(path, value), f"{value!r} in a file or a form"


@pytest.mark.parametrize("path", NUMBERS)
def test_a_range_ends_where_it_says(path: str) -> None:
    info = fields(RunConfig)[path]
    step: Any = 1 if NUMBERS[path].kind == "integer" else float(Decimal("1e-9"))
    ends = limits(info)
    assert any(isinstance(end, bounds.Ge | bounds.Gt) for end in ends), "a number has a least one"
    for end in ends:
        inside, outside = {
            bounds.Ge: lambda e: (e.ge, e.ge - step),
            bounds.Gt: lambda e: (e.gt + step, e.gt),
            bounds.Le: lambda e: (e.le, e.le + max(step, e.le * 1e-12)),
            bounds.Lt: lambda e: (e.lt - step, e.lt),
        }[type(end)](end)
        assert takes(path, inside)
        assert not takes(path, outside)


@pytest.mark.parametrize("model", [RunConfig, Sweep])
def test_the_rule_holds_for_every_model_of_settings(model: type[BaseModel]) -> None:
    assert model.model_config["allow_inf_nan"] is False
    sections = [inner_type(info)[0] for info in model.model_fields.values()]
    for section in sections:
        if isinstance(section, type) and issubclass(section, BaseModel):
            assert section.model_config["allow_inf_nan"] is False, section


def test_a_list_of_numbers_holds_none_else() -> None:
    for seeds in ([0, True], True, [float("inf")]):
        with pytest.raises(ConfigError, match="seeds"):
            parse(Sweep, {"name": "a", "grid": {"prune.rho": [0.5]}, "seeds": seeds})


def test_the_message_says_what_was_written() -> None:
    with pytest.raises(ConfigError, match=r"^train\.lr: a number is needed \(got true\)$"):
        make_config(sets=["train.lr=on"])
    with pytest.raises(ConfigError, match=r"adapter\.scale: input should be a finite number \(got inf\)"):
        make_config(sets=["adapter.scale=.inf"])
