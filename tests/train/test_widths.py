"""Widths that are given, or taken from a run that has finished: what a run does with them, to the bit."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mimi_core.adapters.attach import adapters_of
from mimi_core.config import RunConfig, make_config, read_run_config
from mimi_core.config.site_widths import TakenWidths
from mimi_core.errors import BudgetError, ConfigError, RunError
from mimi_core.runs import files
from mimi_core.runs.events import EpochEnded, Evaluated, Event, fold, read_events
from mimi_core.runs.inherited import surviving, with_widths
from mimi_core.runs.recorder import NoRecorder, Recorder
from mimi_core.runs.store import Store
from mimi_core.train.cycle import run
from mimi_core.train.setup import build_model, set_up
from tests.conftest import QUICK

TINY = [*QUICK, "data.shots=2", "data.max_eval=20", "train.epochs=1", "train.device=cpu"]


def tiny(*sets: str) -> RunConfig:
    return make_config(preset="quick", sets=[*TINY, *sets])


def done(store: Store, config: RunConfig) -> str:
    run_id = store.create(config)
    for _ in going_on(store, run_id):
        pass
    return run_id


def going_on(store: Store, run_id: str) -> Iterator[Event]:
    with Recorder(store.folder(run_id)) as recorder:
        for event in run(store.config(run_id), recorder):
            recorder.emit(event)
            yield event


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A MiMi run that has finished."""
    store = Store(tmp_path_factory.mktemp("runs"))
    return store, done(store, tiny("seed=3"))


def widths_now(config: RunConfig) -> dict[str, int]:
    model, sites, *_ = build_model(config, 10)
    adapters = adapters_of(model)
    return {site.name: adapters[site.name].hidden_width if site.name in adapters else 0 for site in sites}


def test_the_final_widths_of_a_run_are_in_the_new_run_s_own_config(cut: tuple[Store, str], tmp_path: Path) -> None:
    store, source = cut
    config = store.config(store.create(tiny("method=adapter", f"adapter.widths=from:{source}")))
    final = store.state(source).widths[-1]
    assert 0 in final.values(), "this run would not show that a site without neurons has no adapter"
    assert widths_now(config) == final
    assert isinstance(config.adapter.widths, TakenWidths)
    assert config.adapter.widths.run == source
    elsewhere = Store(tmp_path)
    assert elsewhere.config(elsewhere.create(config)).adapter == config.adapter, "it needs the other run no longer"
    by_path = with_widths(tiny("method=adapter", f"adapter.widths=from:{store.folder(source)}"), tmp_path)
    assert widths_now(by_path) == final


def test_another_wish_is_not_answered_with_numbers_that_were_read_before(cut: tuple[Store, str]) -> None:
    store, source = cut
    read = with_widths(tiny(f"adapter.widths=from:{source}"), store.directory).model_dump(mode="json")
    read["adapter"]["widths"]["shuffle"] = 5
    changed = make_config(read)
    with pytest.raises(ConfigError, match="has not been read"):
        build_model(changed, 10)
    assert widths_now(with_widths(changed, store.directory)) != store.state(source).widths[-1]


def test_shuffled_and_scaled(cut: tuple[Store, str]) -> None:
    store, source = cut
    state = store.state(source)
    final, cost = state.widths[-1], {site.name: 2 * site.width for site in state.sites}

    def taken(how: str) -> dict[str, int]:
        return widths_now(with_widths(tiny(f"adapter.widths=from:{source}{how}"), store.directory))

    shuffled = taken(",shuffle:1")
    assert sorted(shuffled.values()) == sorted(final.values())
    assert shuffled != final
    assert shuffled != taken(",shuffle:2")
    assert shuffled == taken(",shuffle:1")
    assert sum(taken(",budget:100").values()) == 100
    parameters = sum(cost[site] * width for site, width in final.items())
    same = taken(",shuffle:1,parameters:same")
    assert 0 <= parameters - sum(cost[site] * width for site, width in same.items()) < max(cost.values())
    assert {site for site, width in same.items() if width} <= {site for site, width in shuffled.items() if width}


def test_rewound_neurons_begin_with_the_weights_of_their_start(cut: tuple[Store, str]) -> None:
    """Bit for bit, also under another seed, which decides the head and the order of images alone."""
    store, source = cut
    state, old = store.state(source), store.config(source)
    start = adapters_of(build_model(old, 10)[0])
    kept = surviving(store.folder(source), state)
    assert {site: len(neurons) for site, neurons in kept.items()} == state.widths[-1]
    for seed in (3, 4):
        config = tiny("method=adapter", f"seed={seed}", f"adapter.widths=from:{source},weights:rewound")
        rewound = adapters_of(build_model(with_widths(config, store.directory), 10)[0])
        assert rewound.keys() == {site for site, neurons in kept.items() if len(neurons)}
        for site, adapter in rewound.items():
            assert torch.equal(adapter.down, start[site].down[kept[site]]), site
            assert torch.equal(adapter.up, start[site].up[:, kept[site]]), site
    fresh = with_widths(tiny("method=adapter", "seed=3", f"adapter.widths=from:{source}"), store.directory)
    others = adapters_of(build_model(fresh, 10)[0])
    assert not all(torch.equal(adapter.down, rewound[site].down) for site, adapter in others.items())


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["adapter.init=paper"], "adapter.init=paper"),
        (["adapter.positions=mlp"], "adapter.positions=mlp"),
        (["method=adaptformer"], "the same sites"),
    ],
)
def test_what_would_not_be_the_same_start_is_not_called_rewound(
    cut: tuple[Store, str], sets: list[str], message: str
) -> None:
    store, source = cut
    with pytest.raises(ConfigError, match=message):
        set_up(with_widths(tiny(f"adapter.widths=from:{source},weights:rewound", *sets), store.directory), NoRecorder())


def test_survivors_that_make_no_sense_are_not_rewound(cut: tuple[Store, str], tmp_path: Path) -> None:
    store, source = cut
    copy = Path(shutil.copytree(store.folder(source), tmp_path / source))
    scores = copy / "cycles" / "2" / "scores.npz"
    with np.load(scores) as stored:
        arrays = dict(stored)
    name = next(name for name in arrays if name.startswith("survivors/") and len(arrays[name]))
    arrays[name] = arrays[name] + 1_000
    np.savez(scores, **arrays)
    with pytest.raises(RunError, match="were not there before"):
        Store(tmp_path).create(tiny("method=adapter", f"adapter.widths=from:{source},weights:rewound"))


def test_runs_without_final_widths_are_refused(cut: tuple[Store, str]) -> None:
    store, _ = cut
    waiting = store.create(tiny())
    probe = done(store, tiny("method=linear"))
    for run_id, message in (
        (waiting, "has not finished"),
        (probe, "without any adapter"),
        ("nowhere", "there is none"),
    ):
        with pytest.raises(RunError, match=message):
            store.create(tiny(f"adapter.widths=from:{run_id}"))


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ("{nowhere: 3}", "not there: nowhere"),
        ("{layers.0.blocks.0.attn: 33}", "has 33 of at most 32"),
        ("{layers.0.blocks.0.attn: -1}", "greater than or equal to 0"),
        ("{layers.0.blocks.0.attn: 0}", "no site a neuron"),
        ("{layers.0.blocks.0.attn: 1.5}", "valid integer"),
        ("seven", "from:RUN"),
    ],
)
def test_widths_that_do_not_fit_are_refused_by_name(widths: str, message: str) -> None:
    with pytest.raises((ConfigError, BudgetError), match=message):
        build_model(tiny(f"adapter.widths={widths}"), 10)


def test_a_run_with_given_widths_is_cut_trained_saved_and_resumed(tmp_path: Path) -> None:
    """Cut in shares of the given widths; killed in its middle, it ends as one that nothing happened to."""
    widths = "{layers.0.blocks.0.attn: 8, layers.1.blocks.1.mlp: 5, layers.2.blocks.3.mlp: 3}"
    store, config = Store(tmp_path), tiny(f"adapter.widths={widths}")
    whole, killed = done(store, config), store.create(config)
    state = store.state(whole)
    assert [sum(step.values()) for step in state.widths] == [16, 8, 4]
    assert len(state.widths[0]) == len(state.sites) > 3
    for event in going_on(store, killed):
        if isinstance(event, EpochEnded) and event.cycle == 1:
            break
    for _ in going_on(store, killed):
        pass
    assert_same_end(store.folder(whole), store.folder(killed))


def assert_same_end(one: Path, other: Path) -> None:
    ends = [read_events(folder / files.EVENTS) for folder in (one, other)]
    numbers = [[(e.cycle, e.stage, e.split, e.accuracy, e.loss) for e in state.evaluations] for state in ends]
    assert numbers[0] == numbers[1]
    for file in one.glob("cycles/*/adapters.safetensors"):
        mine, theirs = load_file(file), load_file(other / file.relative_to(one))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


# --- courses of the learning rate -------------------------------------------------------------------------------------


def test_a_run_without_cuts_can_have_the_courses_of_one_with_cuts(tmp_path: Path) -> None:
    """The same learning rates, epoch for epoch; one training, so that nothing is told of cycles that were none."""
    shared = ["train.epochs=2", "train.batch_size=8"]
    mimi = list(run(tiny(*shared)))
    courses = len(fold(mimi).widths)
    assert courses == 3
    restarted = list(run(tiny("method=adapter", f"train.cycles={courses}", *shared)))
    once = list(run(tiny("method=adapter", "train.epochs=6", "train.batch_size=8")))

    def rates(events: list[Event]) -> list[float]:
        return [event.lr for event in events if isinstance(event, EpochEnded)]

    assert rates(restarted) == rates(mimi)
    assert len(rates(once)) == len(rates(restarted)) == 6
    assert rates(once) != rates(restarted)
    assert {event.cycle for event in restarted if isinstance(event, EpochEnded | Evaluated)} == {0}


@pytest.mark.parametrize("fresh_moments", ["false", "true"])
def test_courses_go_on_after_a_kill_as_if_nothing_had_happened(fresh_moments: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    config = tiny("method=adapter", "train.cycles=3", "train.epochs=2", f"train.reset_optimizer={fresh_moments}")
    whole, killed = done(store, config), store.create(config)
    for at in (2, 5):
        for event in going_on(store, killed):
            if isinstance(event, EpochEnded) and event.epoch == at:
                break
    for _ in going_on(store, killed):
        pass
    assert_same_end(store.folder(whole), store.folder(killed))


def test_fresh_moments_at_every_course_make_another_run() -> None:
    shared = ["method=adapter", "train.cycles=2"]
    kept, fresh = (
        fold(run(tiny(*shared, f"train.reset_optimizer={reset}"))).evaluations[-1].loss for reset in ("false", "true")
    )
    assert kept != fresh


def test_old_configs_read_as_before(tmp_path: Path) -> None:
    """A config that knows nothing of widths and courses: one training, widths M // sigma_0."""
    values = tiny("method=adapter").model_dump(mode="json")
    del values["adapter"]["widths"], values["train"]["cycles"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    config = read_run_config(tmp_path / "config.yaml")
    assert config == tiny("method=adapter")
    assert set(np.unique([*widths_now(config).values()])) == {8, 16, 32, 64}
