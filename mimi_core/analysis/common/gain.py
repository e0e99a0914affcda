"""What a run gained over a converged linear probe on its frozen features, in careful words. Plain text, no pandas."""

from pathlib import Path

import numpy as np

from mimi_core.analysis.common.proportions import Difference, apart, together
from mimi_core.analysis.common.statistics import INTERVAL
from mimi_core.analysis.common.words import OF_ACCURACY, percent, points
from mimi_core.errors import RunError
from mimi_core.runs.events import Evaluated, RunState
from mimi_core.runs.formats import answers
from mimi_core.runs.formats import probe as probe_file
from mimi_core.runs.formats.probe import Probe

WHAT = "a converged linear probe on the frozen features"


def of_run(run: Path, state: RunState, cycle: int | None = None) -> str:
    """The sentence about a run, from its folder: image by image where it kept what it said of each."""
    probe = probe_file.read(run)
    return sentence(state, probe, cycle, right_on_test(run, state, cycle)) if probe else ""


def over_probe(
    state: RunState, probe: Probe | None, cycle: int | None = None, right: np.ndarray | None = None
) -> Difference | None:
    """The run less the probe on the test images; None while one of them is not known.

    Args:
        cycle: at the end of whose training; None: as the run stands or ended, see `RunState.last_accuracy`.
        right: (n,) bool, which test images the run then told right, where that was kept: it narrows the interval.
    """
    last = last_on_test(state, cycle)
    if probe is None or probe.absent or not probe.test_images or last is None:
        return None
    known = probe.told
    if right is not None and known is not None and len(right) == len(known):
        return together(right, known)
    return apart(last.accuracy, probe.test_accuracy, probe.test_images)


def sentence(state: RunState, probe: Probe | None, cycle: int | None = None, right: np.ndarray | None = None) -> str:
    """What is to be said of it; nothing where there is no probe, or no accuracy yet."""
    if probe is None:
        return ""
    if probe.absent:
        return f"There is no linear probe to compare with: {probe.absent}."
    difference = over_probe(state, probe, cycle, right)
    return "" if difference is None else " ".join(filter(None, [_said(difference), _fewer(probe)]))


def alone(probe: Probe | None) -> str:
    """What the probe reaches, while the run has nothing to show."""
    if probe is None or probe.absent:
        return ""
    reached = f"{percent(probe.test_accuracy)} of {probe.test_images:,} test images"
    return " ".join(filter(None, [f"{WHAT[0].upper()}{WHAT[1:]} reaches {reached}.", _fewer(probe)]))


def _said(gap: Difference) -> str:
    accuracies = f"{percent(gap.first)} against {percent(gap.second)}"
    value = f"{points(gap.value, signed=True)} points"
    between = f"{points(gap.low, signed=True)} to {points(gap.high, signed=True)}"
    if gap.verdict not in OF_ACCURACY:
        return (
            f"No difference to {WHAT} is shown: {accuracies}, {value}, and with {gap.images:,} test images anything "
            f"from {between} is plausible ({INTERVAL}; other seeds may differ)."
        )
    return (
        f"This run is {OF_ACCURACY[gap.verdict]} than {WHAT}: {accuracies}, {value} ({INTERVAL} {between} over "
        f"{gap.images:,} test images; other seeds may differ)."
    )


def _fewer(probe: Probe) -> str:
    if probe.train_images == probe.of_train_images:
        return ""
    return f"The probe was fitted on {probe.train_images:,} of the {probe.of_train_images:,} training images."


def last_on_test(state: RunState, cycle: int | None = None) -> Evaluated | None:
    """The last evaluation on test images: of a cycle, or as `RunState.last_accuracy` chooses."""
    finished = state.ended is not None and state.ended.status == "finished"
    tests = [e for e in state.evaluations if e.split == "test"]
    if cycle is None:
        own = [e for e in tests if finished or e.stage == "trained"]
    else:
        own = [e for e in tests if e.cycle == cycle]
    return own[-1] if own else None


def right_on_test(run: Path, state: RunState, cycle: int | None = None) -> np.ndarray | None:
    """(n,) bool, which test images were told right at that moment; None where it was not kept."""
    last = last_on_test(state, cycle)
    if last is None or state.started is None:
        return None
    try:
        labels = answers.read_images(run).label
        said = answers.read(run, last.cycle, last.stage, last.images, len(state.started.class_names))
    except RunError:
        return None
    return said.predicted == labels if len(labels) == last.images else None
