"""Events: JSON-safe, foldable, and tolerant of what a crash or a later version leaves in the file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mimi_core.runs.describe import describe
from mimi_core.runs.events import (
    EpochEnded,
    Evaluated,
    Pruned,
    Ranked,
    RunEnded,
    RunStarted,
    Scored,
    SiteInfo,
    Warned,
    fold,
    parse_line,
    read_events,
    to_line,
)

SITES = [
    SiteInfo(name="b.0.attn", block=0, position="attn", width=32),
    SiteInfo(name="b.0.mlp", block=0, position="mlp", width=32),
]
EVENTS = [
    RunStarted(
        time=1.0, run_id="r", config={}, versions={}, device="CPU", sites=SITES,
        initial_widths={"b.0.attn": 4, "b.0.mlp": 4}, keep_fractions=[0.5, 0.25],
        class_names=["a", "b"], split_sizes={"train": 8, "val": 2, "test": 2},
        backbone_parameters=10, head_parameters=2, trained_parameters=512,
    ),
    EpochEnded(time=2.0, cycle=0, epoch=1, loss=1.0, accuracy=0.5, lr=1e-3, images_per_second=9.0, seconds=1.0),
    Evaluated(time=3.0, cycle=0, stage="trained", split="test", accuracy=0.8, loss=0.5, images=2),
    Scored(time=4.0, cycle=1, score="mimi", normalise="none", scope="global", keep_fraction=0.5, threshold=0.1),
    Pruned(
        time=5.0, cycle=1, widths={"b.0.attn": 4, "b.0.mlp": 0}, removed=["b.0.mlp"], neurons_before=8, neurons_after=4,
        adapter_parameters=256, trained_parameters=260, seconds=0.01,
    ),
    Evaluated(time=6.0, cycle=1, stage="cut", split="test", accuracy=0.4, loss=1.5, images=2),
    Evaluated(time=7.0, cycle=1, stage="trained", split="test", accuracy=0.7, loss=0.6, images=2),
    Warned(time=8.0, code="x", message="careful"),
    RunEnded(time=9.0, status="stopped", message="as asked", seconds=8.0),
]  # fmt: skip


RANKS = RunStarted(
    time=1.0, run_id="r", config={}, versions={}, device="CPU",
    sites=[SiteInfo(name=f"b.0.{name}", block=0, position="mlp", width=32, cost=161) for name in ("fc1", "fc2")],
    initial_widths={"b.0.fc1": 6, "b.0.fc2": 6}, keep_fractions=[4 / 6],
    class_names=["a", "b"], split_sizes={"train": 8, "val": 2, "test": 2},
    backbone_parameters=10, head_parameters=2, trained_parameters=1934,
)  # fmt: skip
RANKED = Ranked(
    time=5.0, ranks={"b.0.fc1": 5, "b.0.fc2": 0}, ranks_before=12, ranks_after=5,
    adapter_parameters=805, trained_parameters=807,
)  # fmt: skip


@pytest.mark.parametrize("event", [*EVENTS, RANKS, RANKED], ids=lambda e: e.event)
def test_an_event_survives_its_line(event: object) -> None:
    line = to_line(event)  # type: ignore[arg-type]
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_line(line) == event
    assert describe(event)  # type: ignore[arg-type]


def test_the_fold_of_a_run() -> None:
    state = fold(EVENTS)  # type: ignore[arg-type]
    assert state.widths == [{"b.0.attn": 4, "b.0.mlp": 4}, {"b.0.attn": 4, "b.0.mlp": 0}]
    assert state.removed_at == {"b.0.mlp": 1}
    assert state.total_cuts == 2
    assert (state.accuracy(0), state.accuracy(1, "cut"), state.accuracy(1), state.accuracy(2)) == (0.8, 0.4, 0.7, None)
    assert state.last_accuracy == 0.7, "the last after training, not the best"
    assert state.ended is not None
    assert state.ended.status == "stopped"


def test_ranks_add_up_to_the_state_that_a_cut_told_before_they_had_an_event() -> None:
    recorded = (
        b'{"time":5.0,"event":"pruned","cycle":1,"widths":{"b.0.fc1":5,"b.0.fc2":0},"removed":["b.0.fc2"],'
        b'"neurons_before":12,"neurons_after":5,"adapter_parameters":805,"trained_parameters":807,"seconds":0.0}'
    )
    before = parse_line(recorded)
    assert before is not None
    old, new = (fold([RANKS, end]) for end in (before, RANKED))
    assert old == new
    assert fold([RANKED, RANKS]) == new, "order matters only within one kind"
    assert old.decides_ranks
    assert new.widths == [{"b.0.fc1": 6, "b.0.fc2": 6}, {"b.0.fc1": 5, "b.0.fc2": 0}]
    assert (new.removed_at, new.total_cuts) == ({"b.0.fc2": 1}, 1)


def test_only_ranks_are_told_as_ranks() -> None:
    assert not fold(EVENTS).decides_ranks  # type: ignore[arg-type]
    assert not fold([]).decides_ranks
    assert describe(RANKS).startswith("2 matrices, 12 ranks, 1,934 trained parameters, 66.7 % of the ranks to be left;")
    assert describe(RANKED) == "ranks decided: 12 -> 5 ranks, 807 trained parameters; none left: b.0.fc2"
    assert describe(EVENTS[0]).startswith("2 adapters, 8 neurons, 512 trained parameters, 2 cuts to come;")  # type: ignore[arg-type]


def test_the_accuracy_of_a_run_is_that_of_the_model_it_ended_with() -> None:
    last_cut_untrained = [e for e in EVENTS if not (isinstance(e, Evaluated | RunEnded) and e.time >= 7)]
    assert fold(last_cut_untrained).last_accuracy == 0.8, "a cut that is still being trained"  # type: ignore[arg-type]
    end = RunEnded(time=9.0, status="finished", seconds=8.0)
    assert fold([*last_cut_untrained, end]).last_accuracy == 0.4  # type: ignore[list-item]


def test_a_half_written_last_line_is_ignored_and_broken_ones_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = [to_line(e) for e in EVENTS[:3]]  # type: ignore[arg-type]
    later = b'{"event": "invented_in_2030", "time": 1.0}\n'
    path.write_bytes(lines[0] + b"{not json\n" + later + lines[1] + lines[2][: len(lines[2]) // 2])
    state = read_events(path)
    assert (state.started, state.epochs) == (EVENTS[0], [EVENTS[1]])
    assert state.evaluations == []
    assert state.unreadable_lines == 2


def test_fields_of_a_later_version_are_ignored() -> None:
    line = to_line(EVENTS[7]).replace(b'"code"', b'"new_field": 1, "code"')
    assert parse_line(line) == EVENTS[7]


def test_no_file_is_an_empty_run(tmp_path: Path) -> None:
    assert read_events(tmp_path / "absent").widths == []


def test_events_are_frozen_and_refuse_what_json_has_not() -> None:
    with pytest.raises(ValidationError):
        EVENTS[2].accuracy = 1.0  # type: ignore[union-attr, misc]
    with pytest.raises(ValidationError):
        Evaluated(time=1.0, cycle=0, stage="cut", split="test", accuracy=0.1, loss=float("nan"), images=1)
