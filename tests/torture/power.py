"""The power fails: of any file of a run, bytes are missing or zero. It goes on equal, or says what is lost."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from mimi_core.runs import files
from mimi_core.runs.events import Pruned, read_events
from tests import warm
from tests.torture import working
from tests.torture.part import Budget, Outcome


def _zeroed(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "a byte less": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "a tenth less": lambda content: content[: len(content) * 9 // 10],
    "empty": lambda content: b"",
    "half of it zeros": _zeroed,
    "all of it zeros": lambda content: bytes(len(content)),
    "gone": lambda content: None,
}
"""None: no file at all."""


def power_loss(place: Path, random: Random, budget: Budget) -> Outcome:
    outcome = Outcome()
    calm = working.created(place / "calm")
    if (code := working.worked(calm)) != 0:
        return Outcome(failures=[f"the undisturbed run ended with {code}: {working.told(calm)[:300]}"])
    broken_off = midway(place / "midway")
    names = [str(path.relative_to(broken_off)) for path in sorted(broken_off.rglob("*")) if path.is_file()]
    every = [(name, damage) for name in names if (broken_off / name).stat().st_size for damage in DAMAGES]
    random.shuffle(every)
    for number, (name, damage) in zip(budget, every, strict=False):
        run = place / str(number) / broken_off.name
        shutil.copytree(broken_off, run)
        content = DAMAGES[damage]((run / name).read_bytes())
        if content is None:
            (run / name).unlink()
        else:
            (run / name).write_bytes(content)
        result = classified(run, calm)
        outcome.counts[result.partition(":")[0]] += 1
        if result.startswith("silent"):
            outcome.failures.append(f"{name}, {damage}: {result}")
        shutil.rmtree(run.parent)
    if outcome.counts.total() < len(every):
        outcome.left_out = f"{outcome.counts.total()} of {len(every)} kinds of damage were tried, drawn by the seed"
    return outcome


def midway(place: Path) -> Path:
    """A run whose worker was killed after its first cut."""
    run = working.created(place)
    worker = warm.start("work", str(run))
    while worker.is_alive() and not read_events(run / files.EVENTS).cuts:
        time.sleep(0.002)
    if not working.kill(worker):
        raise RuntimeError("the run was over before it could be broken off")
    assert all(isinstance(cut, Pruned) for cut in read_events(run / files.EVENTS).cuts)
    return run


def classified(run: Path, calm: Path) -> str:
    """ "equal", "told", or "silent: " and what."""
    warned = len(read_events(run / files.EVENTS).warnings)
    code = working.worked(run)
    if code != 0:
        said = working.told(run)
        if code is None or code < 0 or working.tracebacks(run) or not said.strip():
            return f"silent: ended with {code}: {said[-500:]}"
        return "told"
    different = working.differences(run, calm)
    if not different:
        return "equal"
    more = read_events(run / files.EVENTS).warnings[warned:]
    return "told" if more else f"silent: {different}"
