"""In which order docs/study-plan.md makes its runs, and how one stage follows from those before.

What a stage needs of earlier ones, learning rates and runs from which something is taken, it finds among the runs that
have ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from mimi_core.config import RunConfig
from mimi_core.errors import RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.store import RunSummary, Store
from mimi_core.study.plan import (
    FIVE_CLASSES,
    MIMI,
    ORDERS,
    PRIMARY,
    SECONDARY,
    SEEDS,
    STUDY,
    TASKS,
    TUNING,
    TUNING_SEEDS,
    Arm,
    Ended,
    Task,
    config,
)
from mimi_core.sweeps import matching
from mimi_core.sweeps.matching import Planned

ANOTHER_ORDER = 1000
"""Added to a seed, gives that of another order."""


class PlanRuns:
    """What a store holds of the plan, as it was when this was made."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._runs = matching.known(store, (TUNING, STUDY))
        self._rates: dict[tuple[str, str], float] = {}

    def planned(self, configs: Sequence[RunConfig]) -> list[Planned]:
        """Each config with its run, where there is one."""
        return matching.matched(configs, self._runs)

    def has_settled(self, planned: Planned) -> bool:
        """Whether nothing more is done about a run: it has finished, or failed and failed again."""
        if planned.run is None or planned.phase not in ("finished", "failed"):
            return False
        status = self.store.status(planned.run.id)
        return planned.phase == "finished" or (status is not None and status.resumes > 0)

    def rate(self, arm: Arm, task: Task) -> float:
        """The learning rate with the best mean validation accuracy of the last epoch over the tuning seeds; at a tie
        the lower one.

        Raises:
            RunError: a run that decides has not finished.
        """
        place = (arm.name, task.name)
        if place not in self._rates:
            reached: dict[float, list[float]] = {}
            for wanted in self.planned(self.of_tuning(arm, task)):
                reached.setdefault(wanted.config.train.lr, []).append(self.validation_accuracy(wanted))
            self._rates[place] = max(arm.rates, key=lambda rate: (fmean(reached[rate]), -rate))
        return self._rates[place]

    def of_tuning(self, arm: Arm, task: Task) -> list[RunConfig]:
        """The runs that decide an arm's learning rate on a task."""
        return [
            config(arm, task, seed, rate, TUNING, self._mimi(arm, task, seed, TUNING))
            for seed in TUNING_SEEDS
            for rate in arm.rates
        ]

    def of_study(self, arm: Arm, task: Task, seed: int, order: int | None = None) -> RunConfig:
        """A run of the study proper."""
        mimi = self._mimi(arm, task, seed, STUDY)
        return config(arm, task, seed, self.rate(arm, task), STUDY, mimi, order=order)

    def _mimi(self, arm: Arm, task: Task, seed: int, group: str) -> Ended | None:
        """The run from which the arm takes something; None where it takes nothing."""
        if not arm.takes:
            return None
        (planned,) = self.planned([config(MIMI, task, seed, self.rate(MIMI, task), group)])
        state = self.store.state(self._settled(planned).id)
        if planned.phase != "finished" or not state.cuts:
            raise RunError(f"{_told(planned)}: {planned.phase}, and {arm.name} takes what it ended with")
        assert planned.run is not None
        return Ended(planned.run.id, state.cuts[-1].adapter_parameters)

    def at_chosen_rate(self, arm: Arm, task: Task) -> list[Planned]:
        """The tuning runs of the learning rate that was chosen, seed by seed."""
        rate = self.rate(arm, task)
        return self.planned([one for one in self.of_tuning(arm, task) if one.train.lr == rate])

    def validation_accuracy(self, planned: Planned) -> float:
        """Of the last epoch; of a run that failed twice, that of chance.

        Raises:
            RunError: it has not finished.
        """
        run = self._settled(planned)
        state = self.store.state(run.id)
        if planned.phase == "failed":
            return chance(run, state)
        of_val = [event.accuracy for event in state.evaluations if event.split == "val" and event.stage == "trained"]
        if not of_val:
            raise RunError(f"the run {run.id} does not tell its validation accuracy")
        return of_val[-1]

    def _settled(self, planned: Planned) -> RunSummary:
        if planned.run is None or not self.has_settled(planned):
            raise RunError(f"{_told(planned)}: not finished yet")
        return planned.run


def chance(run: RunSummary, state: RunState) -> float:
    """The accuracy with which a run counts that failed twice.

    Raises:
        RunError: it failed before it had begun, so that no number of its own is the reason.
    """
    if state.started is None or not state.started.class_names:
        raise RunError(f"the run {run.id} failed before it began; see `mimi show {run.id}`")
    return 1 / len(state.started.class_names)


def _told(planned: Planned) -> str:
    wanted = planned.config
    return f"{wanted.name}, seed {wanted.seed}, learning rate {wanted.train.lr:g}"


@dataclass(frozen=True)
class Stage:
    """Runs that can be made at once, when the stages before have finished.

    Attributes:
        size: how many they are.
        runs: raises RunError while something is missing that they need.
    """

    name: str
    size: int
    runs: Callable[[PlanRuns], list[RunConfig]]


def stages() -> list[Stage]:
    """All of the plan, in its order."""
    listed = []
    for arms in (PRIMARY, SECONDARY):
        own, taking = ([arm for arm in arms if bool(arm.takes) == taken] for taken in (False, True))
        parts = [("", own), (", of what takes from MiMi", taking)]
        listed += [_tuning(f"learning rates{what}", some, TASKS) for what, some in parts]
        listed += [_proper(f"seed {seed}{what}", some, TASKS, (seed,)) for seed in SEEDS for what, some in parts]
    others = [task for task in FIVE_CLASSES if task not in TASKS]
    listed += [
        _tuning("learning rates, five classes", [MIMI], others),
        _proper("five classes", [MIMI], others, SEEDS),
        _proper("another order", [MIMI], *ORDERS, in_another_order=True),
    ]
    return listed


def _tuning(name: str, arms: Sequence[Arm], tasks: Sequence[Task]) -> Stage:
    def runs(made: PlanRuns) -> list[RunConfig]:
        return [one for arm in arms for task in tasks for one in made.of_tuning(arm, task)]

    return Stage(name, sum(len(arm.rates) for arm in arms) * len(tasks) * len(TUNING_SEEDS), runs)


def _proper(
    name: str, arms: Sequence[Arm], tasks: Sequence[Task], seeds: Sequence[int], in_another_order: bool = False
) -> Stage:
    def runs(made: PlanRuns) -> list[RunConfig]:
        return [
            made.of_study(arm, task, seed, seed + ANOTHER_ORDER if in_another_order else None)
            for seed in seeds
            for task in tasks
            for arm in arms
        ]

    return Stage(name, len(arms) * len(tasks) * len(seeds), runs)


@dataclass(frozen=True)
class PlanProgress:
    """How far the plan is.

    Attributes:
        stage: the first with anything left to do; None when all is done.
    """

    done: int
    planned: int
    stage: str | None


def progress(made: PlanRuns) -> PlanProgress:
    done, at = 0, None
    for stage in stages():
        settled = _done(stage, made)
        done += settled
        at = at or (stage.name if settled < stage.size else None)
    return PlanProgress(done, sum(stage.size for stage in stages()), at)


def _done(stage: Stage, made: PlanRuns) -> int:
    try:
        configs = stage.runs(made)
    except RunError:  # what it needs is not there yet
        return 0
    return sum(map(made.has_settled, made.planned(configs)))
