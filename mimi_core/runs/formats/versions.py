"""The version that stands in a run's files of weights, arrays and findings, and what is said of one that is newer.

A file without a version is of version 1: those written before versions were. Configs, events and status have none: they
are read key by key, and the config says which version of the program made it.
"""

from typing import Final

from mimi_core.errors import RunError

KEY: Final = "version"


def refuse_newer(version: object, newest: int, what: str) -> None:
    """Raises RunError for a file that a later version of this program wrote, and for a version that is no number."""
    if version is None:
        return
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunError(f"{what} says that it is of version {str(version)[:40]!r}, which is no version")
    if version > newest:
        raise RunError(
            f"{what} was written by a later version of this program (format {version}, known here up to {newest}): "
            "update the program to read it"
        )
