"""A run holds to its data and its backbone: what they are is kept when it starts, and compared when it goes on."""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from mimi_core.config import RunConfig
from mimi_core.data import Dataset
from mimi_core.data.parallel import in_chunks
from mimi_core.data.types import FileImages, Images, InFiles, JoinedImages, Progress, Split
from mimi_core.errors import RunError
from mimi_core.runs import files
from mimi_core.runs.formats import fingerprint
from mimi_core.runs.formats.fingerprint import Fingerprint, SplitPrint
from mimi_core.runs.recorder import AnyRecorder, Recorder

SPLITS = ("train", "val", "test")


def hold(recorder: AnyRecorder, config: RunConfig, dataset: Dataset) -> None:
    """Keep the fingerprint of a run that starts; of one that goes on, see that it is still the same.

    A run without one (of before it was kept, or whose changes were accepted) takes what there is now for its own.

    Raises:
        RunError: something changed; the message says what, and what to do.
    """
    if not isinstance(recorder, Recorder):
        return

    def tell(split: str) -> Progress:
        return lambda done, of: recorder.update(message=f"comparing {split} images: {done} of {of}")

    now = taken(config, dataset, tell)
    recorder.update(message="")
    kept = fingerprint.read(recorder.run)
    goes_on = (recorder.run / files.RESUME).is_dir()
    if kept and goes_on and (told := fingerprint.changes(kept, now, config)):
        raise RunError(
            f"not the same as when the run started: {'; '.join(told)}. Its test images could have been trained on, or "
            "its weights not fit; restore what was there, start a new run, or go on all the same with "
            f"`mimi resume {recorder.run.name} --accept-changes`"
        )
    if kept != now:
        fingerprint.write(recorder.run, now)


def taken(
    config: RunConfig, dataset: Dataset, tell: Callable[[str], Progress | None] = lambda split: None
) -> Fingerprint:
    """Of what there is now; `tell` gives what is told how far a split is. Raises RunError where the backbone's file
    cannot be read."""
    return Fingerprint(
        backbone=fingerprint.of_backbone(config),
        class_names=dataset.class_names,
        splits={name: _of(getattr(dataset, name), len(dataset.class_names), tell(name)) for name in SPLITS},
    )


def check_images(run: Path, config: RunConfig, dataset: Dataset, split: str) -> None:
    """Raises RunError where the images of a split, or the classes, are not those that the run had."""
    kept = fingerprint.read(run)
    if kept is None:
        return
    images = {split: _of(getattr(dataset, split), len(dataset.class_names))}
    now = Fingerprint(backbone=kept.backbone, class_names=dataset.class_names, splits=images)
    if told := fingerprint.changes(kept, now, config):
        raise RunError(f"{run.name} had other images: {'; '.join(told)}. Put back what was there")


def _of(split: Split, classes: int, on_progress: Progress | None = None) -> SplitPrint:
    """Names count from the folder that all have in common, so that a dataset may move as a whole."""
    images = split.images
    if isinstance(images, FileImages):
        paths = [str(path) for path in images.paths]
        top = os.path.commonpath([str(Path(path).parent) for path in paths]) if paths else ""
        names = [f"{os.path.relpath(path, top)} {_size(path)}" for path in paths]
    else:
        names = [images.describe(index) for index in range(len(images))]
    seen = hashlib.sha256()
    for name, label in zip(names, split.labels.tolist(), strict=True):
        seen.update(f"{name}\0{label}\n".encode(errors="surrogateescape"))
    counts = np.bincount(split.labels, minlength=classes).tolist()
    return SplitPrint(images=tuple(counts), sha256=seen.hexdigest(), content=_content(split, classes, on_progress))


def _content(split: Split, classes: int, on_progress: Progress | None) -> tuple[str, ...]:
    """For each class a hash over what its images hold. They were all read a moment ago, so that this takes little."""
    of_class = [hashlib.blake2b(digest_size=16) for _ in range(classes)]
    labels = iter(split.labels.tolist())
    threads = os.cpu_count() or 1
    for digests in in_chunks(partial(_digest, split.images), range(len(split)), threads, on_progress):
        for digest in digests:
            of_class[next(labels)].update(digest)
    return tuple(one.hexdigest() for one in of_class)


def _digest(images: Images, index: int) -> bytes:
    """Of an image's file, or where it comes from none, of its pixels."""
    hashed = hashlib.blake2b(digest_size=16)
    content = images.content(index) if isinstance(images, InFiles | JoinedImages) else None
    hashed.update(images[index].tobytes() if content is None else content)
    return hashed.digest()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1  # whoever reads the image will say so
