"""Every failure a user can cause or meet. A message says what is wrong and what to do about it."""

import errno
from collections.abc import Sequence

OUT_OF_MEMORY = "out of memory: lower train.batch_size or backbone.image_size, or give it more memory, then try again"
_NO_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "PyObject pointer is null",
)
"""What torch, the loader of libraries, Python's threads and safetensors say."""


class MimiError(ValueError):
    """Base of all errors that are shown to the user as one line, without a stack trace."""


class ConfigError(MimiError):
    """A config file, a preset name or a `--set` is wrong. `problems`: a line for each thing that is."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (message,)


class BudgetError(MimiError):
    """A neuron budget that cannot be met."""


class ScoreError(MimiError):
    """Scores that cannot be ranked (NaN) or do not fit the adapters."""


class NoSitesError(MimiError):
    """A backbone in which no adapter can be placed."""


class BackboneError(MimiError):
    """A backbone that is unknown, unreachable, or whose checkpoint does not fit."""


class DataError(MimiError):
    """A dataset that is unknown, missing or broken."""


class ResourceError(MimiError):
    """Not enough memory or disk, or a folder that cannot be written."""


class ExportError(MimiError):
    """An adapter pack that cannot be used: broken, changed, wanting too much, or of a backbone that is not here."""


class DiskFullError(ResourceError):
    """No room left on a disk, or in somebody's quota."""


class RunError(MimiError):
    """A run that does not exist, is busy, or cannot do what was asked."""


def lack_of_means(error: BaseException) -> ResourceError | None:
    """What to do, where an error of Python or a library says that the machine had no memory or disk to give."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or any(told in str(error) for told in _NO_MEMORY):
        return ResourceError(OUT_OF_MEMORY)
    if number in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError("the disk is full: free some space, then try again")
    return None
