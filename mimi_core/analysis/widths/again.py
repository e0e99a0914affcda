"""One config done twice: whether the two runs ended alike, and what was recorded to differ between them. Plain text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mimi_core.analysis.common.words import count, listed, percent
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.fingerprint import Fingerprint

NUMBERS = (
    "The number of threads, the model of processor and the versions of libraries decide in which order sums are made, "
    "so they change the last digits, and neurons that score almost alike change places."
)
"""Why such things change a result."""


@dataclass(frozen=True)
class TwinRun:
    """A run, and what it was done on and with."""

    label: str
    state: RunState
    images: Fingerprint | None
    """Of its data; None where none was kept."""


def twin_in_words(this: TwinRun, other: TwinRun) -> str:
    """How another run of the same settings and seed ended, and what differs between the two."""
    ours, theirs = _widths(this.state), _widths(other.state)
    same = ours == theirs and this.state.last_accuracy == other.state.last_accuracy
    what = differing(this, other)
    if same:
        also = f", though these differ: {'; '.join(what)}" if what else ""
        return f"The same settings and seed once more ({other.label}) ended the same, neuron by neuron{also}."
    ended = (
        f"The same settings and seed once more ({other.label}) ended otherwise: {_end(other.state)}; this one "
        f"{_end(this.state)}."
    )
    if what:
        return f"{ended} What differs: {'; '.join(what)}. {NUMBERS}"
    return (
        f"{ended} Nothing that is recorded differs: threads, processor, versions and images are the same or not known."
    )


def differing(this: TwinRun, other: TwinRun) -> list[str]:
    """What differs: `device: CPU, 2 threads here, CPU, 1 thread there`. What only one of the runs kept is left out."""
    ours, theirs = _conditions(this), _conditions(other)
    return [
        f"{what}: {ours[what]} here, {theirs[what]} there"
        if what != _IMAGES
        else "the images: other files, or other numbers of them"
        for what in ours
        if what in theirs and ours[what] != theirs[what]
    ]


def spread(runs: Sequence[RunState]) -> str:
    """How much runs that differ by their seeds alone differ at their ends. Of two runs or more."""
    lost = [sum(not n for n in _widths(run).values()) for run in runs]
    of = len(_widths(runs[0]))
    said = f"{min(lost)} to {max(lost)}" if min(lost) < max(lost) else f"each time {lost[0]}"
    parts = [f"{said} of {count(of, 'adapter')} were lost"]
    accuracies = [accuracy for run in runs if (accuracy := run.last_accuracy) is not None]
    if len(accuracies) == len(runs):
        parts.append(f"test accuracy ended between {percent(min(accuracies))} and {percent(max(accuracies))}")
    return f"Over these {len(runs)} seeds {listed(parts)}."


_IMAGES = "images"


def _conditions(done: TwinRun) -> Mapping[str, str]:
    started = done.state.started
    known = {"device": started.device, **started.versions} if started else {}
    if done.images is not None:
        known[_IMAGES] = done.images.model_dump_json(include={"class_names", "splits"})
    return known


def _widths(state: RunState) -> dict[str, int]:
    return state.widths[-1] if state.widths else {}


def _end(state: RunState) -> str:
    widths = _widths(state)
    said = f"{sum(not n for n in widths.values())} of {count(len(widths), 'adapter')} lost"
    return (
        said if state.last_accuracy is None else f"{said} and {percent(state.last_accuracy)} of the test images right"
    )
