"""`fingerprint.json`: of which backbone file and which images a run is, so that it never goes on with others unnoticed.

Of images it keeps their number by class, one hash over all names, sizes and labels, and for each class one over what
the images hold: it finds what people do (add, remove, rename, replace), also by a picture of the same size in bytes.
Runs of before it was kept have none, and older ones nothing of what images hold; they are compared by what they have.
"""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mimi_core.config import RunConfig
from mimi_core.errors import MimiError, RunError
from mimi_core.reading import read_regular
from mimi_core.runs import writing

NAME = "fingerprint.json"
_SHOWN = 4
_LARGEST = 2**26


class SplitPrint(BaseModel):
    model_config = ConfigDict(frozen=True)

    images: tuple[int, ...]
    """How many of every class, in the order of the classes."""
    sha256: str
    """Over name, size in bytes and label of each image, in their order."""
    content: tuple[str, ...] | None = None
    """For each class, over what its images hold, in their order; None: it was not kept."""


class Fingerprint(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    backbone: str | None
    """SHA-256 of the file in `backbone.checkpoint`; None where weights are named and not given as a file."""
    class_names: tuple[str, ...]
    splits: dict[str, SplitPrint]


def of_backbone(config: RunConfig) -> str | None:
    """SHA-256 of the checkpoint that a config names. Raises RunError where it cannot be read."""
    path = config.backbone.checkpoint
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"checkpoint {path} cannot be read ({error.strerror})") from error


def write(run: Path, fingerprint: Fingerprint) -> None:
    writing.write_text(run, NAME, fingerprint.model_dump_json(indent=1))


def read(run: Path) -> Fingerprint | None:
    """None where none was kept. Raises RunError where it cannot be read."""
    if not (run / NAME).exists():
        return None
    try:
        return Fingerprint.model_validate_json(read_regular(run / NAME, _LARGEST))
    except (OSError, ValueError, MimiError) as error:
        raise RunError(
            f"{run / NAME} cannot be read: update the program if a later version wrote it; else remove it if the run's "
            "data and backbone are unchanged"
        ) from error


def forget(run: Path) -> None:
    """What has changed is accepted: the run's next attempt takes what there is then for its own."""
    writing.remove(run, NAME)


def check_backbone(run: Path, config: RunConfig) -> None:
    """Raises RunError where the backbone's file is not the one that the run was trained on."""
    kept = read(run)
    if kept and config.method != "full" and (told := _backbone(kept.backbone, of_backbone(config), config)):
        raise RunError(f"{run.name} was trained on other weights: {told}. Put the file back that it was trained on")


def changes(kept: Fingerprint, now: Fingerprint, config: RunConfig) -> list[str]:
    """What is other now, in words; nothing if nothing is."""
    told = [_backbone(kept.backbone, now.backbone, config)]
    old, new = kept.class_names, now.class_names
    if set(old) != set(new):
        gone, come = [n for n in old if n not in new], [n for n in new if n not in old]
        parts = [f"{what}: {_listed(names)}" for what, names in (("gone", gone), ("new", come)) if names]
        told.append(f"classes {'; '.join(parts)}")
    elif old != new:
        told.append("the classes are in another order")
    else:
        told += [_split(name, kept.splits.get(name), split, new) for name, split in now.splits.items()]
    return [part for part in told if part]


def _backbone(kept: str | None, now: str | None, config: RunConfig) -> str:
    return "" if kept == now else f"{config.backbone.checkpoint} holds another backbone than when the run started"


def _split(name: str, kept: SplitPrint | None, now: SplitPrint, class_names: tuple[str, ...]) -> str:
    if kept is None or kept == now:
        return ""
    if kept.sha256 == now.sha256 and kept.images == now.images:
        contents = zip(class_names, kept.content or (), now.content or (), strict=False)
        other = [label for label, old, new in contents if old != new]
        return f"{name} images of the same names and sizes hold something else: {_listed(other)}" if other else ""
    pairs = zip(class_names, kept.images, now.images, strict=False)
    counts = [f"{label} {old} -> {new}" for label, old, new in pairs if old != new]
    if counts:
        return f"{name} images: {_listed(counts)}"
    return f"as many {name} images as before, but other files, or files of other sizes"


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
