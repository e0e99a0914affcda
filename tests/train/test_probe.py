"""The linear probe beside a run: converged, chosen on validation images, shared, and of no influence."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mimi_core.config import RunConfig, make_config
from mimi_core.runs.formats import probe as probe_file
from mimi_core.runs.recorder import NoRecorder, Recorder
from mimi_core.runs.store import Store
from mimi_core.train import fingerprint, probe
from mimi_core.train.setup import Setup, set_up
from mimi_core.train.worker import work
from tests.conftest import QUICK

ONE_EPOCH = ["method=linear", "train.epochs=1", *QUICK[:2], "train.batch_size=10", "train.device=cpu"]


def quick(*sets: str) -> RunConfig:
    return make_config(preset="quick", sets=[*ONE_EPOCH, *sets])


def kept_beside(store: Store, config: RunConfig) -> tuple[Path, Setup]:
    """A run's folder with its probe, as it is when training begins."""
    folder = store.folder(store.create(config, here=True))
    with Recorder(folder) as recorder:
        setup = set_up(config, recorder)
        fingerprint.hold(recorder, config, setup.dataset)
        probe.beside(recorder, setup)
    return folder, setup


def test_it_is_scikit_learns_on_frozen_features_whatever_the_method_adds(store: Store) -> None:
    """`init=paper` makes adapters act from the first step: the probe must not see them."""
    folder, setup = kept_beside(store, quick("method=mimi", "adapter.init=paper"))
    made = probe_file.read(folder)
    assert made is not None
    backbone = probe._frozen(setup)
    counter = probe._Counter(90, lambda text: None)
    (train, labels), (val, val_labels), (test, test_labels) = (
        probe._features(backbone, pixels, None, setup, counter) for pixels in (setup.train, setup.val, setup.test)
    )
    scaler = StandardScaler().fit(train)
    models = [LogisticRegression(C=c, max_iter=5000).fit(scaler.transform(train), labels) for c in probe.STRENGTHS]
    best = max(model.score(scaler.transform(val), val_labels) for model in models)
    chosen = models[probe.STRENGTHS.index(made.strength or 0)]
    assert chosen.score(scaler.transform(val), val_labels) == best == made.val_accuracy
    told = chosen.predict(scaler.transform(test)) == test_labels
    assert made.told is not None
    assert (made.told == told).mean() > 0.95, "but for what hangs on the last digits"
    assert made.test_accuracy == pytest.approx(made.told.mean())
    assert (made.features, made.train_images, made.test_images) == (256, 30, 30)
    assert made.chosen_on == "validation"


def test_without_validation_images_parts_of_the_training_images_choose(store: Store) -> None:
    made = probe_file.read(kept_beside(store, quick("data.train_on_val=true"))[0])
    assert made is not None
    assert (made.chosen_on, made.val_accuracy) == ("training", None)
    assert made.test_accuracy > 0.3


def test_a_weak_penalty_is_not_taken_where_a_strong_one_is_better() -> None:
    draw = np.random.default_rng(0)
    means = draw.normal(size=(2, 40))

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = draw.integers(0, 2, count)
        return draw.normal(size=(count, 40)) + 0.2 * means[labels], labels

    train, val, test = images(60), images(2000), images(5000)
    scores = probe._scores(train, test, lambda text: None)[:, 0]
    assert scores.argmax() < len(scores) - 1, "the task is one where the penalty matters"
    fitted = probe.fit(train, val)
    assert np.mean(fitted.predict(test[0]) == test[1]) > scores[-1]


def test_few_images_and_rare_classes_still_get_one() -> None:
    draw = np.random.default_rng(0)
    features, labels = draw.normal(size=(7, 3)), np.array([0, 0, 0, 1, 1, 1, 2])
    none = np.zeros((0, 3)), np.zeros(0, np.int64)
    assert probe.fit((features, labels), none).chosen_on == "training"
    one_each = probe.fit((features[:2], np.array([0, 1])), none)
    assert one_each.chosen_on == "nothing"
    assert list(one_each.predict(features[:2])) == [0, 1]


def test_runs_on_the_same_images_share_one_and_others_do_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = probe._work_out
    monkeypatch.setattr(probe, "_work_out", lambda *args: made.append(1) or real(*args))
    first, _ = kept_beside(store, quick())
    same = [kept_beside(store, quick(*sets))[0] for sets in (["seed=3"], ["method=mimi"], ["train.lr=0.1"])]
    assert len(made) == 1
    assert {(folder / probe_file.NAME).read_text() for folder in (first, *same)} == {
        (first / probe_file.NAME).read_text()
    }
    kept_beside(store, quick("data.seed=1"))
    kept_beside(store, quick("backbone.image_size=32"))
    kept_beside(store, quick("backbone.pretrained=false"))
    kept_beside(store, quick("backbone.pretrained=false", "seed=1"))
    assert len(made) == 5
    assert len(list(store.directory.iterdir())) == 8, "nothing lies beside the runs"


def test_a_broken_file_is_made_anew_for_runs_and_absent_for_readers(store: Store) -> None:
    first, _ = kept_beside(store, quick())
    whole = probe_file.read(first)
    assert whole is not None
    for broken in ('{"version": 1, "test_acc', '{"version": 2}', "[]", ""):
        (first / probe_file.NAME).write_text(broken)
        assert probe_file.read(first) is None
        assert probe_file.of_another(first.parent / "new", whole.key) is None
    again = probe_file.read(kept_beside(store, quick())[0])
    assert again is not None
    assert (again.key, again.right, again.strength) == (whole.key, whole.right, whole.strength)
    assert probe_file.of_another(first, whole.key) == again
    (first / probe_file.NAME).unlink()
    os.mkfifo(first / probe_file.NAME)
    assert probe_file.read(first) is None, "and nobody waits for a writer"
    assert probe_file.Probe(right="no base64 at all!", test_images=3).told is None


def test_a_run_is_the_same_with_and_without(store: Store) -> None:
    accounts = []
    for wanted in ("true", "false"):
        folder = store.folder(store.create(quick(f"probe={wanted}", "method=mimi"), here=True))
        work(folder)
        lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        moment = ("time", "seconds", "images_per_second", "run_id", "config")
        accounts.append([{key: value for key, value in line.items() if key not in moment} for line in lines])
        assert (folder / probe_file.NAME).exists() == (wanted == "true")
    assert accounts[0] == accounts[1]


def test_a_notebooks_run_leaves_nothing_behind_and_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = quick()
    probe.beside(NoRecorder(), set_up(config, NoRecorder()))
    assert list(tmp_path.iterdir()) == []


def test_large_sets_are_thinned_so_that_memory_and_time_are_bounded() -> None:
    assert probe.most_images(384, 10, 1) == 50_000
    assert probe.most_images(2048, 10, 1) * 2048 <= probe.MOST_NUMBERS
    assert probe.most_images(768, 1000, 1) * 768 * 1000 <= probe.MOST_WORK
    assert probe.most_images(768, 100, 5) < probe.most_images(768, 100, 1)
    assert probe.most_images(1024, 20_000, 5) == 1000
