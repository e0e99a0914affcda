"""The spread of differences over seeds that tuning saw: what the plan's power is judged by before the study proper."""

from math import sqrt
from statistics import fmean, variance

from mimi_core.study.plan import CONTRASTS, MIMI, TASKS, Arm, Task
from mimi_core.study.power import MadeUpTask
from mimi_core.study.stages import PlanRuns


def spread_in_tuning(made: PlanRuns) -> list[MadeUpTask]:
    """Of every task, from validation accuracies of the learning rates that were chosen, over all primaries.

    Raises:
        RunError: a run of the tuning of the primaries' arms has not finished.
    """
    return [_of_task(made, task) for task in TASKS]


def _of_task(made: PlanRuns, task: Task) -> MadeUpTask:
    def reached(arm: Arm) -> list[float]:
        return [made.validation_accuracy(planned) for planned in made.at_chosen_rate(arm, task)]

    def differences(first: Arm, second: Arm) -> list[float]:
        return [one - two for one, two in zip(reached(first), reached(second), strict=True)]

    run = made.at_chosen_rate(MIMI, task)[0].run
    assert run is not None
    started = made.store.state(run.id).started
    assert started is not None
    spread = sqrt(fmean(variance(differences(*arms)) for arms in CONTRASTS))
    return MadeUpTask(fmean(reached(MIMI)), spread, started.split_sizes["test"])
