"""Branches: real runs that go on from a cycle of another one; equal to it where nothing changed, true to its scores."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mimi_core.adapters.adapter import Adapter
from mimi_core.budget import plan
from mimi_core.config import make_config
from mimi_core.errors import ConfigError, MimiError, RunError
from mimi_core.runs import files
from mimi_core.runs.branch import branch
from mimi_core.runs.events import Pruned, RunState, to_line
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.watching import Seen
from mimi_core.select import normalise, select
from mimi_core.train.cycle import run
from tests.conftest import QUICK

SETS = [*QUICK, "train.epochs=1", "train.reset_optimizer=true", "name=parent", "group=seeds"]


def work(store: Store, run_id: str, until: type | None = None) -> RunState:
    """Do a run as its worker would, or the part of it until some kind of event."""
    with Recorder(store.folder(run_id)) as recorder:
        for event in run(store.config(run_id), recorder):
            recorder.emit(event)
            if until is not None and isinstance(event, until):
                break
        recorder.update(phase="finished")
    return store.state(run_id)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    store = Store(tmp_path_factory.mktemp("runs"))
    run_id = store.create(make_config(preset="quick", sets=SETS))
    work(store, run_id)
    return store, run_id


def arrays(store: Store, run_id: str, cycle: int, name: str = "scores") -> dict[str, np.ndarray]:
    with np.load(files.cycle_folder(store.folder(run_id), cycle) / f"{name}.npz") as stored:
        return dict(stored)


def scores_of(stored: dict[str, np.ndarray], score: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{score}/"): v for key, v in stored.items() if key.startswith(f"{score}/")}


def test_without_changes_everything_happens_again(parent: tuple[Store, str]) -> None:
    """The moments of the optimiser are fresh anyway in this run, so even the numbers after the cut are the same."""
    store, run_id = parent
    new_id = branch(store, run_id, 1, [], store)
    before, theirs = store.state(new_id), store.state(run_id)
    assert (len(before.epochs), len(before.cuts), before.ended) == (2, 1, None)
    mine = work(store, new_id)
    kept, again = arrays(store, run_id, 2), arrays(store, new_id, 2)
    assert kept.keys() == again.keys()
    assert all(np.array_equal(kept[key], again[key]) for key in kept)
    assert [e.accuracy for e in mine.evaluations] == [e.accuracy for e in theirs.evaluations]
    assert [e.loss for e in mine.epochs] == [e.loss for e in theirs.epochs]
    config = store.config(new_id)
    assert config.branch is not None
    assert (config.branch.run, config.branch.cycle, config.branch.keep) == (run_id, 1, ("1/2",))
    assert (config.name, config.group) == ("parent from cycle 1", ""), "means over the group's seeds stay what they are"
    assert mine.started is not None
    assert (mine.started.run_id, mine.started.config["branch"]["run"]) == (new_id, run_id)
    assert (store.folder(new_id) / files.GALLERY).exists()
    assert "goes on from the end of cycle 1" in store.log_tail(new_id)


@pytest.mark.parametrize("score", ["gradient", "random"])
def test_another_score_decides_as_the_parents_stored_scores_say(parent: tuple[Store, str], score: str) -> None:
    store, run_id = parent
    new_id = branch(store, run_id, 0, [f"prune.score={score}", "prune.scope=local", "prune.rho=0.25"], store)
    state = work(store, new_id, until=Pruned)
    assert state.started is not None
    tokens = {site.name: site.width for site in state.sites}
    raw = scores_of(arrays(store, run_id, 1), score)
    how = "none" if score == "random" else "per_parameter"
    expected = select(normalise(raw, tokens, how), state.widths[0], 0.75, "local")
    survivors = scores_of(arrays(store, new_id, 1), "survivors")
    assert {site: kept.tolist() for site, kept in survivors.items()} == {s: k.tolist() for s, k in expected.items()}
    assert state.scored[0].score == score


def test_pruning_goes_on_after_the_last_cut(parent: tuple[Store, str]) -> None:
    store, run_id = parent
    new_id = branch(store, run_id, 2, ["prune.sigma_target=24", "prune.rho=0.4", "prune.score=fisher"], store)
    state = work(store, new_id)
    assert state.started is not None
    assert state.started.keep_fractions == pytest.approx([0.5, 0.25, 1 / 6])
    assert [sum(widths.values()) for widths in state.widths] == [736, 368, 184, 122]
    assert state.ended is not None
    assert np.isfinite(np.concatenate(list(scores_of(arrays(store, new_id, 3), "grasp").values()))).all(), "carried on"
    again = branch(store, new_id, 3, ["prune.sigma_target=200"], store)
    assert [str(keep) for keep in plan(store.config(again)).keep][:3] == ["1/2", "1/4", "1/6"], "a branch of a branch"


def test_a_run_of_an_earlier_version_can_go_on_with_scores_of_weights(parent: tuple[Store, str]) -> None:
    store, run_id = parent
    (files.cycle_folder(store.folder(run_id), 2) / "end_scores.npz").rename(store.directory / "away")
    more = ["prune.sigma_target=32"]
    try:
        with pytest.raises(
            RunError, match=r"kept no taylor scores .* choose prune.score from mimi, l2, down_only, random"
        ):
            branch(store, run_id, 2, [*more, "prune.score=taylor"], store)
        new_id = branch(store, run_id, 2, more, store)
    finally:
        (store.directory / "away").rename(files.cycle_folder(store.folder(run_id), 2) / "end_scores.npz")
    work(store, new_id, until=Pruned)
    stored, known = arrays(store, new_id, 3), arrays(store, run_id, 2, "end_scores")
    for site, values in scores_of(known, "mimi").items():
        assert np.array_equal(stored[f"mimi/{site}"], values)
        assert np.isnan(stored[f"gradient/{site}"]).all(), "unknown, and not zero"


def test_scores_from_weights_need_nothing_that_was_watched() -> None:
    adapter = Adapter(8, 4, "paper")
    seen = Seen.nothing(adapter)
    for value in seen.values():
        value.fill_(math.nan)
    seen.lot = np.random.default_rng(0)
    with torch.no_grad():
        finite = {name for name, entry in SCORES.items() if entry.score(adapter, seen).isfinite().all()}
    assert finite == {name for name, entry in SCORES.items() if entry.always_known}


@pytest.mark.parametrize(
    ("cycle", "sets", "told"),
    [
        (3, [], "cycles 0 to 2 can be branched from"),
        (-1, [], "has no cycle -1"),
        (2, [], "compression is 16: set prune.sigma_target to more"),
        (1, ["adapter.placement=parallel", "data.seed=1"], "cannot change data.seed, adapter.placement"),
        (1, ["method=adapter"], "cannot change method"),
        (1, ["prune.sigma_target=2"], "below adapter.sigma_0"),
        (1, ["prune.scoer=l2"], "did you mean 'score'"),
        (1, ["rho"], "section.key=value"),
    ],
)
def test_what_cannot_be_branched_is_said(parent: tuple[Store, str], cycle: int, sets: list[str], told: str) -> None:
    store, run_id = parent
    before = store.list()
    with pytest.raises(MimiError, match=told):
        branch(store, run_id, cycle, sets, store)
    assert store.list() == before


def test_a_seed_that_makes_the_backbone_must_stay(tmp_path: Path, parent: tuple[Store, str]) -> None:
    store, run_id = parent
    fresh = Store(tmp_path)
    random = fresh.create(make_config(preset="quick", sets=[*SETS, "backbone.pretrained=false"]))
    source = store.folder(run_id)
    (fresh.folder(random) / files.EVENTS).write_bytes((source / files.EVENTS).read_bytes())
    with pytest.raises(RunError, match="must keep its seed"):
        branch(fresh, random, 1, ["seed=1"], fresh)


def test_broken_files_are_one_message(parent: tuple[Store, str], tmp_path: Path) -> None:
    store, run_id = parent
    copy = Store(tmp_path)
    new_id = branch(store, run_id, 1, [], copy)
    cycle = files.cycle_folder(copy.folder(new_id), 1)
    trained = [e for e in store.state(run_id).evaluations if (e.cycle, e.stage) == (1, "trained")]
    with (copy.folder(new_id) / files.EVENTS).open("ab") as events:
        events.writelines(to_line(e) for e in trained)
    (cycle / "end_scores.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match="scores at the end of cycle 1 cannot be read"):
        branch(copy, new_id, 1, [], copy)
    (cycle / "end_scores.npz").unlink()
    (cycle / "adapters.safetensors").write_bytes(b"{}")
    with pytest.raises(RunError, match="adapters of cycle 1 cannot be read"):
        branch(copy, new_id, 1, [], copy)
    (copy.folder(new_id) / files.RESUME / "newest.safetensors").unlink()
    with pytest.raises(RunError, match="cannot be read: branch"):
        work(copy, new_id)


def test_a_config_with_a_branch_makes_an_ordinary_run(tmp_path: Path, parent: tuple[Store, str]) -> None:
    store, run_id = parent
    config = store.config(branch(store, run_id, 1, [], store))
    assert config.branch is not None
    assert Store(tmp_path).config(Store(tmp_path).create(config)).branch is None
    with pytest.raises(ConfigError):
        make_config({"branch": {"run": "x", "cycle": 0, "keep": ["1/0"]}})
