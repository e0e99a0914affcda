"""One whole run, with every kind of file that a run folder can have, and a pack: what the fuzzer starts from."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np

from mimi_core.config import read_run_config
from mimi_core.export.opened_pack import MANIFEST
from mimi_core.resources import EXAMPLES
from mimi_core.runs import files
from mimi_core.runs.formats import cycle_weights, fingerprint, probe, safe_state

PACK = "pack.zip"


def make(place: Path) -> Path:
    """The bundled run that cut globally, with what runs at work have besides; `place` is where the run folder comes."""
    example = next(path for path in sorted(EXAMPLES.iterdir()) if "global" in path.name)
    run = place / example.name
    shutil.copytree(example, run)
    for number in range(2):
        tensors = {safe_state.model_key("head"): np.arange(6.0, dtype=np.float32)}
        safe_state.write(run, tensors, {"cycle": number, "epoch": 1, "seconds": 1.0, "widths": {"a": 2}})
    splits = {"train": fingerprint.SplitPrint(images=(1, 2), sha256="0" * 64)}
    fingerprint.write(run, fingerprint.Fingerprint(backbone=None, class_names=("a", "b"), splits=splits))
    (run / probe.NAME).write_text(probe.Probe(key="k", test_accuracy=0.5, test_images=9).model_dump_json())
    _pack(run)
    return run


def _pack(run: Path) -> None:
    weights, text = cycle_weights.path_of(run, 1).read_bytes(), (run / files.CONFIG).read_bytes()
    sums = {cycle_weights.FILE: weights, files.CONFIG: text}
    manifest = {
        "format": 1, "run": run.name, "cycle": 1, "class_names": [str(n) for n in range(10)],
        "preprocessing": {"image_size": 64, "mean": [0.5] * 3, "std": [0.5] * 3, "grey": False},
        "backbone": read_run_config(run / files.CONFIG).backbone.name, "backbone_sha256": "0" * 64, "versions": {},
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in sums.items()},
    }  # fmt: skip
    with zipfile.ZipFile(run / PACK, "w") as archive:
        for name, content in {**sums, MANIFEST: json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
