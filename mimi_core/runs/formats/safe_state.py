"""`resume/newest.safetensors` and `previous.safetensors`: the last two states from which a run can go on exactly.

Tensors: `model/<name>` what training changes, `adapters/<site>/<part>` adapters named by their site (in a branch),
`optimizer/<name>/<key>` moments, `seen/<site>/<key>` what was watched for scores, `scores/<score>/<site>` scores that a
branch brings along, `epoch/<key>` what adds up within an epoch. Metadata: one JSON under `state`, with the size of the
event file at that moment and a checksum of the tensors: a flipped byte must not go on with other numbers.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from mimi_core.errors import RunError
from mimi_core.reading import open_regular
from mimi_core.runs import files, writing
from mimi_core.runs.formats import checksum, versions
from mimi_core.runs.formats.npz import UNREADABLE

VERSION = 1
Arrays = Mapping[str, np.ndarray]
State = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Arrays by key, and JSON-safe metadata."""
_NEWEST, _PREVIOUS = "newest.safetensors", "previous.safetensors"
_METADATA, _EVENTS_SIZE = "state", "events_size"


def model_key(name: str) -> str:
    return f"model/{name}"


def adapter_key(site: str, part: str) -> str:
    return f"adapters/{site}/{part}"


def optimizer_key(name: str, key: str) -> str:
    return f"optimizer/{name}/{key}"


def seen_key(site: str, key: str) -> str:
    return f"seen/{site}/{key}"


def score_key(score: str, site: str) -> str:
    return f"scores/{score}/{site}"


def epoch_key(key: str) -> str:
    return f"epoch/{key}"


def under(tensors: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """The tensors whose keys begin with a prefix such as `model_key("")`, by what follows it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def brought_scores(tensors: Arrays) -> dict[str, dict[str, np.ndarray]]:
    """Score -> site -> (N,) that a branch brought along."""
    brought: dict[str, dict[str, np.ndarray]] = {}
    for key, values in under(tensors, "scores/").items():
        score, _, site = key.partition("/")
        brought.setdefault(score, {})[site] = values
    return brought


def write(run: Path, tensors: Arrays, metadata: Mapping[str, Any]) -> None:
    """Keep a state, which holds for the events that are there now. The one before it stays as `previous`.

    On disk in this order, also when the power fails: the events, the state, its name.

    Raises:
        ResourceError: the folder cannot be written.
    """
    writing.make_folder(run, files.RESUME)
    size = writing.synced(run, files.EVENTS)
    complete = {**metadata, _EVENTS_SIZE: size, checksum.KEY: checksum.of(tensors), versions.KEY: VERSION}
    newest, previous = f"{files.RESUME}/{_NEWEST}", f"{files.RESUME}/{_PREVIOUS}"
    with writing.replaced(run, newest) as file:
        # Not safetensors' save_file: with that a full disk is no OSError.
        file.write(save(dict(tensors), metadata={_METADATA: json.dumps(complete)}))
        file.flush()
        os.fsync(file.fileno())
        writing.rename(run, newest, previous)
    writing.synced(run, files.RESUME)


def candidates(run: Path) -> Iterator[tuple[State, int]]:
    """The states that are whole, the newest first, each with the size that the event file had.

    Raises:
        RunError: one was written by a later version of this program.
    """
    return (state for path in kept(run) if (state := read(path)) is not None)


def kept(run: Path) -> list[Path]:
    """The files of the states that are there, whole or not, the newest first."""
    return [path for name in (_NEWEST, _PREVIOUS) if (path := run / files.RESUME / name).exists()]


def read(path: Path) -> tuple[State, int] | None:
    """A state, and the size that the event file had; None where it is not whole, or not as it was written.

    Raises:
        RunError: it was written by a later version of this program.
    """
    try:
        with open_regular(path), safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {})[_METADATA])
            versions.refuse_newer(metadata.pop(versions.KEY, None), VERSION, str(path))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
        size = int(metadata.pop(_EVENTS_SIZE))
    except RunError:  # says more than that it cannot be read
        raise
    except UNREADABLE:
        return None
    return ((tensors, metadata), size) if checksum.fits(metadata.pop(checksum.KEY, None), tensors) else None
