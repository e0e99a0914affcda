"""What the demo shows, measured: the demo preset against a linear probe, wide adapters and full fine-tuning.

    python -m benchmarks.demo [--seeds 3]

Learning rates of the other methods are chosen on validation images with seed 0, then fixed. Accuracy is the last
epoch's on test images that chose nothing. Writes results/demo.json and the table of the README.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from scipy import stats

from mimi_core.config import RunConfig, make_config
from mimi_core.runs.events import RunState, fold
from mimi_core.train.cycle import run

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
MARKS = ("<!-- measured:begin -->", "<!-- measured:end -->")
LEARNING_RATES = {"linear": ("0.01", "0.03", "0.1"), "full": ("0.0005", "0.001", "0.002")}


def measure(config: RunConfig) -> tuple[RunState, float]:
    started = time.monotonic()
    state = fold(run(config))
    return state, time.monotonic() - started


def demo(seed: int, *sets: str) -> RunConfig:
    return make_config(preset="demo", sets=[f"seed={seed}", f"data.seed={seed}", *sets])


def best_learning_rate(method: str, epochs: int) -> str:
    """By validation accuracy on seed 0."""

    def accuracy(lr: str) -> float:
        state, _ = measure(demo(0, f"method={method}", f"train.lr={lr}", f"train.epochs={epochs}"))
        found = state.accuracy(0, split="val")
        assert found is not None
        print(f"  {method} lr {lr}: validation {found:.3f}", flush=True)
        return found

    return max(LEARNING_RATES[method], key=accuracy)


def collect(seeds: int) -> dict[str, Any]:
    rates = {method: best_learning_rate(method, demo(0).train.epochs) for method in LEARNING_RATES}
    rows: dict[str, list[dict[str, Any]]] = {"mimi": [], **{method: [] for method in rates}}
    for seed in range(seeds):
        state, seconds = measure(demo(seed))
        cycles = range(state.total_cuts + 1)
        rows["mimi"].append(
            {
                "seconds": seconds,
                "neurons": [sum(widths.values()) for widths in state.widths],
                "removed": [sum(1 for width in widths.values() if width == 0) for widths in state.widths],
                "trained": [state.accuracy(k) for k in cycles],
                "cut": [None, *(state.accuracy(k, "cut") for k in cycles if k)],
                "parameters": [state.started.trained_parameters, *(c.trained_parameters for c in state.cuts)],  # type: ignore[union-attr]
            }
        )
        print(f"  mimi seed {seed}: {rows['mimi'][-1]}", flush=True)
        for method, lr in rates.items():
            state, seconds = measure(demo(seed, f"method={method}", f"train.lr={lr}"))
            parameters = state.started.trained_parameters if state.started else 0
            rows[method].append(
                {"trained": [state.accuracy(0)], "parameters": [parameters], "seconds": seconds, "lr": lr}
            )
            print(f"  {method} seed {seed}: {rows[method][-1]}", flush=True)
    hardware = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "hardware": hardware,
        "seeds": seeds,
        "rows": rows,
    }


def interval(values: list[float]) -> str:
    """Mean and half-width of the 95 % t interval, in percent."""
    mean = statistics.mean(values)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else float("nan")
    return f"{100 * mean:.1f} ± {100 * half:.1f}"


def table(found: dict[str, Any]) -> str:
    """The README's table."""
    mimi = found["rows"]["mimi"]
    lines = [
        "| | neurons | adapters gone | trained parameters | right after the cut | after training |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for k in range(len(mimi[0]["neurons"])):
        gone = [run["removed"][k] for run in mimi]
        spread = str(gone[0]) if len(set(gone)) == 1 else f"{min(gone)} to {max(gone)}"
        cut = interval([run["cut"][k] for run in mimi]) if k else ""
        parameters = statistics.mean(run["parameters"][k] for run in mimi)
        after = interval([run["trained"][k] for run in mimi])
        title = f"MiMi, cut {k}" if k else "MiMi, start"
        lines.append(f"| {title} | {mimi[0]['neurons'][k]} | {spread} | {parameters:,.0f} | {cut} | {after} |")
    for method, title in (("linear", "linear probe"), ("full", "full fine-tuning")):
        runs = found["rows"][method]
        after = interval([run["trained"][0] for run in runs])
        lines.append(f"| {title}, lr {runs[0]['lr']} | | | {runs[0]['parameters'][0]:,} | | {after} |")
    seconds = statistics.median(run["seconds"] for run in mimi)
    points = "; ".join(
        f"seed {seed}: " + ", ".join(f"{100 * accuracy:.1f}" for accuracy in run["trained"])
        for seed, run in enumerate(mimi)
    )
    return "\n".join(
        [
            *lines,
            "",
            f"Test accuracy in percent on 800 digits, mean of {found['seeds']} seeds with the 95 % t interval; "
            f"the last epoch's, nothing was chosen on test images. One demo run takes {seconds:.0f} s here "
            f"({found['hardware']}; {found['date']}). MiMi after training, start and every cut, {points}. "
            "Made by `python -m benchmarks.demo`.",
        ]
    )


def write(found: dict[str, Any]) -> None:
    (HERE / "results" / "demo.json").write_text(json.dumps(found, indent=1) + "\n")
    text = README.read_text()
    before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    README.write_text(f"{before}{MARKS[0]}\n{table(found)}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    found = collect(parser.parse_args().seeds)
    write(found)
    print(table(found))
