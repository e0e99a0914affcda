"""`cycles/<k>/adapters.safetensors`: all that was trained, as it was at the end of cycle k.

Tensors: `adapters.<site>.<part>` for the adapters (down: (N, M), up: (M, N)), `model.<name>` for everything else.
Metadata, each as JSON: version, checksum, cycle, widths (site -> neurons), config, class_names, and levels: which
values of 16-bit images became black and white (where it is missing: 0 and 65535).
"""

import json
from collections.abc import Mapping
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

FILE = "adapters.safetensors"
LEVELS = "levels"
VERSION = 1
_ADAPTERS, _MODEL = "adapters.", "model."


def path_of(run: Path, cycle: int) -> Path:
    return files.cycle_folder(run, cycle) / FILE


def adapter_key(site: str, part: str) -> str:
    """Of a part, down or up, of the adapter at a site."""
    return f"{_ADAPTERS}{site}.{part}"


def model_key(name: str) -> str:
    """Of anything else that was trained, by its name in the model."""
    return _MODEL + name


def adapter_part(key: str) -> tuple[str, str] | None:
    """Site and part that a key names; None for one of the rest."""
    site, _, part = key.removeprefix(_ADAPTERS).rpartition(".")
    return (site, part) if key.startswith(_ADAPTERS) else None


def model_name(key: str) -> str:
    """The name in the model of one of the rest."""
    return key.removeprefix(_MODEL)


def write(run: Path, cycle: int, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
    """Into the cycle's folder, which is there. Raises ResourceError where it cannot be written."""
    own = {checksum.KEY: checksum.of(tensors), versions.KEY: VERSION}
    texts = {key: json.dumps(value) for key, value in {**metadata, **own}.items()}
    writing.write_bytes(run, files.in_cycle(cycle, FILE), save(dict(tensors), metadata=texts))


def parsed(path: Path, texts: Mapping[str, str] | None) -> dict[str, Any]:
    """The metadata of an opened file.

    Raises:
        RunError: a later version of the program wrote it, or they are no metadata of a cycle.
    """
    try:
        metadata = {key: json.loads(text) for key, text in (texts or {}).items()}
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is no saved cycle of a run: it does not say of what") from error
    versions.refuse_newer(metadata.get(versions.KEY), VERSION, str(path))
    return metadata


def read(run: Path, cycle: int) -> dict[str, np.ndarray]:
    """All tensors by key. Raises RunError when the file is missing, broken, changed, or newer than the program."""
    path = path_of(run, cycle)
    try:
        with open_regular(path), safe_open(path, framework="numpy") as file:
            metadata = parsed(path, file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except RunError:  # says more than that it cannot be read
        raise
    except UNREADABLE as error:
        raise RunError(f"the adapters of cycle {cycle} cannot be read: {path} is missing or broken") from error
    if not checksum.fits(metadata.get(checksum.KEY), tensors):
        raise RunError(f"the adapters of cycle {cycle} are not as they were written: bytes of {path} have changed")
    return tensors
