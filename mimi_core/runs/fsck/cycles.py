"""What a run keeps of the cycles that it has done: whether it is there, whole, and of these very neurons."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from mimi_core.errors import MimiError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import RunState
from mimi_core.runs.formats import answers, cycle_weights, damage, gallery, npz, scores
from mimi_core.runs.formats.gallery import Gallery
from mimi_core.runs.fsck.problem import Problem

_NO_MODEL = (
    "lost: nothing can be predicted with, exported or branched from this cycle; a new run of the config makes it again"
)
_NO_SCORES = "lost: Why and what-if cannot show this cut; a new run of the config makes it again"
_NO_END_SCORES = "lost: no branch can go on from the end of the run by them; a new run of the config makes them again"
_NO_ANSWERS = "lost: what was said of each test image then; a new run of the config makes it again"
_NO_PREDICTIONS = "lost: Predict shows this cycle without its predictions; a new run of the config makes them again"
_NO_PICTURES = "drawn again from the data by --repair, or by resume where the run is not finished"


def done(state: RunState) -> int:
    """How many cycles, from 0 on, a run has left behind it and does not touch again."""
    finished = state.ended is not None and state.ended.status == "finished"
    if state.decides_ranks:
        return int(finished)
    return len(state.cuts) + finished if state.started else 0


def problems(run: Path, state: RunState) -> Iterator[Problem]:
    """Of the gallery, and of the cycles that are done."""
    if not (until := done(state)):
        return
    if not (run / files.CYCLES).exists():
        yield Problem(
            files.CYCLES, "is missing: of all cycles only the account in events.jsonl is left", "copy it from elsewhere"
        )
        return
    problem = gallery_problem(run)
    if problem:
        yield problem
    if any(answers.path_of(run, cycle).exists() for cycle in range(until)):  # runs of earlier versions have none
        try:
            answers.read_images(run)
        except MimiError as error:
            yield Problem(answers.IMAGES, str(error), _NO_ANSWERS)
    pictures = None if problem else gallery.read_gallery(run)
    for cycle in range(until):
        yield from _of_cycle(run, state, cycle, pictures)


def gallery_problem(run: Path) -> Problem | None:
    try:
        npz.refuse_damaged(gallery.gallery_path(run), "the gallery's images")
        gallery.read_gallery(run)
    except MimiError as error:
        return Problem(files.GALLERY, str(error), _NO_PICTURES)
    return None


def _of_cycle(run: Path, state: RunState, cycle: int, pictures: Gallery | None) -> Iterator[Problem]:
    for name, remedy, read in _readers(run, state, cycle, pictures):
        try:
            if name.endswith(".npz") and (path := run / files.in_cycle(cycle, name)).exists():
                npz.refuse_damaged(path, "arrays of this cycle")
            read()
        except MimiError as error:
            yield Problem(files.in_cycle(cycle, name), str(error), remedy)


def _readers(
    run: Path, state: RunState, cycle: int, pictures: Gallery | None
) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Of every file that a cycle must have: its name, what its loss means, and what raises MimiError unless it is
    whole."""
    yield cycle_weights.FILE, _NO_MODEL, lambda: _weights(run, state, cycle)
    alive = _alive(state.widths[cycle])
    if cycle:
        before = _alive(state.widths[cycle - 1])
        yield f"{scores.AT_A_CUT}.npz", _NO_SCORES, lambda: _cut(run, cycle, before, state)
    if alive and not state.decides_ranks and cycle == state.total_cuts:
        yield f"{scores.AT_THE_END}.npz", _NO_END_SCORES, lambda: _end_scores(run, cycle, alive)
    if damage.path_of(run, cycle).exists():
        yield f"{damage.NAME}.npz", _NO_SCORES, partial(damage.read, run, cycle)
    classes = len(state.started.class_names) if state.started else 0
    for e in state.evaluations:
        if (e.cycle, e.split) == (cycle, "test") and (run / answers.IMAGES).exists():
            read_answers = partial(answers.read, run, cycle, e.stage, e.images, classes)
            yield f"{answers.name_of(e.stage)}.npz", _NO_ANSWERS, read_answers
    if pictures is not None:
        read = partial(gallery.read_probabilities, run, cycle, pictures, classes)
        yield f"{gallery.PREDICTIONS}.npz", _NO_PREDICTIONS, read


def _weights(run: Path, state: RunState, cycle: int) -> None:
    """Raises RunError where they cannot be read, or are of other neurons than the events tell."""
    there = {
        part[0]: values.shape[0]
        for key, values in cycle_weights.read(run, cycle).items()
        if (part := cycle_weights.adapter_part(key)) and part[1] == "down"
    }
    if not state.decides_ranks and there and there != _alive(state.widths[cycle]):
        raise RunError(f"the adapters of cycle {cycle} have other widths than the events tell")


def _cut(run: Path, cycle: int, before: dict[str, int], state: RunState) -> None:
    scores.read_scores_of_cut(run, cycle, before, state.widths[cycle])


def _end_scores(run: Path, cycle: int, widths: dict[str, int]) -> None:
    if not scores.path_of(run, cycle, scores.AT_THE_END).exists():
        raise RunError("the scores at the end of the run are not there")
    scores.read_end(run, cycle, widths)


def _alive(widths: dict[str, int]) -> dict[str, int]:
    return {site: neurons for site, neurons in widths.items() if neurons}
