"""A case or two of each part of `make torture`, and that what they look for would be noticed."""

import os
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest

from mimi_core.runs import files
from mimi_core.runs.store import Store
from tests.torture import power, soak, working
from tests.torture.__main__ import PARTS, as_table
from tests.torture.part import Budget

CASES = {"kills": 2, "power": 2, "disk": 1, "clock": 1, "crowd": 1, "hostile": 1, "fuzz": 1, "soak": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_case_of_each_part(name: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("TORTURE_SEED", "15"))
    print(f"TORTURE_SEED={seed}")  # shown when it fails
    outcome = PARTS[name][0](tmp_path, Random(seed), Budget(working.PATIENCE, CASES[name], crowd=2))
    assert outcome.failures == []
    assert outcome.counts.total() or outcome.left_out == working.NO_STRACE


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = working.created(tmp_path_factory.mktemp("calm"))
    assert working.worked(run) == 0
    return run


def _with_another_byte(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _with_a_line_less(path: Path) -> None:
    path.write_bytes(b"".join(line for n, line in enumerate(path.read_bytes().splitlines(keepends=True)) if n != 3))


def test_what_a_run_has_other_than_the_undisturbed_one_is_noticed(calm: Path, tmp_path: Path) -> None:
    assert working.differences(calm, calm) == ""
    damages = {
        files.EVENTS: _with_a_line_less,
        "cycles/1/adapters.safetensors": _with_another_byte,
        "cycles/2/predictions.npz": Path.unlink,
    }
    for number, (name, damage) in enumerate(damages.items()):
        run = tmp_path / str(number) / "run"
        shutil.copytree(calm, run)
        damage(run / name)
        assert working.differences(run, calm), name


def test_a_run_that_ends_otherwise_without_a_word_is_silent(calm: Path, tmp_path: Path) -> None:
    other = working.CONFIG.model_copy(update={"seed": 1})
    run = Store(tmp_path).folder(Store(tmp_path).create(other))
    assert power.classified(run, calm) == "silent: other numbers"


def test_a_run_that_says_why_it_does_not_go_on_has_told(calm: Path, tmp_path: Path) -> None:
    run = working.created(tmp_path)
    (run / files.CONFIG).write_bytes(b"")
    assert power.classified(run, calm) == "told"


def test_what_grows_is_noticed() -> None:
    noise = np.random.default_rng(0).normal(size=(60, 3))
    assert all(abs(soak.rises(noise)) < 2)
    assert soak.rises(noise + np.arange(60)[:, None] * [1, 0, 0])[0] > 50


def test_a_budget_has_one_case_at_least() -> None:
    assert [*Budget(0)] == [0]
    assert [*Budget(60, 3)] == [0, 1, 2]


def test_the_table_names_every_part() -> None:
    part = {"seconds": 1.0, "counts": {"runs": 2}, "failures": ["x"], "left_out": "why"}
    summary = {"date": "d", "machine": "m", "load_before": 1, "seed": 2, "minutes_asked_for": 3.0, "minutes": 4.0}
    assert "| kills | 1 | runs: 2 | 1 | why |" in as_table({**summary, "parts": {"kills": part}})
