"""Spoil the files of a run at random and read them: only errors of ours may come of it.

python -m tests.torture.fuzz --cases 20000 --seed 1
"""

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import NoReturn

from mimi_core.errors import MimiError
from tests.torture import material, mutations
from tests.torture.readers import READERS

PATIENCE = 20
"""Seconds that a reader may take."""
Mutation = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Failure:
    """An exception that is none of ours, and how to see it again."""

    file: str
    case: int
    reader: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.file}, case {self.case}, {self.reader}: {self.what} at {self.where}"


def mutations_of(name: str) -> tuple[Mutation, ...]:
    if name.endswith(".jsonl"):
        return (mutations.of_lines, mutations.of_lines, mutations.of_bytes)
    if name.endswith(".json"):
        return (mutations.of_json, mutations.of_bytes)
    if name.endswith(".yaml"):
        return (mutations.of_yaml, mutations.of_bytes)
    return (mutations.of_bytes,)


def spoiled(whole: bytes, name: str, seed: int, case: int) -> bytes:
    """What stands in the file in one case: a function of seed, file and case alone."""
    random = Random(f"{seed} {name} {case}")
    if random.random() < 0.03:
        return random.randbytes(random.choice((1, 100, 5000, 1_000_000)))
    return random.choice(mutations_of(name))(whole, random)


def fuzz(
    place: Path, cases: int, seed: int, names: tuple[str, ...] = tuple(READERS), only: int | None = None
) -> list[Failure]:
    """Returns what went wrong, at most one of every kind for each reader.

    Args:
        cases: over all files together.
        only: one case, to see it again.
    """
    run = material.make(place)
    failures: dict[tuple[str, str, str], Failure] = {}
    for name in names:
        path = run / name
        whole = path.read_bytes()
        for case in range(cases // len(names) + 1) if only is None else [only]:
            path.write_bytes(spoiled(whole, name, seed, case))
            readers = READERS[name]
            if only is None:  # two of them, and seldom the report: it takes longest, and asks what the pages ask
                often = [reader for reader in readers if reader.__name__ != "report" or case % 20 == 0]
                readers = tuple(Random(f"{seed} {case}").sample(often, min(2, len(often))))
            for reader in readers:
                failure = _tried(name, case, reader, run)
                if failure:
                    failures.setdefault((reader.__name__, failure.what.partition(":")[0], failure.where), failure)
        path.write_bytes(whole)
    return list(failures.values())


def _tried(name: str, case: int, reader: Callable[[Path], object], run: Path) -> Failure | None:
    signal.alarm(PATIENCE)
    try:
        reader(run)
    except MimiError:
        pass
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        inner = [f for f in traceback.extract_tb(error.__traceback__) if "/mimi_core/" in f.filename]
        frame = inner[-1] if inner else frame
        where = f"{frame.filename.partition('mimi_core/')[2] or frame.filename}:{frame.lineno}"
        return Failure(name, case, reader.__name__, f"{type(error).__name__}: {str(error)[:200]}", where)
    finally:
        signal.alarm(0)
    return None


def too_long(signum: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"longer than {PATIENCE} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--file", choices=READERS, help="only this one")
    parser.add_argument("--case", type=int, help="only this one, to see it again")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, too_long)
    print(f"seed {options.seed}", flush=True)
    started = time.monotonic()
    names = (options.file,) if options.file else tuple(READERS)
    with tempfile.TemporaryDirectory() as folder:
        failures = fuzz(Path(folder), options.cases, options.seed, names, options.case)
    for failure in failures:
        print(failure)
    kinds = Counter(failure.file for failure in failures)
    print(
        f"{options.cases} cases in {time.monotonic() - started:.0f} s, "
        f"{len(failures)} kinds of foreign exceptions {dict(kinds) or ''}"
    )
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
