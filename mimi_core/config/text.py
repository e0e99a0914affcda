"""Settings as people write them: YAML from files, from strangers, from `--set`. What they mean is `config`'s to say."""

import re
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
_NUMBERS = {
    "tag:yaml.org,2002:int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), "-+0123456789"),
    "tag:yaml.org,2002:float": (
        re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"),
        "-+0123456789.",
    ),
}
"""What is a number, by its first letters. Old YAML also takes 010 for eight, 1:30 for ninety and 1_0 for ten."""


class _PlainNumbers(yaml.resolver.Resolver):
    """Numbers are what people read in them; what is none is a text, which a number's key then reads or refuses."""


_PlainNumbers.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    + [(tag, re.compile(f"(?:{pattern.pattern})$")) for tag, (pattern, first) in _NUMBERS.items() if letter in first]
    for letter, resolvers in {
        **{letter: [] for letter in "-+0123456789."},
        **yaml.resolver.Resolver.yaml_implicit_resolvers,
    }.items()
}


class _Loader(_PlainNumbers, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """In C, where it was built: a store reads thousands of files."""


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
    return _mapping(text, f"config file {path}", _Loader)


def read_config_text(text: str) -> dict[str, Any]:
    """The same from the text of a stranger: short, and without what can make few lines large.

    Raises:
        ConfigError: it is too long, not YAML, or not a mapping.
    """
    if len(text) > LONGEST_CONFIG:
        raise ConfigError(f"this is no config: longer than {LONGEST_CONFIG:,} characters")
    return _mapping(text, "the config", _CarefulLoader)


def read_value(text: str, what: str, texts: bool = False) -> Any:
    """One value, from a stranger.

    Args:
        what: it is, in messages.
        texts: nothing in it is a number, a date or a switch.

    Raises:
        ConfigError: it is not YAML.
    """
    return _loaded(text, what, yaml.BaseLoader if texts else _CarefulLoader)


def _mapping(text: str, what: str, loader: Any) -> dict[str, Any]:
    content = _loaded(text, what, loader)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{what} must hold keys and values, such as 'method: mimi'")
    return content


class _CarefulLoader(_PlainNumbers, yaml.SafeLoader):
    """In Python, because the one in C can be made to crash; and without aliases, which multiply."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not understood here; write the value out")
        return super().compose_node(parent, index)


def _is_plain(text: str) -> bool:
    """Whether a glance shows that there are no aliases and no deep nesting, as in nearly every config.

    Within blocks a level takes a column of indentation, but for a list below a key; all others take a bracket.
    """
    if "*" in text or "&" in text:
        return False
    columns = max((len(line) - len(line.lstrip(" -?:\t")) for line in text.splitlines()), default=0)
    return 2 * (columns + 1) + text.count("[") + text.count("{") <= DEEPEST


def _refuse_what_multiplies(text: str) -> None:
    """Aliases, which can make few lines large, and nesting that no config has. Told before anything is built."""
    if _is_plain(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
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
