"""The catalogue of scores: complete, in order, without torch; and every entry against numbers worked out by hand."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
import torch

from mimi_core.adapters.adapter import Adapter
from mimi_core.config import make_config
from mimi_core.config.settings import settings
from mimi_core.errors import ConfigError
from mimi_core.scores.catalogue import AT_START, SCORES, in_order
from mimi_core.scores.entry import Known, Score
from mimi_core.scores.watching import AtStart, Batch, Seen, score_all
from mimi_core.select import select

GOLDEN = {
    "mimi": [3 + 4 + 1, 1 + 2 + 2],
    "l2": [9 + 16 + 1 + 0, 1 + 4 + 0 + 4],
    "down_only": [3 + 4, 1 + 2],
    "activation": [2 * 1, 0.5 * 2],
    "gradient": [1 + 1 + 2 + 0, 0 + 3 + 1 + 1],
    "taylor": [0.15 * (3 + 4 + 2), 0.15 * (6 + 2)],
    "sensitivity": [0.15 * 0.15 * 0.85 * (9 + 16 + 4), 0.15 * 0.15 * 0.85 * (36 + 4)],
    "fisher": [9 + 16 + 4, 36 + 4],
    "snip": [3 + 4 + 2, 6 + 2],
    "depth": [8 / 16, 5 / 16],
    "uniform": [1, 1 / 2],
    "variance": [4 / (4 + 0.25), 0.25 / (4 + 0.25)],
    "singular": [((45 + 425**0.5) / 2) ** 0.5, ((45 - 425**0.5) / 2) ** 0.5],
    "grasp": [3 * 1 - 4 * 1 + 1 * 2, 1 * 3 + 2 * 1 + 2 * -1],
}
"""Of the two neurons below, after one batch of the last epoch."""
DOWN, UP = [[3.0, -4.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, -2.0]]
GRADIENT_DOWN, GRADIENT_UP = [[1.0, -1.0], [0.0, 3.0]], [[2.0, 1.0], [0.0, 1.0]]
PRODUCT_DOWN, PRODUCT_UP = [[1.0, 1.0], [3.0, 1.0]], [[2.0, 7.0], [7.0, 1.0]]


def two_neurons() -> tuple[Adapter, Seen]:
    """Neuron 0 has weights (3, -4 | 1, 0), neuron 1 (1, 2 | 0, -2), and both were watched through one batch."""
    adapter = Adapter(2, 2, "paper")
    adapter.down.data, adapter.up.data = torch.tensor(DOWN), torch.tensor(UP)
    weights, gradients, products = (
        adapter.by_neuron(torch.tensor(d), torch.tensor(u))
        for d, u in ((DOWN, UP), (GRADIENT_DOWN, GRADIENT_UP), (PRODUCT_DOWN, PRODUCT_UP))
    )
    seen = Seen.nothing(adapter)
    seen.lot = np.random.default_rng(0)
    for name, entry in SCORES.items():
        if entry.watch.after_backward:
            entry.watch.after_backward(seen, Batch(weights, gradients, last_epoch=True))
        if entry.watch.on_activation:
            entry.watch.on_activation(seen, torch.tensor([[[1.0, -1.0]], [[-3.0, 0.0]]]))
        if entry.at_start:
            seen[name] = entry.at_start(AtStart(weights, gradients, products))
    return adapter, seen


@pytest.mark.parametrize("name", SCORES)
def test_every_score_against_numbers_by_hand(name: str) -> None:
    adapter, seen = two_neurons()
    with torch.no_grad():
        values = SCORES[name].score(adapter, seen)
    assert values.shape == (2,)
    if SCORES[name].by_lot:
        assert values.numpy() == pytest.approx(np.random.default_rng(0).random(2, np.float32))
    else:
        assert values.tolist() == pytest.approx(GOLDEN[name], rel=1e-6)


@pytest.mark.parametrize("entry", SCORES.values(), ids=SCORES)
def test_every_entry_says_what_it_is(entry: Score) -> None:
    assert all(text.strip() and "\n" not in text for text in (entry.label, entry.words, entry.formula, entry.source))
    assert not entry.words.endswith("."), "it goes on a sentence"
    assert entry.name.isidentifier()
    assert entry.name.islower()
    assert entry.known in get_args(Known)
    assert callable(entry.score)


def test_what_is_known_when() -> None:
    always = {name for name, score in SCORES.items() if score.always_known}
    assert {"snip", "grasp"} <= set(AT_START)
    assert {"mimi", "l2", "down_only", "random"} <= always
    assert not always & ({*AT_START} | {name for name, score in SCORES.items() if score.known == "watched"})


def test_the_words_of_l2_say_what_is_computed() -> None:
    adapter, seen = two_neurons()
    assert SCORES["l2"].words.startswith("sum of the squared weights")
    assert SCORES["l2"].score(adapter, seen)[0].item() == 26, "and no root of it"


def test_allocations_go_by_layers_whatever_their_weights() -> None:
    """Depth empties early layers first; uniform leaves equally many everywhere; singular counts singular values."""
    widths = {"early": 4, "middle": 3, "late": 5}
    generator = torch.Generator().manual_seed(0)
    adapters = {site: Adapter(6, width, "paper", generator) for site, width in widths.items()}
    for size, adapter in zip((100.0, 1.0, 0.01), adapters.values(), strict=True):
        adapter.down.data *= size
    raw = score_all(adapters, {s: Seen.nothing(a) for s, a in adapters.items()}, np.random.default_rng(0))

    def left(score: str, keep: Fraction) -> list[int]:
        return [len(kept) for kept in select(raw[score], widths, keep).values()]

    assert left("depth", Fraction(7, 12)) == [0, 2, 5]
    assert left("uniform", Fraction(6, 12)) == [2, 2, 2]
    assert left("uniform", Fraction(11, 12)) == [4, 3, 4]
    values = {
        site: torch.linalg.svdvals(adapter.up @ adapter.down)[:width].tolist()
        for (site, width), adapter in zip(widths.items(), adapters.values(), strict=True)
    }
    threshold = sorted((value for own in values.values() for value in own), reverse=True)[4]
    expected = [sum(value > threshold * (1 - 1e-5) for value in own) for own in values.values()]
    assert left("singular", Fraction(5, 12)) == expected
    for score in ("depth", "uniform", "singular"):
        for site in adapters:
            by_weight = (-raw["mimi"][site]).argsort(kind="stable")
            assert (raw[score][site][by_weight][:-1] >= raw[score][site][by_weight][1:]).all(), (score, site)


def test_order_and_names_are_settled() -> None:
    first, second = replace(SCORES["mimi"], name="b", order=1), replace(SCORES["mimi"], name="a", order=1)
    last = replace(SCORES["mimi"], name="0")
    assert list(in_order([replace(last, order=2), first, second])) == ["a", "b", "0"]
    with pytest.raises(ValueError, match="two scores have the name 'a'"):
        in_order([first, second, replace(second, order=9)])
    with pytest.raises(ValueError, match="two scores keep 'taylor'"):
        in_order([SCORES["taylor"], replace(SCORES["taylor"], name="other")])
    with pytest.raises(ValueError, match="go together"):
        replace(SCORES["mimi"], known="at the start")


def test_the_catalogue_needs_no_torch() -> None:
    script = "import sys; from mimi_core.scores.catalogue import SCORES; assert SCORES; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_config_knows_the_scores_of_the_catalogue() -> None:
    setting = settings()["prune.score"]
    assert (setting.kind, setting.choices, setting.default) == ("choice", tuple(SCORES), "mimi")
    for name in SCORES:
        assert make_config({"prune": {"score": name}, "adapter": {"init": "paper"}}).prune.score == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tailor", "prune.score: unknown score: did you mean 'taylor'"),
        ("q", "known: mimi, l2, .*random"),
        ("7", "unknown score; known: mimi"),
    ],
)
def test_another_name_is_refused_with_the_nearest(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_config(sets=[f"prune.score={name}"])
