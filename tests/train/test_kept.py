"""What a run keeps beside its events: what was said of every test image, and what each adapter is worth."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mimi_core.adapters.attach import remove
from mimi_core.adapters.shrink import shrink
from mimi_core.analysis.why.cut_scores import read_cut
from mimi_core.analysis.why.damage import agreement_by_score, rank_agreement, worth_of_layers
from mimi_core.config import RunConfig, make_config
from mimi_core.errors import RunError
from mimi_core.export.neuron_damage import damage_of_neurons
from mimi_core.export.saved import read_saved, restorable
from mimi_core.resources import EXAMPLES
from mimi_core.runs.events import Evaluated, Event, Pruned
from mimi_core.runs.formats import answers, cycle_weights, damage, npz
from mimi_core.runs.recorder import NoRecorder, Recorder
from mimi_core.runs.store import Store
from mimi_core.train.course import Course, Cursor
from mimi_core.train.cycle import run
from mimi_core.train.damage import FEWEST_IMAGES, images_to_measure
from mimi_core.train.evaluate import evaluate, predict_batches
from mimi_core.train.setup import set_up
from tests.conftest import QUICK

KEPT = ("test_trained.npz", "test_cut.npz", "damage.npz")


def config(*sets: str) -> RunConfig:
    return make_config(preset="quick", sets=[*QUICK, "train.epochs=1", "train.device=cpu", *sets])


def going_on(store: Store, run_id: str) -> Iterator[Event]:
    with Recorder(store.folder(run_id)) as recorder:
        for event in run(store.config(run_id), recorder):
            recorder.emit(event)
            yield event


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    store = Store(tmp_path_factory.mktemp("runs"))
    run_id = store.create(config())
    for _ in going_on(store, run_id):
        pass
    return store, run_id


def test_what_was_said_of_each_image_adds_up_to_the_accuracies(done: tuple[Store, str]) -> None:
    store, run_id = done
    folder, state = store.folder(run_id), store.state(run_id)
    images = answers.read_images(folder)
    assert len(set(images.name)) == len(images.label) == 30
    assert all(name.startswith("digits image ") for name in images.name)
    moments = [event for event in state.evaluations if event.split == "test"]
    assert [(e.cycle, e.stage) for e in moments][:3] == [(0, "trained"), (1, "cut"), (1, "trained")]
    for event in moments:
        said = answers.read(folder, event.cycle, event.stage, len(images.label), 10)
        assert (said.predicted == images.label).mean() == event.accuracy
        assert -said.log_true.mean() == pytest.approx(event.loss, rel=2e-3)
        right = said.predicted == images.label
        assert np.array_equal(said.log_predicted[right], said.log_true[right])
        assert (said.log_predicted >= said.log_true).all()
        assert answers.path_of(folder, event.cycle, event.stage).stat().st_size < 8 * len(images.label) + 2_000


def test_names_of_files_are_without_the_folder_they_lie_in(tmp_path: Path) -> None:
    from PIL import Image

    for kind, shade in (("dark", 10), ("light", 240)):
        (tmp_path / "images" / kind).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (32, 32), shade + number % 5).save(tmp_path / "images" / kind / f"{number}.png")
    store = Store(tmp_path / "runs")
    run_id = store.create(config(f"data.name=folder:{tmp_path / 'images'}", "data.shots=null", "method=linear"))
    for _ in going_on(store, run_id):
        pass
    images = answers.read_images(store.folder(run_id))
    assert {name.partition("/")[0] for name in images.name} == {"dark", "light"}
    for name, label in zip(images.name, images.label, strict=True):
        assert name.startswith(("dark", "light")[label])


def test_damage_is_what_the_model_loses_when_an_adapter_is_taken_out(done: tuple[Store, str]) -> None:
    """Before each cut, on validation images: as by taking it out of the saved model and evaluating that."""
    store, run_id = done
    folder, state = store.folder(run_id), store.state(run_id)
    for cut in (1, 2):
        found = damage.read(folder, cut)
        assert found.split == "val"
        assert found.images == 30
        assert {*found.of_loss} == {site for site, neurons in state.widths[cut - 1].items() if neurons}
        assert found.accuracy == state.accuracy(cut - 1, split="val")
    setup = set_up(store.config(run_id), NoRecorder())
    found, saved = damage.read(folder, 1), read_saved(cycle_weights.path_of(folder, 0))
    whole = restorable(store.config(run_id), 10).fill(saved)
    for site in list(found.of_loss)[::8]:
        model = restorable(store.config(run_id), 10).fill(saved)
        remove(model, site)
        accuracy, loss = evaluate(model, setup.val, setup.vision)
        assert found.loss_without[site] == pytest.approx(loss, rel=1e-4), site
        assert found.accuracy_without[site] == accuracy, site
        assert found.of_loss[site] == found.loss_without[site] - found.loss
        logits = [torch.cat([part for part, _ in predict_batches(m, setup.val, setup.vision)]) for m in (model, whole)]
        labels = setup.val.labels.cpu()
        one, other = (F.cross_entropy(part, labels, reduction="none").numpy() for part in logits)
        assert found.error[site] == pytest.approx((one - other).std(ddof=1) / len(labels) ** 0.5, rel=1e-3)
    assert len({*found.of_loss.values()}) > len(found.of_loss) // 2, "as if nothing had been switched off"


def test_damage_of_neurons_is_what_is_lost_when_one_is_cut(done: tuple[Store, str]) -> None:
    """As by shrinking the saved model; and all of a site's neurons out together are its adapter off."""
    store, run_id = done
    folder, own = store.folder(run_id), store.config(run_id)
    before, after = store.state(run_id).widths[:2]
    site = min((s for s in after if after[s]), key=lambda s: before[s])
    found = damage_of_neurons(folder, own, 0, site)
    of_site = damage.read(folder, 1)
    assert (found.loss, found.accuracy, found.images) == (of_site.loss, of_site.accuracy, of_site.images)
    setup, saved = set_up(own, NoRecorder()), read_saved(cycle_weights.path_of(folder, 0))
    for neuron in (0, before[site] - 1):
        model = restorable(own, 10).fill(saved)
        shrink(model, {site: np.delete(np.arange(before[site]), neuron)})
        accuracy, loss = evaluate(model, setup.val, setup.vision)
        assert found.loss_without[neuron] == pytest.approx(loss, rel=1e-5)
        assert found.accuracy_without[neuron] == accuracy
    assert found.of_loss.shape == (before[site],)
    assert len(found.error) == before[site]
    assert min(found.error) > 0
    gone = next(s for s in before if not store.state(run_id).widths[2][s])
    with pytest.raises(RunError, match="has no adapter at the end of cycle 2"):
        damage_of_neurons(folder, own, 2, gone)


def test_measuring_changes_nothing_and_can_be_left(done: tuple[Store, str], tmp_path: Path) -> None:
    store, run_id = done
    other = Store(tmp_path)
    without = other.create(config("prune.measure_damage=false"))
    for _ in going_on(other, without):
        pass
    states = store.state(run_id), other.state(without)
    told = [[(e.accuracy, e.loss) for e in state.evaluations] for state in states]
    assert told[0] == told[1]
    assert states[0].widths == states[1].widths
    assert not list(other.folder(without).rglob("damage.npz"))
    with pytest.raises(RunError, match="is not there"):
        damage.read(other.folder(without), 1)


def test_without_validation_images_training_images_are_looked_at(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = store.create(config("data.train_on_val=true", "prune.sigma_target=8"))
    for event in going_on(store, run_id):
        if isinstance(event, Pruned):
            break
    found = damage.read(store.folder(run_id), 1)
    assert (found.split, found.images) == ("train", len(set_up(store.config(run_id), NoRecorder()).train))


@pytest.mark.parametrize("last", [Pruned, Evaluated])
def test_a_run_killed_in_a_cut_keeps_what_an_undisturbed_one_keeps(
    last: type, done: tuple[Store, str], tmp_path: Path
) -> None:
    store, run_id = done
    other = Store(tmp_path)
    killed = other.create(config())
    for event in going_on(other, killed):
        if isinstance(event, last) and event.cycle == 1:
            break
    for _ in going_on(other, killed):
        pass
    one, two = store.folder(run_id), other.folder(killed)
    files = sorted(path.relative_to(one) for path in one.rglob("*.npz") if path.name in KEPT)
    assert len(files) == 3 + 2 + 2
    for file in files:
        with np.load(one / file) as mine, np.load(two / file) as theirs:
            assert {*mine} == {*theirs}
            assert all(np.array_equal(mine[name], theirs[name]) for name in mine), file


def test_runs_of_earlier_versions_have_none_and_say_so() -> None:
    example = next(EXAMPLES.glob("*demo-global*"))
    for read in (lambda: answers.read_images(example), lambda: answers.read(example, 0, "trained", 3, 10)):
        with pytest.raises(RunError, match="not there"):
            read()


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cycles" / "1").mkdir(parents=True)
    sound = answers.arrays(answers.Answers(np.array([1, 2]), np.array([-0.1, -0.2]), np.array([-0.1, -9.0])), 3)
    path = answers.path_of(tmp_path, 1)
    for wrong in (
        {"predicted": np.array([1, 3], np.uint8)},
        {"predicted": np.array([1], np.uint8)},
        {"log_true": np.array([np.nan, -1])},
        {"log_true": np.array([0.5, -1])},
        {"version": np.array(9)},
    ):
        npz.write(tmp_path, path.relative_to(tmp_path).as_posix(), sound)
        answers.read(tmp_path, 1, "trained", 2, 3)
        np.savez(path, **(sound | wrong))
        with pytest.raises(RunError):
            answers.read(tmp_path, 1, "trained", 2, 3)
    found = damage.Damage(1.0, 0.5, {"a": 1.5, "b": 0.9}, {"a": 0.2, "b": 0.6}, 30, "val", {"a": 0.1, "b": 0.2})
    npz.write(tmp_path, "cycles/1/damage.npz", damage.arrays(found))
    assert damage.read(tmp_path, 1) == found
    for wrong in (
        {"loss": np.array([1.0])},
        {"loss": np.array([1.0, np.inf])},
        {"split": npz.as_bytes(["test"])},
        {"site": npz.as_bytes(["a", "a"])},
        {"error": np.array([0.1])},
        {"error": np.array([0.1, -0.1])},
        {"error": np.array([0.1, np.inf])},
    ):
        np.savez(damage.path_of(tmp_path, 1), **(damage.arrays(found) | wrong))
        with pytest.raises(RunError):
            damage.read(tmp_path, 1)
    old = {name: values for name, values in damage.arrays(found).items() if name != "error"}
    np.savez(damage.path_of(tmp_path, 1), **old)
    assert np.isnan([*damage.read(tmp_path, 1).error.values()]).all(), "of before it was kept: not known"


def test_logarithms_tell_close_and_far_probabilities_apart() -> None:
    """As the most confident mistakes need it: float16 itself knows nothing between 0.9995 and 1."""
    close = np.log(np.array([0.99999, 0.9999, 1e-20]))
    kept = answers.arrays(answers.Answers(np.zeros(3, int), close, close), 2)["log_predicted"].astype(float)
    assert np.exp(kept) == pytest.approx(np.exp(close), rel=0.02)
    assert kept[0] > kept[1]


def test_measuring_takes_a_tenth_of_the_training_at_most_but_looks_at_enough() -> None:
    assert images_to_measure(24, 1000, 10**6) == damage.MOST_IMAGES
    assert images_to_measure(24, 1000, 8_000) == 100
    assert images_to_measure(24, 1000, 10) == FEWEST_IMAGES
    assert images_to_measure(24, 7, 10**6) == 7


def test_how_far_a_run_is_counts_what_is_measured() -> None:
    from mimi_core.budget import plan

    planned = plan(config())
    bare, measured = (Course(planned, 100, 50, 10, count) for count in (0, 40))
    assert measured.whole == replace(bare.whole, evaluated=bare.whole.evaluated + 2 * 40)
    after_a_cut = Cursor(1, 0)
    assert measured.up_to(after_a_cut).cost == bare.up_to(after_a_cut).cost + 40


def test_rank_agreement_by_hand(done: tuple[Store, str]) -> None:
    worth = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "gone": 9.0}
    same = rank_agreement(worth, {"a": 0.1, "b": 0.2, "c": 0.3, "d": 40.0})
    assert same is not None
    assert (same.kendall, same.spearman, same.count) == (pytest.approx(1), pytest.approx(1), 4)
    swapped = rank_agreement(worth, {"a": 0.2, "b": 0.1, "c": 0.3, "d": 0.4})
    assert swapped is not None
    assert swapped.kendall == pytest.approx(4 / 6)
    assert swapped.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert rank_agreement(worth, {"a": 1.0, "b": 2.0}) is None
    level = rank_agreement(worth, dict.fromkeys(worth, 0.0))
    assert level is not None
    assert np.isnan(level.kendall)
    store, run_id = done
    cut = read_cut(store.folder(run_id), store.state(run_id), 1)
    known = agreement_by_score(cut, damage.read(store.folder(run_id), 1).of_loss)
    assert {*known} == {*cut.raw}
    site = next(iter(cut.raw["mimi"]))
    expected = cut.raw["mimi"][site].sum() / (2 * cut.token_widths[site])
    assert worth_of_layers(cut, "mimi")[site] == pytest.approx(expected)


def test_an_adapter_that_is_off_takes_no_part() -> None:
    from mimi_core.adapters.adapter import Adapted, Adapter
    from mimi_core.train.damage import switched_off

    base, adapter = torch.nn.Linear(4, 4), Adapter(4, 2, "paper")
    adapted = Adapted(base, adapter, "site", "parallel")
    tokens = torch.randn(3, 4)
    with switched_off(adapted):
        assert torch.equal(adapted(tokens), base(tokens))
    assert not torch.equal(adapted(tokens), base(tokens))
