"""Whether adapting gained anything: the interval, and the words that go with it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimi_core.analysis.common import gain, proportions
from mimi_core.config import make_config
from mimi_core.runs.formats import answers
from mimi_core.runs.formats import probe as probe_file
from mimi_core.runs.formats.probe import Probe, bits
from mimi_core.runs.store import Store
from mimi_core.train.worker import work


def test_intervals_are_newcombes() -> None:
    """Wilson: 81 of 263 gives .2553 to .3662, 0 of 20 gives 0 to .1611 (Newcombe 1998, table I)."""
    assert proportions.wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert proportions.wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)


def test_pairing_narrows_the_interval_and_covers_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    truth, held, studies, narrower = 0.04, 0, 1000, 0
    for _ in range(studies):
        hard = draw.random(300)  # the same images are hard for both
        first, second = hard + 0.1 * draw.random(300) < 0.79, hard + 0.1 * draw.random(300) < 0.75
        paired = proportions.together(first, second)
        apart = proportions.apart(first.mean(), second.mean(), 300)
        held += paired.low <= truth <= paired.high
        narrower += paired.high - paired.low < apart.high - apart.low
    assert narrower == studies
    assert 0.93 < held / studies <= 1


@pytest.mark.parametrize(
    ("first", "second", "images", "verdict"),
    [
        (0.9, 0.8, 1000, "higher"),
        (0.8, 0.9, 1000, "lower"),
        (0.9, 0.8, 50, "undecided"),
        (0.8, 0.8, 10**6, "undecided"),
        (1.0, 0.0, 10, "higher"),
    ],
)
def test_verdicts(first: float, second: float, images: int, verdict: str) -> None:
    assert proportions.apart(first, second, images).verdict == verdict


def test_two_that_are_right_on_the_same_images_do_not_differ() -> None:
    right = np.arange(50) % 3 > 0
    same = proportions.together(right, right)
    assert same.value == 0
    assert same.low < 0 < same.high, "fifty images cannot show that two models are equal"


PROBE = Probe(
    strength=0.1, chosen_on="validation", features=8, train_images=30, of_train_images=30, test_accuracy=0.5,
    test_images=1000, right=bits(np.arange(1000) % 2 == 0),
)  # fmt: skip


def test_sentences_say_what_the_numbers_carry(store: Store, make_run) -> None:  # type: ignore[no-untyped-def]
    state = store.state(make_run())
    reached = state.last_accuracy
    assert reached is not None
    for accuracy, word in ((reached - 0.2, "better than"), (reached + 0.1, "worse than"), (reached, "No difference")):
        probe = PROBE.model_copy(update={"test_accuracy": min(accuracy, 1.0), "right": ""})
        said = gain.sentence(state, probe)
        assert word in said
        assert "other seeds may differ" in said
        assert "1,000 test images" in said
        assert ("plausible" in said) == (word == "No difference"), "not shown is not the same as none"
    first = gain.over_probe(state, PROBE, cycle=0)
    assert first is not None
    assert first.first == next(e.accuracy for e in state.evaluations if (e.split, e.cycle) == ("test", 0))


def test_where_every_image_is_known_the_interval_is_of_pairs(store: Store, make_run) -> None:  # type: ignore[no-untyped-def]
    state = store.state(make_run())
    told = PROBE.told
    assert told is not None
    assert told.mean() == 0.5
    right = told.copy()
    right[1:40:2] = True
    paired = gain.over_probe(state, PROBE, right=right)
    assert paired is not None
    assert (paired.paired, paired.verdict, paired.value) == (True, "higher", pytest.approx(0.02))
    assert replace(proportions.apart(0.52, 0.5, 1000)).verdict == "undecided"
    other = gain.over_probe(state, PROBE, right=right[:10])
    assert other is not None
    assert not other.paired, "other images than the probe's"


def test_without_a_probe_nothing_is_said_and_a_thinned_one_says_so(store: Store, make_run) -> None:  # type: ignore[no-untyped-def]
    state = store.state(make_run())
    assert gain.sentence(state, None) == gain.alone(None) == ""
    assert "of one class" in gain.sentence(state, Probe(absent="the training images are all of one class"))
    thinned = PROBE.model_copy(update={"train_images": 50_000, "of_train_images": 1_000_000})
    assert "50,000 of the 1,000,000 training images" in gain.sentence(state, thinned)
    assert "50.0 % of 1,000 test images" in gain.alone(PROBE)


def test_a_runs_own_answers_are_paired_with_the_probes(tmp_path: Path) -> None:
    """A real run, so that the files are those that runs write."""
    store = Store(tmp_path)
    config = make_config(preset="quick", sets=["method=linear", "data.shots=3", "data.max_eval=60", "train.epochs=1"])
    folder = store.folder(store.create(config, here=True))
    work(folder)
    state, probe = store.state(folder.name), probe_file.read(folder)
    right = gain.right_on_test(folder, state)
    assert right is not None
    assert right.mean() == pytest.approx(state.last_accuracy)
    paired = gain.over_probe(state, probe, right=right)
    assert paired is not None
    assert paired.paired
    assert gain.of_run(folder, state) == gain.sentence(state, probe, None, right) != gain.sentence(state, probe)
    answers.path_of(folder, 0).unlink()
    assert gain.of_run(folder, state) == gain.sentence(state, probe), "then the wider interval"
