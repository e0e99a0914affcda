"""The algorithm on the bundled backbone and real digits: what happens, in which order, and with which numbers."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import safe_open

from mimi_core.analysis.monitor.curves import total_steps
from mimi_core.budget import sigma
from mimi_core.config import RunConfig, make_config
from mimi_core.errors import RunError
from mimi_core.runs.events import EpochEnded, Evaluated, Event, Pruned, RunEnded, RunStarted, Scored, fold
from mimi_core.runs.recorder import Arrays, NoRecorder, Recorder
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import SCORES
from mimi_core.select import normalise, select
from mimi_core.train.cycle import _Run, run
from mimi_core.train.setup import set_up
from tests.conftest import QUICK


def numbers(events: list[Event]) -> list[object]:
    """Everything that a seed decides."""
    drop = {"time", "seconds", "images_per_second", "run_id"}
    return [event.model_dump(exclude=drop) for event in events if not isinstance(event, RunStarted)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Path]:
    store = Store(tmp_path_factory.mktemp("runs"))
    folder = store.folder(store.create(make_config(preset="quick", sets=QUICK)))
    events = []
    with Recorder(folder) as recorder:
        for event in run(store.config(folder.name), recorder):
            recorder.emit(event)
            events.append(event)
    return events, folder


def first_epoch(*sets: str) -> tuple[RunStarted, float]:
    """How a run starts, and the training loss of its first epoch."""
    events = run(make_config(preset="quick", sets=[*QUICK, *sets]), NoRecorder())
    started = next(event for event in events if isinstance(event, RunStarted))
    return started, next(event.loss for event in events if isinstance(event, EpochEnded))


def test_another_order_of_the_same_images_changes_nothing_but_what_is_learned() -> None:
    (usual, loss), (other, other_loss), (own, own_loss) = (
        first_epoch(*sets) for sets in ([], ["train.order_seed=7"], ["seed=0", "train.order_seed=0"])
    )
    assert other_loss != loss
    assert own_loss == loss, "a run's own seed is the order that it has anyway"
    for one in (other, own):
        assert (one.split_sizes, one.sites, one.trained_parameters) == (
            usual.split_sizes,
            usual.sites,
            usual.trained_parameters,
        )


def test_the_order_of_events(recorded: tuple[list[Event], Path]) -> None:
    kinds = [event.event for event in recorded[0]]
    cycle_0 = ["epoch_ended"] * 2 + ["evaluated"] * 2
    later = ["scored", "pruned", "evaluated", "evaluated", *cycle_0]
    assert kinds == ["run_started", *cycle_0, *later, *later, "run_ended"]
    stages = [(e.cycle, e.stage, e.split) for e in recorded[0] if isinstance(e, Evaluated)]
    assert stages[:6] == [
        (0, "trained", "val"),
        (0, "trained", "test"),
        *[(1, s, p) for s in ("cut", "trained") for p in ("val", "test")],
    ]


def test_budgets_are_met_exactly_and_the_last_cut_is_trained_on(recorded: tuple[list[Event], Path]) -> None:
    state = fold(recorded[0])
    assert state.started is not None
    totals = [sum(widths.values()) for widths in state.widths]
    assert totals == [736, 368, 184]
    token_widths = [site.width for site in state.sites]
    assert sigma(token_widths, state.widths[0].values()) == 4
    assert sigma(token_widths, state.widths[-1].values()) == 16
    assert [e.cycle for e in recorded[0] if isinstance(e, EpochEnded)] == [0, 0, 1, 1, 2, 2]
    for before, cut in zip(state.widths, state.cuts, strict=False):
        assert cut.removed == [site for site in cut.widths if before[site] and not cut.widths[site]]
        assert cut.adapter_parameters == sum(2 * site.width * cut.widths[site.name] for site in state.sites)
        assert cut.trained_parameters == cut.adapter_parameters + state.started.head_parameters


def test_stored_scores_give_the_same_cut_again(recorded: tuple[list[Event], Path]) -> None:
    """What the what-if page does: select on the stored scores, without torch, equals the cut that was made."""
    events, folder = recorded
    state = fold(events)
    token_widths = {site.name: site.width for site in state.sites}
    alive = {site: np.arange(width) for site, width in state.widths[0].items()}
    for cut, scored in zip(state.cuts, state.scored, strict=True):
        with np.load(folder / "cycles" / str(cut.cycle) / "scores.npz") as stored:
            raw = {site: stored[f"mimi/{site}"] for site in alive if f"mimi/{site}" in stored}
            kept = {site: stored[f"survivors/{site}"] for site in raw}
            unknown = {"snip"}  # says nothing about adapters that start at the identity
            about = {"version"}
            assert {key.split("/")[0] for key in stored} - about == {*SCORES, "survivors"} - unknown
            assert all(np.isfinite(stored[key]).all() for key in stored)
            assert any(stored[f"gradient/{site}"].any() for site in raw)
        assert {site: len(values) for site, values in raw.items()} == {s: len(a) for s, a in alive.items() if len(a)}
        again = select(normalise(raw, token_widths, "per_parameter"), state.widths[0], scored.keep_fraction, "global")
        assert all(np.array_equal(again[site], kept[site]) for site in raw)
        alive = {site: alive[site][kept[site]] if site in kept else alive[site] for site in alive}


def test_saved_adapters_have_the_widths_of_their_cycle(recorded: tuple[list[Event], Path]) -> None:
    events, folder = recorded
    for cycle, widths in enumerate(fold(events).widths):
        with safe_open(folder / "cycles" / str(cycle) / "adapters.safetensors", framework="pt") as file:
            assert json.loads(file.metadata()["widths"]) == widths
            names = set(file.keys())
            for site, width in widths.items():
                assert (f"adapters.{site}.down" in names) == (width > 0)
                if width:
                    assert file.get_tensor(f"adapters.{site}.down").shape[0] == width
            assert any(name.startswith("model.head") for name in names)


def test_the_gallery_and_its_predictions(recorded: tuple[list[Event], Path]) -> None:
    folder = recorded[1]
    with (
        np.load(folder / "gallery.npz") as gallery,
        np.load(folder / "cycles" / "2" / "predictions.npz") as predictions,
    ):
        assert gallery["images"].shape == (30, 64, 64, 3)
        assert predictions["probabilities"].shape == (30, 10)
        np.testing.assert_allclose(predictions["probabilities"].sum(1), 1, rtol=1e-5)
        assert np.array_equal(gallery["index"], predictions["index"])


def test_one_seed_gives_one_result(recorded: tuple[list[Event], Path], quick_config: RunConfig) -> None:
    """Also without a recorder, as in a notebook."""
    assert numbers(list(run(quick_config))) == numbers(recorded[0])


def test_another_seed_gives_another(recorded: tuple[list[Event], Path]) -> None:
    short = ["prune.sigma_target=4", "train.epochs=1"]
    losses = [
        next(
            e.loss
            for e in run(make_config(preset="quick", sets=[*QUICK, *short, f"seed={seed}"]))
            if isinstance(e, EpochEnded)
        )
        for seed in (0, 1)
    ]
    assert losses[0] != losses[1]


def test_the_authors_ending_can_be_had() -> None:
    config = make_config(preset="quick", sets=[*QUICK, "train.epochs=1", "prune.retrain_last=false"])
    events = list(run(config))
    assert [e.cycle for e in events if isinstance(e, EpochEnded)] == [0, 1]
    last = [e for e in events if isinstance(e, Evaluated)][-1]
    assert (last.cycle, last.stage) == (2, "cut")


@pytest.mark.parametrize(
    ("sets", "cuts"),
    [
        (["prune.scope=local", "prune.score=random"], 2),
        (["prune.score=gradient", "prune.normalise=fan", "adapter.placement=parallel", "adapter.init=paper"], 2),
        (["train.optimizer=sgd", "prune.score=taylor", "adapter.positions=mlp", "train.reset_optimizer=true"], 2),
        (["method=adapter"], 0),
        (["method=linear"], 0),
        (["method=full", "train.lr=1e-4"], 0),
    ],
)
def test_other_ways_to_fine_tune_and_to_cut(sets: list[str], cuts: int) -> None:
    events = list(run(make_config(preset="quick", sets=[*QUICK, "train.epochs=1", *sets])))
    counts = Counter(event.event for event in events)
    assert (counts["pruned"], counts["epoch_ended"]) == (cuts, cuts + 1)
    assert isinstance(events[-1], RunEnded)
    started = events[0]
    assert isinstance(started, RunStarted)
    if "prune.scope=local" in sets:
        state = fold(events)
        for site, width in state.widths[0].items():
            assert [w[site] for w in state.widths] == [width, width // 2, width // 4], (
                "widths here are multiples of four"
            )
    if "method=linear" in sets:
        assert started.trained_parameters == started.head_parameters == 2570
    if "method=full" in sets:
        assert started.trained_parameters == started.backbone_parameters + started.head_parameters


def test_a_score_from_before_training_decides_every_cut() -> None:
    """One shot: the survivors of the first cut keep their scores, and the second takes the next in the same order."""
    stored: dict[int, dict[str, np.ndarray]] = {}

    class Keeping(NoRecorder):
        def save_arrays(self, cycle: int, name: str, arrays: Arrays) -> None:
            if name == "scores":
                stored[cycle] = dict(arrays)

    sets = ["train.epochs=1", "adapter.init=paper", "prune.score=snip", "prune.normalise=none"]
    state = fold(run(make_config(preset="quick", sets=[*QUICK, *sets]), Keeping()))
    sites = list(state.widths[0])
    first = np.concatenate([stored[1][f"snip/{site}"] for site in sites])
    kept = [stored[1][f"snip/{site}"][stored[1][f"survivors/{site}"]] for site in sites]
    assert all(np.array_equal(stored[2].get(f"snip/{s}", []), part) for s, part in zip(sites, kept, strict=True))
    assert np.concatenate(kept).min() >= np.sort(first)[-len(np.concatenate(kept))]
    last = np.concatenate(
        [stored[2][f"snip/{s}"][stored[2][f"survivors/{s}"]] for s in sites if f"snip/{s}" in stored[2]]
    )
    assert np.array_equal(np.sort(last), np.sort(first)[-len(last) :])


def test_annealing_is_one_training_with_cuts_in_it() -> None:
    sets = ["prune.schedule=anneal", "train.epochs=5", "train.warmup=0.2", "prune.sigma_target=16"]
    events = list(run(make_config(preset="quick", sets=[*QUICK, *sets])))
    epochs = [e for e in events if isinstance(e, EpochEnded)]
    assert [(e.cycle, e.epoch) for e in epochs] == [(0, 1), (1, 1), (2, 1), (3, 1), (3, 2)]
    rates = [e.lr for e in epochs]
    assert rates == sorted(rates, reverse=True), "one course of the learning rate"
    assert rates[-1] < rates[0] / 10
    totals = [sum(widths.values()) for widths in fold(events).widths]
    assert totals == [736, int(736 * (1 / 4 + 3 / 4 * 8 / 27)), int(736 * (1 / 4 + 3 / 4 / 27)), 184]
    stages = [(e.cycle, e.stage) for e in events if isinstance(e, Evaluated) and e.split == "test"]
    assert stages == [(k, "trained") for k in range(4)]


def test_a_target_at_the_start_cuts_nothing_and_a_tiny_budget_warns() -> None:
    assert not any(
        isinstance(e, Scored)
        for e in run(make_config(preset="quick", sets=[*QUICK, "train.epochs=1", "prune.sigma_target=4"]))
    )
    tiny = ["adapter.sigma_0=200", "prune.sigma_target=210", "prune.rho=0.02", "train.epochs=1"]
    events = list(run(make_config(preset="quick", sets=[*QUICK, *tiny])))
    assert any(e.event == "pruned" for e in events)
    assert sum(1 for e in events if isinstance(e, Pruned) and e.neurons_before == e.neurons_after) == sum(
        1 for e in events if e.event == "warned" and e.code == "no_op_cut"
    )


def test_cuts_behind_the_last_neuron_are_not_made() -> None:
    """24 neurons, and a target that asked for 14 cuts."""
    sets = ["adapter.sigma_0=200", "prune.sigma_target=2e6", "train.epochs=1"]
    config = make_config(preset="quick", sets=[*QUICK, *sets])
    state = fold(list(run(config)))
    assert [sum(widths.values()) for widths in state.widths] == [24, 12, 6, 3, 1]
    assert state.started
    assert state.started.keep_fractions == [1 / 2, 1 / 4, 1 / 8, 1 / 16]
    (told,) = [warning for warning in state.warnings if "single neuron" in str(warning)]
    assert "cut 4 leaves a single neuron of 24" in str(told)
    assert "10 later cuts would cut nothing" in str(told)
    assert "prune.sigma_target=2e+06 is beyond that" in str(told)
    assert total_steps(state, config) == 5


def test_divergence_is_explained(quick_config: RunConfig) -> None:
    setup = set_up(quick_config, NoRecorder())
    with torch.no_grad():
        setup.model.get_classifier().weight.fill_(float("inf"))  # type: ignore[operator]
    with pytest.raises(RunError, match=r"diverged.*lower train\.lr"):
        list(_Run(setup, NoRecorder()).events())


def test_the_frozen_backbone_stays_as_it_was(quick_config: RunConfig) -> None:
    setup = set_up(quick_config, NoRecorder())
    frozen = {name: p.clone() for name, p in setup.model.named_parameters() if not p.requires_grad}
    buffers = {name: b.clone() for name, b in setup.model.named_buffers()}
    list(_Run(setup, NoRecorder()).events())
    after = {name.replace(".base", ""): p for name, p in setup.model.named_parameters()}
    assert all(torch.equal(after[name.replace(".base", "")], p) for name, p in frozen.items())
    later = {name.replace(".base", ""): b for name, b in setup.model.named_buffers()}
    assert all(torch.equal(later[name.replace(".base", "")], b) for name, b in buffers.items())
