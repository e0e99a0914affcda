"""What a run kept about one cut: every score of every neuron, which survived, and the settings that decided it.

The file comes from a run folder, which may be old, half-copied or not ours: nothing in it is believed unchecked.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np

from mimi_core.budget import plan
from mimi_core.config import NormaliserName, Scope, ScoreName, validate
from mimi_core.errors import ConfigError, RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats import scores
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS


@dataclass(frozen=True)
class Settings:
    """What decides a cut. `keep` is the share of the neurons at the start."""

    score: ScoreName
    how: NormaliserName
    scope: Scope
    keep: Fraction


@dataclass(frozen=True)
class Cut:
    """One cut of a run, as it was. Sites that had no neuron left before it are absent from scores and survivors."""

    cycle: int
    real: Settings
    keep_before: Fraction
    raw: dict[ScoreName, dict[str, np.ndarray]]
    """Score -> site -> (N,) sums before any division, sites in the order that settles ties."""
    survivors: dict[str, np.ndarray]
    """Site -> sorted indices into the neurons before the cut."""
    initial_widths: dict[str, int]
    token_widths: dict[str, int]

    @property
    def neurons_before(self) -> int:
        return sum(len(values) for values in self.raw[self.real.score].values())


def stamp(run: Path, cycle: int) -> tuple[int, int] | None:
    """Changes when the stored scores of a cut do; None while there are none. For caches."""
    try:
        file = scores.path_of(run, cycle).stat()
    except OSError:
        return None
    return file.st_mtime_ns, file.st_size


def read_cut(run: Path, state: RunState, cycle: int) -> Cut:
    """Read cut `cycle` (1 .. K) of a run.

    Raises:
        RunError: its scores are missing, broken, or do not belong to the run's events.
    """
    if state.decides_ranks:
        raise RunError("the method decided these ranks while it trained, not by scores that could be looked at here")
    before, after = state.widths[cycle - 1], state.widths[cycle]
    alive = {site: neurons for site, neurons in before.items() if neurons}
    path = scores.path_of(run, cycle)
    raw, survivors = scores.read_scores_of_cut(run, cycle, alive, after)
    real = _real_settings(state, cycle)
    if real.score not in raw:
        raise RunError(f"{path} does not hold the {real.score} score that decided cut {cycle}")
    if not all(_are_indices(kept, alive[site]) for site, kept in survivors.items()):
        raise RunError(f"{path} names survivors that were not there before cut {cycle}")
    keep_before = _exact_keep(state, cycle - 1) if cycle > 1 else Fraction(1)
    tokens = {site.name: site.width for site in state.sites}
    return Cut(cycle, real, keep_before, raw, survivors, state.widths[0], tokens)


def _are_indices(kept: np.ndarray, neurons: int) -> bool:
    inside = kept.dtype.kind in "iu" and bool(np.all((kept >= 0) & (kept < neurons)))
    return inside and bool(np.all(np.diff(kept.astype(np.int64)) > 0))


def _real_settings(state: RunState, cycle: int) -> Settings:
    scored = next((event for event in reversed(state.scored) if event.cycle == cycle), None)
    choices: tuple[tuple[Any, Any], ...] = (
        (getattr(scored, "score", None), SCORES),
        (getattr(scored, "normalise", None), NORMALISERS),
        (getattr(scored, "scope", None), get_args(Scope)),
    )
    if any(value not in known for value, known in choices):
        raise RunError(f"the events of the run do not say how cut {cycle} was decided, or not in words known here")
    (score, _), (how, _), (scope, _) = choices
    return Settings(score, how, scope, _exact_keep(state, cycle))


def _exact_keep(state: RunState, cycle: int) -> Fraction:
    """The fraction that the worker cut with; events hold it rounded to a float.

    It is worked out again from the run's config. Where that does not fit the event, the number of neurons that were
    left tells the budget all the same.
    """
    assert state.started is not None
    recorded = state.started.keep_fractions
    try:
        exact = plan(validate(state.started.config), sum(state.widths[0].values())).keep[cycle - 1]
        if math.isclose(exact, recorded[cycle - 1], rel_tol=1e-12):
            return exact
    except (ConfigError, IndexError):
        pass
    return Fraction(sum(state.widths[cycle].values()), sum(state.widths[0].values()))
