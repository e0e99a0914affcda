"""What is lost of a sweep when somebody kills its command, the dispatcher, workers and the app all the way through.

    python -m benchmarks.killed --runs FOLDER

Does the study's sweep over scores, 65 runs of the demo, two at a time on the CPU, in about an hour on two cores. Every
minute something of it gets a SIGKILL; the command and the app are then started again, as a person would. In the end
every run must be there once, finished, with every epoch and cut told once; and those that were killed most often are
done once more, undisturbed, and must give the same numbers. Writes results/killed.json. Loopback only.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import ROOT, served
from mimi_core.budget import plan
from mimi_core.config import RunConfig
from mimi_core.runs.events import RunState
from mimi_core.runs.store import Store
from mimi_core.study.design import scores
from mimi_core.sweeps.matching import compare
from mimi_core.sweeps.sweep import Sweep, expand, to_yaml

PAUSE = (30.0, 75.0)
"""Seconds between two kills, at the least and at the most."""
VICTIMS = ("worker", "sweep", "worker", "dispatcher", "app", "all")
TWINS = 3
TIMES = {"time", "seconds", "images_per_second"}
"""Of events: what may differ between two runs of one config."""
ENVIRONMENT = {**os.environ, "MIMI_SLOTS": "cpu,cpu", "OMP_NUM_THREADS": "1"}


def main() -> None:
    asked = argparse.ArgumentParser(description="Kill a sweep all the way through.")
    asked.add_argument("--runs", type=Path, required=True, help="folder for the runs; what is there is gone on with")
    runs = asked.parse_args().runs.absolute()
    sweep, begun = scores(), time.monotonic()
    kills, commands = carried_out(runs, sweep)
    minutes = (time.monotonic() - begun) / 60
    store = Store(runs)
    planned = compare(store, expand(sweep))
    states = {p.run.id: store.state(p.run.id) for p in planned if p.run}
    resumes = {run_id: status.resumes for run_id in states if (status := store.status(run_id))}
    most = sorted(resumes, key=lambda run_id: -resumes[run_id])[:TWINS]
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "runs": len(planned),
        "minutes": round(minutes, 1),
        "kills": dict(kills),
        "times_the_command_was_given": commands,
        "runs_that_were_resumed": sum(count > 0 for count in resumes.values()),
        "resumes": sum(resumes.values()),
        "runs_missing_or_not_finished": sum(p.phase != "finished" for p in planned),
        "runs_there_twice": len(store.list()) - len(states),
        "runs_with_something_told_twice_or_not_at_all": sum(
            not is_told_once(p.config, states[p.run.id]) for p in planned if p.run
        ),
        "resumes_of_those_done_again": [resumes[run_id] for run_id in most],
        "of_these_with_other_numbers": sum(differs(store, run_id) for run_id in most),
    }
    print(json.dumps(result, indent=1))
    (Path(__file__).parent / "results" / "killed.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def carried_out(runs: Path, sweep: Sweep) -> tuple[Counter[str], int]:
    """Until there is nothing left to do. Returns how often what was killed, and how often the command was given."""
    chance = random.Random(0)
    kills: Counter[str] = Counter()
    commands = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        file.write_text(to_yaml(sweep), encoding="utf-8")
        app = App(runs)
        command: subprocess.Popen[bytes] | None = None
        due = time.monotonic() + chance.uniform(*PAUSE)
        for victim in _again_and_again():
            while time.monotonic() < due:
                if command is not None and command.poll() is not None and not goes_on(runs, sweep):
                    app.end()
                    return kills, commands
                if command is None or command.poll() is not None:
                    command = subprocess.Popen(
                        [sys.executable, "-m", "mimi_core", "sweep", str(file), "--runs", str(runs)],
                        cwd=ROOT, env=ENVIRONMENT,
                    )  # fmt: skip
                    commands += 1
                time.sleep(0.2)
            assert command is not None
            kills += killed(victim, runs, command, app)
            due = time.monotonic() + chance.uniform(*PAUSE)
    raise AssertionError("never ends")


def goes_on(runs: Path, sweep: Sweep) -> bool:
    """Whether the same command would find anything to do: not when all has finished, or what has not, failed."""
    return any(p.is_to_start() or not p.has_ended for p in compare(Store(runs), expand(sweep)))


class App:
    """The server of a person who starts it again whenever it is gone."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._start()

    def _start(self) -> None:
        self._held = ExitStack()
        _, self._process = self._held.enter_context(served(self._runs))

    def kill(self) -> None:
        self._process.kill()
        self._held.close()
        self._start()

    def end(self) -> None:
        self._held.close()


def killed(victim: str, runs: Path, command: "subprocess.Popen[bytes]", app: App) -> Counter[str]:
    """SIGKILL for whatever there is of it. Returns what there was."""
    done: Counter[str] = Counter()
    for kind, word in (("dispatcher", "dispatch"), ("worker", "work")):
        found = list(_processes(word, runs)) if victim in (kind, "all") else []
        for process in found if victim == "all" else found[:1]:
            process.kill()
            done[kind] += 1
    if victim in ("sweep", "all") and command.poll() is None:
        command.kill()
        command.wait()
        done["sweep"] += 1
    if victim in ("app", "all"):
        app.kill()
        done["app"] += 1
    print(f"{time.strftime('%H:%M:%S')} killed: {dict(done) or 'nothing'}", flush=True)
    return done


def _processes(word: str, runs: Path) -> Iterator[psutil.Process]:
    """Those that `mimi_core work` or `dispatch` for this folder, in no order."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if word in line and any(part.startswith(str(runs)) for part in line[line.index(word) :]):
            yield process


def _again_and_again() -> Iterator[str]:
    while True:
        yield from VICTIMS


def is_told_once(config: RunConfig, state: RunState) -> bool:
    """Whether a finished run's events are those of its plan: every epoch of every cycle, and every cut, in order."""
    expected = plan(config)
    epochs = [(cycle, epoch) for cycle, count in enumerate(expected.epochs) for epoch in range(1, count + 1)]
    ends = [e.cycle for e in state.evaluations if e.stage == "trained" and e.split == "test"]
    return (
        [(e.cycle, e.epoch) for e in state.epochs] == epochs
        and [cut.cycle for cut in state.cuts] == [*range(1, len(expected.keep) + 1)]
        and ends == [*range(len(expected.keep) + 1)]
        and state.ended is not None
        and state.ended.status == "finished"
        and not state.unreadable_lines
    )


def differs(store: Store, run_id: str) -> bool:
    """Do the run once more where nobody kills it, and compare all numbers but times."""
    with tempfile.TemporaryDirectory() as folder:
        config = store.folder(run_id) / "config.yaml"
        command = [sys.executable, "-m", "mimi_core", "run", str(config), "--runs", folder]
        subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
        undisturbed = Store(Path(folder))
        return numbers(undisturbed.state(undisturbed.list()[0].id)) != numbers(store.state(run_id))


def numbers(state: RunState) -> Sequence[dict[str, Any]]:
    told = (*state.epochs, *state.scored, *state.cuts, *state.evaluations)
    return [event.model_dump(exclude=TIMES) for event in told]


if __name__ == "__main__":
    main()
