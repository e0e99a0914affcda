"""Short forms of settings, such as `data: digits`, turned into sections."""

from collections.abc import Mapping
from typing import Any

from mimi_core.config.methods import METHODS

SHORT_METHODS: dict[str, dict[str, Any]] = {
    name: {"method": entry.name, **settings} for entry in METHODS.values() for name, settings in entry.short.items()
}
"""Other names of methods, and the settings that they stand for."""
_ONE_VALUE = ("widths",)
"""Settings whose value is a mapping, and no section whose keys could be set one by one."""


def expand_short_forms(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn short forms such as `data: digits` into sections, so that they can be merged."""
    whole = {k: {"name": v} if k in ("data", "backbone") and isinstance(v, str) else v for k, v in values.items()}
    method = whole.get("method")
    return merge(whole, SHORT_METHODS[method]) if isinstance(method, str) and method in SHORT_METHODS else whole


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`; sections are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in _ONE_VALUE
        merged[key] = merge(merged[key], value) if both else value
    return merged
