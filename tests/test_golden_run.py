"""The `quick` run as it was before the house was rebuilt: events, widths, accuracies and weights, to the bit.

On the kind of CPU that made the golden file every number must be the same. Another kind may sum in another order, so
there numbers are held to a tolerance; widths and everything that is counted stay exact.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from mimi_core.runs.store import Store
from tests.warm import mimi

GOLDEN = Path(__file__).parent / "golden" / "quick.json"
OF_THE_MOMENT = ("time", "seconds", "images_per_second", "run_id", "versions", "config", "memory_bytes", "device")
"""What no two runs share."""


def cpu() -> str:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in info if line.startswith("flags")), "unknown")


def account(folder: Path) -> dict[str, Any]:
    """Everything a run said and made that another run of the same config must say and make again."""
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [{k: v for k, v in json.loads(line).items() if k not in OF_THE_MOMENT} for line in lines]
    weights = {}
    for file in sorted(folder.glob("cycles/*/adapters.safetensors")):
        for name, tensor in sorted(load_file(file).items()):
            digest = hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest()[:16]
            weights[f"{file.parent.name}/{name}"] = [list(tensor.shape), digest, float(np.abs(tensor).sum())]
    return {"cpu": cpu(), "events": events, "weights": weights}


@pytest.mark.slow
def test_the_quick_run_is_the_same_to_the_bit(tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    done = mimi("run", "--preset", "quick", "--set", "train.device=cpu", "--runs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = account(Store(tmp_path).list()[0].folder)
    assert [e["event"] for e in made["events"]] == [e["event"] for e in golden["events"]]
    same_cpu = made["cpu"] == golden["cpu"]
    for new, old in zip(made["events"], golden["events"], strict=True):
        for key, value in old.items():
            if isinstance(value, float) and not same_cpu:
                assert new[key] == pytest.approx(value, rel=1e-3, abs=0.02), (old["event"], key)
            else:
                assert new[key] == value, (old["event"], key)
    assert made["weights"].keys() == golden["weights"].keys()
    for name, (shape, digest, total) in golden["weights"].items():
        assert made["weights"][name][0] == shape, name
        if same_cpu:
            assert made["weights"][name][1] == digest, name
        else:
            # Where a gradient is near zero its sign is rounding's, and Adam moves the weight by a whole step.
            assert made["weights"][name][2] == pytest.approx(total, rel=5e-2), name
