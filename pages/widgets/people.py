"""Who may use the app, and for what: a list of people in a file, where there is one.

The file that MIMI_PEOPLE names is YAML: an address and a role on each line, or `"*@example.org"` for all of a domain.
It is read again when it changes, so that who is taken out of it can do nothing more from then on.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from mimi_core.config.text import read_config_file
from mimi_core.errors import ConfigError

SETTING = "MIMI_PEOPLE"
Role = Literal["look", "launch", "admin"]
"""look: see everything, ask models for predictions. launch: also make runs and datasets, and act on one's own runs.
admin: act on everybody's."""
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""


def file() -> Path | None:
    """Where the list is; None: nobody has to sign in."""
    named = os.environ.get(SETTING, "").strip()
    return Path(named).expanduser() if named else None


def unsaid() -> bool:
    """Whether nobody said if there is a list: neither a file nor, by an empty setting, that there is none."""
    return SETTING not in os.environ


def role_of(address: str) -> Role | None:
    """What somebody with this e-mail address may do; None: not even look.

    Raises:
        ConfigError: the list cannot be read, or makes no sense.
    """
    path = file()
    if path is None:
        return None
    known, address = _people(path), address.casefold()
    _, at, domain = address.rpartition("@")
    return (known.get(address) or known.get(f"*@{domain}")) if at else None


def may(role: Role | None, needed: Role) -> bool:
    return role is not None and ROLES.index(role) >= ROLES.index(needed)


def _people(path: Path) -> Mapping[str, Role]:
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(f"{SETTING}: the list of people {path} cannot be read: {error.strerror}") from error
    return _read(path, (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@lru_cache(maxsize=4)
def _read(path: Path, _version: tuple[int, ...]) -> Mapping[str, Role]:
    written = read_config_file(path)
    people: dict[str, Role] = {}
    for address, role in written.items():
        name, _, domain = str(address).rpartition("@")
        if not name or not domain or "*" in domain or ("*" in name and name != "*"):
            raise ConfigError(
                f'{path}: {address!r} is no address; write ada@example.org, or "*@example.org" for all of a domain'
            )
        if role not in ROLES:
            raise ConfigError(f"{path}: {address} is to be one of {', '.join(ROLES)}, not {role!r}")
        if str(address).casefold() in people:
            raise ConfigError(f"{path}: {address} is there twice; capital letters make no difference")
        people[str(address).casefold()] = role
    if not people:
        raise ConfigError(f"{path}: the list of people is empty; write a line such as ada@example.org: admin")
    return people
