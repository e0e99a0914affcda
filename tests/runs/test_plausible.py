"""What cannot be true is left out when events are read, with the reason; what is true is not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mimi_core.resources import EXAMPLES
from mimi_core.runs import files
from mimi_core.runs.events import RunState, read_events

Line = dict[str, Any]
STUDY = Path(__file__).resolve().parents[2] / "assets" / "study"


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    example = next(path for path in sorted(EXAMPLES.iterdir()) if "global" in path.name)
    return [json.loads(line) for line in (example / files.EVENTS).read_bytes().splitlines()]


def read(lines: list[Line], path: Path) -> RunState:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_events(path)


@pytest.mark.parametrize("place", [EXAMPLES, STUDY], ids=["examples", "study"])
def test_all_that_is_bundled_is_true(place: Path) -> None:
    read_ = {path.parent.name: read_events(path) for path in place.rglob(files.EVENTS)}
    assert read_
    assert {name: state.fault for name, state in read_.items() if state.unreadable_lines} == {}


def _first(kind: str, **changes: Any) -> Callable[[list[Line]], list[Line]]:
    def change(lines: list[Line]) -> list[Line]:
        place = next(n for n, line in enumerate(lines) if line["event"] == kind)
        return [*lines[:place], {**lines[place], **changes}, *lines[place + 1 :]]

    return change


def _widths(change: Callable[[dict[str, int]], dict[str, int]]) -> Callable[[list[Line]], list[Line]]:
    def changed(lines: list[Line]) -> list[Line]:
        first = next(line for line in lines if line["event"] == "pruned")
        return _first("pruned", widths=change(first["widths"]))(lines)

    return changed


FALSE = {
    "an accuracy beyond 1": (_first("epoch_ended", accuracy=1.5), "no share"),
    "a cycle beyond the last": (_first("epoch_ended", cycle=99), "cycle 99 of a run with"),
    "a negative cycle": (_first("evaluated", cycle=-1), "cycle -1"),
    "a loss beyond counting": (_first("epoch_ended", loss=1e300), "loss"),
    "a time before time": (_first("scored", time=-1), "no possible time"),
    "a time without a date": (_first("run_started", time=1e300), "no possible time"),
    "images below none": (_first("evaluated", images=-5), "images"),
    "a layer that is not the run's": (_widths(lambda w: {**w, "evil": 1}), "layers are not those"),
    "a layer less": (_widths(lambda w: dict(list(w.items())[1:])), "layers are not those"),
    "more neurons than before": (_widths(lambda w: dict.fromkeys(w, 10**6)), "more neurons than before"),
    "neurons below none": (_widths(lambda w: dict.fromkeys(w, -1)), "fewer than none"),
    "other neurons than it says": (_first("pruned", neurons_after=3), "do not add up"),
    "a cut out of turn": (_first("pruned", cycle=2), "not the next"),
    "removed and still there": (_first("pruned", removed=["nowhere"]), "is removed"),
    "no widths at the start": (_first("run_started", initial_widths={}), "widths at the start"),
    "a hundred thousand cuts": (_first("run_started", keep_fractions=[0.5] * 100_000), "100,000 cuts"),
    "a million classes": (_first("run_started", class_names=["a"] * 1_000_000), "1,000,000 classes"),
    "a share that is none": (_first("run_started", keep_fractions=[7.0] * 4), "share that is kept"),
    "parameters below none": (_first("run_started", trained_parameters=-1), "trained_parameters"),
    "one start after the other": (lambda lines: [lines[0], *lines], "started twice"),
    "nothing at the start": (lambda lines: lines[1:], "had not started"),
}


@pytest.mark.parametrize("what", FALSE)
def test_what_cannot_be_true_is_left_out(what: str, lines: list[Line], tmp_path: Path) -> None:
    change, why = FALSE[what]
    state = read(change(lines), tmp_path / "events.jsonl")
    assert state.unreadable_lines >= 1
    assert why in state.fault
    assert all(widths.keys() == state.widths[0].keys() for widths in state.widths)
    assert [cut.cycle for cut in state.cuts] == list(range(1, len(state.cuts) + 1))
