"""What the runs of the planned study came to, arm by arm, task by task and seed by seed."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mimi_core.analysis.common.gain import last_on_test, right_on_test
from mimi_core.errors import RunError
from mimi_core.runs.formats import probe as probe_file
from mimi_core.study.plan import MIMI, PRIMARY, PROBE, SECONDARY, SEEDS, TASKS, Arm, Task
from mimi_core.study.stages import PlanProgress, PlanRuns, chance, progress
from mimi_core.sweeps.matching import Planned

Place = tuple[str, str, int]
"""Names of arm and task, and the seed."""


@dataclass(frozen=True, eq=False)
class PlanOutcome:
    """Of one run, on test images.

    Attributes:
        right: images whose class was told; a share of them where the run failed twice and counts as chance.
        told: (images,) bool, which ones; None where that is not known.
        by: version of the program and processor, for which all runs of a seed must be the same.
    """

    right: float
    images: int
    told: np.ndarray | None
    by: str


@dataclass(frozen=True)
class PlanEvidence:
    """All that has come out of the planned study.

    Attributes:
        outcomes: of the study proper alone.
        failed: runs that failed twice and count as chance, in words.
    """

    progress: PlanProgress
    outcomes: Mapping[Place, PlanOutcome]
    failed: Sequence[str]

    def lacking(self, arms: Sequence[str]) -> dict[int, str]:
        """Seed -> why it is not whole in these arms; seeds that are whole are left out."""
        found = {}
        for seed in SEEDS:
            own = [self.outcomes.get((arm, task.name, seed)) for arm in arms for task in TASKS]
            known = [outcome for outcome in own if outcome is not None]
            if len(known) < len(own):
                found[seed] = f"{len(own) - len(known)} of {len(own)} runs are missing"
            elif len(by := sorted({outcome.by for outcome in known})) > 1:
                found[seed] = f"made by {' and by '.join(by)}: all its runs are to be made anew"
        return found

    def right(self, arm: str) -> np.ndarray:
        """(tasks, seeds), of an arm that lacks nothing."""
        return np.array([[self.outcomes[arm, task.name, seed].right for seed in SEEDS] for task in TASKS])

    def images(self, arm: str = MIMI.name) -> np.ndarray:
        """(tasks, seeds)"""
        return np.array([[self.outcomes[arm, task.name, seed].images for seed in SEEDS] for task in TASKS])

    def told(self, arm: str) -> list[list[np.ndarray]] | None:
        """By task and seed, which images it told right; None where that was not kept of all."""
        told = [[self.outcomes[arm, task.name, seed].told for seed in SEEDS] for task in TASKS]
        known = [[one for one in of_task if one is not None] for of_task in told]
        return known if all(len(of_task) == len(SEEDS) for of_task in known) else None


def gather_plan(made: PlanRuns) -> PlanEvidence:
    outcomes: dict[Place, PlanOutcome] = {}
    failed: list[str] = []
    for arm in (*PRIMARY, *SECONDARY):
        for task in TASKS:
            for planned in _settled(made, arm, task):
                seed = planned.config.seed
                outcomes[arm.name, task.name, seed] = _outcome(made, planned)
                if planned.phase == "failed":
                    failed.append(f"{arm.name} on {task.name}, seed {seed}")
                if arm == MIMI and (probe := _probe(made, planned)):
                    outcomes[PROBE, task.name, seed] = probe
    return PlanEvidence(progress(made), outcomes, failed)


def _settled(made: PlanRuns, arm: Arm, task: Task) -> list[Planned]:
    """The runs of the study proper that have ended."""
    found = []
    with contextlib.suppress(RunError):  # its learning rate is not chosen yet
        made.rate(arm, task)
        for seed in SEEDS:
            with contextlib.suppress(RunError):  # nor is there the run from which this one takes something
                found += made.planned([made.of_study(arm, task, seed)])
    return [planned for planned in found if made.has_settled(planned)]


def _outcome(made: PlanRuns, planned: Planned) -> PlanOutcome:
    assert planned.run is not None
    state, folder = made.store.state(planned.run.id), made.store.folder(planned.run.id)
    started, last = state.started, last_on_test(state)
    if planned.phase == "failed" and started is not None:
        images = started.split_sizes["test"]
        return PlanOutcome(images * chance(planned.run, state), images, None, _by(made, planned))
    if last is None:
        raise RunError(f"the run {planned.run.id} does not tell its test accuracy; `mimi fsck` says what is wrong")
    right = round(last.accuracy * last.images)
    return PlanOutcome(right, last.images, right_on_test(folder, state), _by(made, planned))


def _probe(made: PlanRuns, planned: Planned) -> PlanOutcome | None:
    assert planned.run is not None
    probe = probe_file.read(made.store.folder(planned.run.id))
    if probe is None or probe.absent:
        return None
    right = round(probe.test_accuracy * probe.test_images)
    return PlanOutcome(right, probe.test_images, probe.told, _by(made, planned))


def _by(made: PlanRuns, planned: Planned) -> str:
    assert planned.run is not None
    started = made.store.state(planned.run.id).started
    if started is None:
        return ""
    *_, processor = started.device.split(", ", 2)
    return f"version {started.versions.get('mimi_core', '?')} on {processor}"
