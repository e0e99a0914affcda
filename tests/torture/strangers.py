"""Hostile folders and packs, drawn in any mixture: lists and pages stay usable, and errors are ours."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from mimi_core.errors import MimiError
from mimi_core.export.opened_pack import unpack
from mimi_core.runs import files
from mimi_core.runs.store import Store
from pages.widgets.menu import pages
from tests.export import hostile
from tests.pages.opening import opened
from tests.runs.test_hostile_folders import HOSTILE
from tests.torture import fuzz, material, working
from tests.torture.part import Budget, Outcome

PATIENCE = 120
"""Seconds for a list or a page, at the most."""


def strangers(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome()
    run = material.make(place / "whole")
    parts = hostile.parts_of(run / material.PACK)
    for number in budget:
        where = place / str(number)
        outcome.failures += _folders(where / "runs", run, random, outcome)
        for _ in range(20):
            outcome.failures += _pack(where, parts, random, outcome)
        shutil.rmtree(where, ignore_errors=True)
    return outcome


def _folders(runs: Path, whole: Path, random: Random, outcome: Outcome) -> list[str]:
    """A dozen runs, each with one to three files of a stranger's making, beside a good one."""
    shutil.copytree(whole, runs / whole.name)
    names = (files.CONFIG, files.STATUS, files.EVENTS, files.LOG, files.GALLERY, "probe.json", "cycles/1/scores.npz")
    made: dict[str, str] = {}
    for number in range(12):
        bad = runs / f"bad-{number}"
        shutil.copytree(whole, bad)
        for name in random.sample(names, random.randint(1, 3)):
            made[f"{bad.name}/{name}"] = kind = random.choice(sorted(HOSTILE))
            HOSTILE[kind](bad / name)
    page, about = random.choice(sorted(pages())), random.choice([path.name for path in runs.iterdir()])
    wrong = []
    with working.environment(MIMI_RUNS=str(runs)):
        try:
            with patience():
                listed = {one.id for one in Store(runs).list()}
            if whole.name not in listed:
                wrong.append(f"the good run is not listed beside {made}")
            with patience():
                opened(page, run=about)
        except Exception as error:
            wrong.append(f"{page}?run={about} beside {made}: {type(error).__name__}: {str(error)[:300]}")
    outcome.counts["folders"] += 12
    outcome.counts["pages"] += 1
    return wrong


def _pack(place: Path, parts: hostile.Parts, random: Random, outcome: Outcome) -> list[str]:
    """With one or two things wrong. What cannot be made of another wrong thing is drawn anew."""
    while True:
        changes = random.sample(sorted(hostile.PACKS), random.randint(1, 2))
        spoiled = dict(parts)
        try:
            for change in changes:
                spoiled = hostile.PACKS[change](spoiled)
            path = hostile.write(spoiled, place / "pack.zip")
            break
        except Exception:
            continue
    outcome.counts["packs"] += 1
    try:
        with patience():
            unpack(path, place)
    except MimiError:
        outcome.counts["packs refused"] += 1
    except Exception as error:
        return [f"pack with {changes}: {type(error).__name__}: {str(error)[:300]}"]
    return []


@contextmanager
def patience() -> Iterator[None]:
    """Raises TimeoutError when it takes too long."""
    before = signal.signal(signal.SIGALRM, fuzz.too_long)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzzed(place: Path, random: Random, budget: Budget) -> Outcome:
    """Spoiled files of a run, read in all ways there are: 20,000 at the most."""
    outcome = Outcome()
    before = signal.signal(signal.SIGALRM, fuzz.too_long)
    try:
        for number in budget:
            seed = random.randrange(10**9)
            cases = 2 * len(fuzz.READERS)
            failures = fuzz.fuzz(place / str(number), cases - len(fuzz.READERS), seed)
            outcome.counts["cases"] += cases
            outcome.failures += [f"seed {seed}, {failure}" for failure in failures]
            shutil.rmtree(place / str(number))
            if outcome.counts["cases"] >= 20_000:
                break
    finally:
        signal.signal(signal.SIGALRM, before)
    return outcome
