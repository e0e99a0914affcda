"""How many runs may work at a time, and on what."""

import os
from pathlib import Path

import pytest

from mimi_core.errors import ConfigError
from mimi_core.runs.queue import slots as module
from mimi_core.runs.queue.dispatcher import ensure_dispatcher
from mimi_core.runs.queue.slots import Slot, free_slot, slots, spare_cores, worker_environment


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("0,2", [Slot("0", "0"), Slot("2", "2")]),
        ("cpu", [Slot("cpu", None)]),
        ("cpu, cpu", [Slot("cpu", None), Slot("cpu-2", None)]),
        ("0,0,cpu,", [Slot("0", "0"), Slot("0-2", "0"), Slot("cpu", None)]),
    ],
)
def test_slots_can_be_named(named: str, expected: list[Slot], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMI_SLOTS", named)
    assert slots() == expected


@pytest.mark.parametrize("named", [None, "", " , "])
def test_without_names_every_gpu_is_one_and_without_gpus_the_cpu(
    named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIMI_SLOTS", raising=False)
    if named is not None:
        monkeypatch.setenv("MIMI_SLOTS", named)
    monkeypatch.setattr(module, "_gpu_indices", lambda: ["0", "1"])
    assert slots() == [Slot("0", "0"), Slot("1", "1")]
    monkeypatch.setattr(module, "_gpu_indices", list)
    assert slots() == [Slot("cpu", None)]


@pytest.mark.parametrize("named", ["gpu", "0;1", "-1", "../../x", "²"])
def test_what_is_no_slot_is_refused_before_a_dispatcher_starts(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMI_SLOTS", named)
    with pytest.raises(ConfigError, match="neither the index of a GPU nor cpu"):
        ensure_dispatcher(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_slot_is_taken_until_its_file_is_closed(tmp_path: Path) -> None:
    choices = [Slot("cpu", None), Slot("cpu-2", None)]
    taken = [free_slot(tmp_path, choices), free_slot(tmp_path, choices)]
    assert [found[1].name for found in taken if found] == ["cpu", "cpu-2"]
    assert free_slot(tmp_path, choices) is None
    assert taken[0] is not None
    os.close(taken[0][0])
    again = free_slot(tmp_path, choices)
    assert again is not None
    assert again[1].name == "cpu"


def test_slots_on_the_cpu_share_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "spare_cores", lambda: 7)
    for named, gpu, threads in (("cpu", None, "7"), ("cpu,cpu", None, "3"), ("0,0", "0", "7"), ("cpu," * 9, None, "1")):
        monkeypatch.setenv("MIMI_SLOTS", named)
        environment = worker_environment(gpu)
        assert (environment["OMP_NUM_THREADS"], environment["CUDA_VISIBLE_DEVICES"]) == (threads, gpu or "")
        assert environment["GOMP_SPINCOUNT"] == "1000"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert "GOMP_SPINCOUNT" not in worker_environment(None), "what somebody set counts"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environment(None)["OMP_NUM_THREADS"] == "5", "what somebody set counts"
    monkeypatch.undo()
    assert spare_cores() >= 1
