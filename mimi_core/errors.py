"""Every failure a user can cause or meet. A message says what is wrong and what to do about it."""

from collections.abc import Sequence


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


class RunError(MimiError):
    """A run that does not exist, is busy, or cannot do what was asked."""
