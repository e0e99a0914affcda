"""Settings as people write them: YAML from files, from strangers, from `--set`. What they mean is `config`'s to say."""

from pathlib import Path
from typing import Any

import yaml

from mimi_core.errors import ConfigError
from mimi_core.reading import read_regular

LONGEST_CONFIG = 32_000
"""Characters of a config that somebody pastes or uploads; a complete one has about 1,500."""
LARGEST_FILE = 1_000_000
"""Bytes of a config file; a run's own, with every default written out, has about 2,000."""
DEEPEST = 20
"""Sections within sections; a config has three. The loader in C crashes on thousands."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where it was built: a store reads thousands


def read_config_file(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file is an empty mapping.

    Raises:
        ConfigError: the file is missing, unreadable, not YAML, or not a mapping.
    """
    try:
        text = read_regular(path, LARGEST_FILE).decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"config file {path} not found") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path} cannot be read: {error}") from error
    return _mapping(text, f"config file {path}", _LOADER)


def read_config_text(text: str) -> dict[str, Any]:
    """The same from the text of a stranger: short, and without what can make few lines large.

    Raises:
        ConfigError: it is too long, not YAML, or not a mapping.
    """
    if len(text) > LONGEST_CONFIG:
        raise ConfigError(f"this is no config: longer than {LONGEST_CONFIG:,} characters")
    return _mapping(text, "the config", _CarefulLoader)


def parse_set(assignment: str) -> dict[str, Any]:
    """`prune.rho=0.5` as `{"prune.rho": 0.5}`. Raises ConfigError where it is no such thing."""
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {assignment!r}: write it as section.key=value, such as prune.rho=0.5")
    return {key.strip(): _loaded(text, f"--set {assignment[:200]!r}: the value", _CarefulLoader)}


def _mapping(text: str, what: str, loader: Any) -> dict[str, Any]:
    content = _loaded(text, what, loader)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{what} must hold keys and values, such as 'method: mimi'")
    return content


class _CarefulLoader(yaml.SafeLoader):
    """In Python, because the one in C can be made to crash; and without aliases, which multiply."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not understood here; write the value out")
        return super().compose_node(parent, index)


def _refuse_what_multiplies(text: str) -> None:
    """Aliases, which can make few lines large, and nesting that no config has. Told before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not understood here; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.YAMLError(f"too deeply nested: sections within sections, more than {DEEPEST}")


def _loaded(text: str, what: str, loader: Any) -> Any:
    try:
        _refuse_what_multiplies(text)
        return yaml.load(text, Loader=loader)
    except (
        Exception
    ) as error:  # on odd scalars, such as the date 2001-99-99, YAML's constructors raise nearly everything
        reason = "too deeply nested" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ConfigError(f"{what} is not valid YAML: {reason[:300]}") from error
