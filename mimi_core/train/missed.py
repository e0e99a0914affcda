"""What a run kept and is not there any more, as after the power failed: drawn again if that can be, else told."""

from pathlib import Path

from mimi_core.config import read_run_config
from mimi_core.data import load
from mimi_core.errors import RunError
from mimi_core.runs import files
from mimi_core.runs.events import read_events
from mimi_core.runs.formats import fingerprint as kept
from mimi_core.runs.formats import npz
from mimi_core.runs.fsck import cycles
from mimi_core.runs.recorder import AnyRecorder, Recorder
from mimi_core.train import artefacts, fingerprint
from mimi_core.train.setup import Setup

CODE = "lost"
"""Of the warning."""


def by(recorder: AnyRecorder, setup: Setup) -> list[str]:
    """What is lost of a run that goes on, a line each, without what it has told before. Draws its gallery again."""
    if not isinstance(recorder, Recorder):
        return []
    if cycles.gallery_problem(recorder.run):
        artefacts.save_gallery(recorder, setup)
    state = read_events(recorder.run / files.EVENTS)
    told = {warning.message for warning in state.warnings}
    lines = [f"{problem.file}: {problem.what}. {problem.remedy}" for problem in cycles.problems(recorder.run, state)]
    return [line for line in lines if line not in told]


def redraw(run: Path) -> None:
    """Draw the gallery of a run again, from the same images.

    Raises:
        DataError: they are not there.
        RunError: they are not those that the run was trained on, or nobody knows.
    """
    config = read_run_config(run / files.CONFIG)
    dataset = load(config.data)
    known = kept.read(run)
    if known is None:
        raise RunError(f"{run.name} did not keep which images it was trained on, so its gallery cannot be drawn again")
    if told := kept.changes(known, fingerprint.taken(config, dataset), config):
        raise RunError(f"its images are not the same any more: {'; '.join(told)}")
    npz.write(run, files.GALLERY, artefacts.gallery_of(dataset))
