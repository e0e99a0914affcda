"""How far the time left that a run tells is from the time that it then takes.

    python -m benchmarks.eta [--out results/eta.json]

Real runs, one after the other, each driven as a worker drives it, without the linear probe that comes before it. At
every update from 10 % on the time left is held against the time until the end. Writes results/eta.json.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from mimi_core.config import make_config
from mimi_core.runs.status import Status
from mimi_core.runs.store import Store
from mimi_core.train.setup import processor_name
from mimi_core.train.worker import work

RESULTS = Path(__file__).resolve().parent / "results" / "eta.json"
RUNS = {
    "the quick look": ("quick", ()),
    "the demo, a sixth of its epochs": ("demo", ("train.epochs=2",)),
    "annealed cuts": ("demo", ("train.epochs=8", "prune.schedule=anneal")),
    "LoRA, no cuts": ("demo", ("train.epochs=5", "method=lora")),
}
FROM, LEAST_LEFT = 0.1, 1.0
"""Share of the run from which on the time left counts; and seconds left, of which fewer are all the same to people."""


def measure(preset: str, sets: tuple[str, ...]) -> dict[str, Any]:
    told: list[tuple[float, Status]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run_id = store.create(make_config(preset=preset, sets=[*sets, "probe=false"]))
        started = time.monotonic()
        work(store.folder(run_id), on_update=lambda status: told.append((time.monotonic(), status)))
        ended = time.monotonic()
    first = next((now for now, status in told if status.eta_seconds is not None), ended)
    errors = [
        abs(status.eta_seconds - (ended - now)) / (ended - now)
        for now, status in told
        if status.eta_seconds is not None and status.progress >= FROM and ended - now >= LEAST_LEFT
    ]
    return {
        "seconds": round(ended - started, 1),
        "estimating_seconds": round(first - started, 1),
        "updates": len(errors),
        "median_error": round(statistics.median(errors), 3) if errors else None,
        "largest_error": round(max(errors), 3) if errors else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=RESULTS)
    out: Path = parser.parse_args().out
    runs = {}
    for name, (preset, sets) in RUNS.items():
        load = os.getloadavg()[0]
        runs[name] = {**measure(preset, sets), "load_before": round(load, 1)}
        print(name, runs[name], flush=True)
    result = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "processor": processor_name(), "system": platform.platform()},
        "runs": runs,
    }
    out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
