"""All parts, for as long as somebody has time; what came of it is written beside the measurements.

    python -m tests.torture [--minutes 30] [--seed N] [--only PART]

Writes benchmarks/results/torture.json, and torture.md with the same in a table. A case that was begun is ended, so on a
busy machine it takes longer than it was asked to. Loopback only.
"""

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.torture.clocks import clock_steps
from tests.torture.crowds import crowd
from tests.torture.disk import full_disk
from tests.torture.kills import kills
from tests.torture.part import Budget, Outcome, Part
from tests.torture.power import power_loss
from tests.torture.soak import soak
from tests.torture.strangers import fuzzed, strangers

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
PARTS: dict[str, tuple[Part, float]] = {
    "kills": (kills, 0.22),
    "power": (power_loss, 0.2),
    "disk": (full_disk, 0.12),
    "clock": (clock_steps, 0.06),
    "crowd": (crowd, 0.14),
    "hostile": (strangers, 0.06),
    "fuzz": (fuzzed, 0.1),
    "soak": (soak, 0.1),
}
"""With its share of the time."""


@dataclass
class Progress:
    """A line now and then: which part, how many cases, how long it all still takes as planned."""

    part: str
    later: float
    """Seconds that the parts after this one may take."""
    end: float
    shown: float = 0.0

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        if now - self.shown >= 5:
            self.shown = now
            left = max(self.end - now, 0) + self.later
            print(f"  {self.part}: case {number + 1}, about {left / 60:.1f} minutes left", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=PARTS, help="this part; it gets all the time, and nothing is written")
    options = parser.parse_args()
    names = [options.only] if options.only else list(PARTS)
    print(f"seed {options.seed}", flush=True)
    logging.disable(logging.WARNING)  # Streamlit's, about pages without a browser
    load, begun, told = os.getloadavg()[0], time.monotonic(), {}
    shares = {name: PARTS[name][1] for name in names}
    for place, name in enumerate(names):
        whole = 60 * options.minutes / sum(shares.values())
        later = whole * sum(shares[other] for other in names[place + 1 :])
        told[name] = carried_out(name, whole * shares[name], later, options.seed)
    minutes = (time.monotonic() - begun) / 60
    summary = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load_before": round(load, 1),
        "seed": options.seed,
        "minutes_asked_for": options.minutes,
        "minutes": round(minutes, 1),
        "parts": told,
    }
    print(as_table(summary))
    if not options.only:
        (RESULTS / "torture.json").write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
        (RESULTS / "torture.md").write_text(as_table(summary), "utf-8")
    sys.exit(any(part["failures"] for part in told.values()))


def carried_out(name: str, seconds: float, later: float, seed: int) -> dict[str, Any]:
    print(f"{name}: {seconds:.0f} s", flush=True)
    begun = time.monotonic()
    budget = Budget(seconds, tell=Progress(name, later, begun + seconds))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            outcome = PARTS[name][0](Path(folder), Random(f"{seed} {name}"), budget)
        except Exception as error:  # the other parts have something to say, too
            outcome = Outcome(failures=[f"broke off: {type(error).__name__}: {error}"])
    for failure in outcome.failures:
        print(f"  FAILED {failure}", flush=True)
    took = round(time.monotonic() - begun, 1)
    told = {"seconds": took, "counts": dict(outcome.counts), "failures": outcome.failures}
    return {**told, "left_out": outcome.left_out} if outcome.left_out else told


def as_table(summary: dict[str, Any]) -> str:
    lines = [
        f"`make torture` on {summary['date']}: {summary['machine']}, load {summary['load_before']} before it, seed "
        f"{summary['seed']}, {summary['minutes_asked_for']:g} minutes asked for, {summary['minutes']:g} taken.",
        "",
        "| part | seconds | done | failures | left out |",
        "|---|--:|---|--:|---|",
    ]
    for name, part in summary["parts"].items():
        done = ", ".join(f"{what}: {count}" for what, count in part["counts"].items())
        left_out = part.get("left_out", "")
        lines.append(f"| {name} | {part['seconds']:.0f} | {done} | {len(part['failures'])} | {left_out} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
