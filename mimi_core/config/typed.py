"""What a `--set` says, read by the type of its key: a text is what was typed, whatever YAML would make of it."""

from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mimi_core.config.fields import inner_type
from mimi_core.config.schema import RunConfig
from mimi_core.config.text import read_value
from mimi_core.errors import ConfigError

_SWEEPS = ("base.", "grid.")
"""What stands before a run's setting in a sweep."""


def parse_set(assignment: str, lists: bool = False) -> dict[str, Any]:
    """`prune.rho=0.5` as `{"prune.rho": 0.5}`, and `data=folder:/x/birds #2` as it stands.

    Args:
        lists: `[a, b]` is a list of values, as where they vary; otherwise a text may look like one.

    Raises:
        ConfigError: it is no such thing.
    """
    key, equals, text = assignment.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key:
        raise ConfigError(f"--set {assignment!r}: write it as section.key=value, such as prune.rho=0.5")
    what = f"--set {assignment[:200]!r}: the value"
    path = next((key.removeprefix(prefix) for prefix in _SWEEPS if key.startswith(prefix)), key)
    info = _field(path)
    if info is None:
        return {key: read_value(text, what)}
    inner, optional = inner_type(info)
    if not _is_text(inner, path):
        return {key: read_value(text, what)}
    if lists and text.startswith("["):
        return {key: read_value(text, what, texts=True)}
    return {key: _text(text, optional or _is_section(inner), what)}


def _field(path: str) -> FieldInfo | None:
    """The field of a run's config at `data.name`; None where there is none."""
    model: Any = RunConfig
    info = None
    for part in path.split("."):
        if not _is_section(model) or part not in model.model_fields:
            return None
        info = model.model_fields[part]
        model = inner_type(info)[0]
    return info


def _is_section(inner: Any) -> bool:
    return isinstance(inner, type) and issubclass(inner, BaseModel)


def _is_text(inner: Any, path: str) -> bool:
    """Also of a section that may be named shortly, as `data` and `backbone`."""
    if _is_section(inner):
        return path in ("data", "backbone")
    return inner not in (bool, int, float) and get_origin(inner) not in (dict, list, tuple)


def _text(text: str, optional: bool, what: str) -> Any:
    """As it stands; without the quotes around it, as programs write it; None for `null` where that can be."""
    if optional and text in ("", "null", "~"):
        return None
    if text.startswith("{") or (len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]):
        return read_value(text, what)
    return text
