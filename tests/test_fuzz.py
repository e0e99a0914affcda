"""A short draw of `python -m tests.torture.fuzz`: spoiled files are read, or refused by an error of ours."""

import os
from pathlib import Path

from tests.torture import fuzz, material
from tests.torture.readers import READERS


def test_no_foreign_exception(tmp_path: Path) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "15"))
    print(f"FUZZ_SEED={seed}")  # shown when it fails
    assert [str(failure) for failure in fuzz.fuzz(tmp_path, cases=8 * len(READERS), seed=seed)] == []


def test_every_kind_of_file_is_whole_before_it_is_spoiled(tmp_path: Path) -> None:
    run = material.make(tmp_path)
    for name, readers in READERS.items():
        assert (run / name).stat().st_size, name
        assert readers


def test_a_case_can_be_seen_again() -> None:
    whole = b'{"a": [1, 2, 3]}\n'
    assert all(
        fuzz.spoiled(whole, "events.jsonl", 3, n) == fuzz.spoiled(whole, "events.jsonl", 3, n) for n in range(99)
    )
    assert len({fuzz.spoiled(whole, "events.jsonl", 3, n) for n in range(99)}) > 50
