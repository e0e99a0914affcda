"""Signs of failure: each is found where it is, and nowhere else."""

import math
from pathlib import Path

import pytest

from mimi_core.analysis.common.statistics import mean_interval
from mimi_core.analysis.monitor.signatures import linear_probe, signs_of_failure
from mimi_core.config import RunConfig, make_config
from mimi_core.runs.events import EpochEnded, Evaluated, Event, Pruned, RunEnded, RunStarted, RunState, SiteInfo, fold
from mimi_core.runs.store import Store
from tests.pages.opening import ROOT
from tests.recorded import record

CONFIG = make_config(preset="demo", sets=["train.epochs=3"])
GOOD = ((2.3, 1.2, 0.8), (0.3, 0.7, 0.9))


def started(cuts: int = 2) -> RunStarted:
    sites = [SiteInfo(name=f"blocks.{i}.attn", block=i, position="attn", width=32) for i in range(2)]
    return RunStarted(
        time=0, run_id="r", config={}, versions={}, device="cpu", sites=sites,
        initial_widths={site.name: 4 for site in sites}, keep_fractions=[0.5 ** (k + 1) for k in range(cuts)],
        class_names=[str(i) for i in range(10)], split_sizes={"train": 300, "val": 300, "test": 900},
        backbone_parameters=1, head_parameters=1, trained_parameters=1,
    )  # fmt: skip


def cycle(number: int, losses: tuple[float, ...], accuracies: tuple[float, ...], test: float) -> list[Event]:
    epochs: list[Event] = [
        EpochEnded(time=0, cycle=number, epoch=e, loss=loss, accuracy=a, lr=0.1, images_per_second=1, seconds=1)
        for e, (loss, a) in enumerate(zip(losses, accuracies, strict=True), start=1)
    ]
    return [*epochs, evaluated(number, "trained", test)]


def evaluated(number: int, stage: str, accuracy: float) -> Evaluated:
    return Evaluated(time=0, cycle=number, stage=stage, split="test", accuracy=accuracy, loss=1, images=900)


def cut(number: int, left: tuple[int, int], before: int, accuracy: float) -> list[Event]:
    widths = {"blocks.0.attn": left[0], "blocks.1.attn": left[1]}
    pruned = Pruned(
        time=0, cycle=number, widths=widths, removed=[s for s, n in widths.items() if not n], neurons_before=before,
        neurons_after=sum(left), adapter_parameters=1, trained_parameters=1, seconds=0,
    )  # fmt: skip
    return [pruned, evaluated(number, "cut", accuracy)]


END = [RunEnded(time=9, status="finished", seconds=9)]
FINE = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (2, 2), 8, 0.6), *cycle(1, *GOOD, 0.89), *END]


def titles(events: list[Event], config: RunConfig = CONFIG, probe: float | None = None) -> list[tuple[str, str]]:
    interval = None if probe is None else mean_interval([probe, probe])
    return [(f.severity, f.title) for f in signs_of_failure(fold(events), config, interval)]


def test_a_run_as_it_should_be_has_none() -> None:
    assert titles(FINE, probe=0.85) == []
    assert titles([]) == []
    assert titles([started(), *cycle(0, (2.3,), (0.1,), 0.1)[:1]]) == [], "an epoch of three says nothing yet"


def test_the_bundled_examples_have_none() -> None:
    store = Store(ROOT / "mimi_core" / "resources" / "examples")
    assert [signs_of_failure(store.state(run.id), store.config(run.id)) for run in store.list()] == [[], []]


def test_a_cut_that_removed_nothing() -> None:
    one = [*FINE[:-1], *cut(2, (2, 2), 4, 0.89), *cycle(2, *GOOD, 0.89), *END]
    assert titles(one) == [("warning", "Cut 2 removed no neuron")]
    every = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (4, 4), 8, 0.9), *cut(2, (4, 4), 8, 0.9)]
    assert titles(every) == [("error", "Cut 1 and 2 removed no neuron")]


def test_a_pruning_run_without_a_cut() -> None:
    config = make_config(preset="demo", sets=["train.epochs=3", "prune.sigma_target=2"])
    events = [started(cuts=0), *cycle(0, *GOOD, 0.9), *END]
    assert titles(events, config) == [("error", "This run prunes nothing")]
    assert titles(events, make_config(preset="demo", sets=["train.epochs=3", "method=adapter"])) == []


def test_divergence_told_by_the_worker_or_by_the_loss() -> None:
    failed = RunEnded(time=9, status="failed", message="training diverged in epoch 2; lower train.lr", seconds=1)
    assert titles([*FINE[:4], failed])[0] == ("error", "Training diverged")
    rising = [*FINE[:-1], *cut(2, (1, 1), 4, 0.8), *cycle(2, (0.9, 2.0, 3.4), (0.8, 0.4, 0.2), 0.88)]
    assert titles(rising) == [("error", "Training diverges in cycle 2")]
    wobbling = [*FINE[:-1], *cut(2, (1, 1), 4, 0.8), *cycle(2, (0.9, 0.8, 1.0), (0.8, 0.8, 0.8), 0.88)]
    assert titles(wobbling) == [], "a loss that rises a little is not above guessing"
    assert math.log(10) < 3.4


@pytest.mark.parametrize(
    ("losses", "accuracies", "severity"),
    [
        ((2.3, 2.3, 2.29), (0.1, 0.11, 0.12), "error"),
        ((2.3, 2.2, 2.0), (0.1, 0.12, 0.18), "error"),
        ((1.5, 1.48, 1.47), (0.4, 0.42, 0.45), "warning"),
    ],
)
def test_failure_to_converge(losses: tuple[float, ...], accuracies: tuple[float, ...], severity: str) -> None:
    events = [started(), *cycle(0, losses, accuracies, 0.2)]
    assert titles(events) == [(severity, "It has not learned its task before the first cut")]
    quickly = [started(), *cycle(0, (0.2, 0.2, 0.199), (0.97, 0.97, 0.97), 0.95)]
    assert titles(quickly) == [], "a loss that was low from the start need not fall"


def test_a_damage_that_did_not_recover() -> None:
    lost = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (2, 2), 8, 0.6), *cycle(1, *GOOD, 0.7)]
    assert titles(lost) == [("warning", "The damage of cut 1 did not recover")]
    half = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (2, 2), 8, 0.5), *cycle(1, *GOOD, 0.8)]
    assert titles(half) == [], "more than half is back"
    noise = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (2, 2), 8, 0.88), *cycle(1, *GOOD, 0.88)]
    assert titles(noise) == [], "two in a hundred on 900 images may be chance"
    assert titles(lost[:-1]) == [], "it is still training"


def test_worse_than_a_linear_probe() -> None:
    assert titles(FINE, probe=0.95) == [("warning", "A linear probe does better")]
    assert titles(FINE, probe=0.90) == [], "within noise"
    assert titles(FINE[:-1], probe=0.95) == [], "not before it has ended"
    linear = make_config(preset="demo", sets=["method=linear", "train.epochs=3"])
    assert titles([started(cuts=0), *cycle(0, *GOOD, 0.9), *END], linear, probe=0.95) == []


def test_all_adapters_gone_and_unread_lines() -> None:
    gone = [started(), *cycle(0, *GOOD, 0.9), *cut(1, (0, 0), 8, 0.8), *cycle(1, *GOOD, 0.88)]
    assert titles(gone) == [("warning", "No adapter is left after cut 1")]
    assert [f.title for f in signs_of_failure(fold(FINE, unreadable_lines=3), CONFIG)] == [
        "3 lines of the event file cannot be read"
    ]
    assert [f.title for f in signs_of_failure(RunState(unreadable_lines=1), CONFIG)] == [
        "1 line of the event file cannot be read"
    ]


def test_the_worst_comes_first() -> None:
    bad = [started(), *cycle(0, (2.3, 2.3, 2.3), (0.1, 0.1, 0.1), 0.1), *cut(1, (0, 0), 8, 0.1)]
    assert [severity for severity, _ in titles(bad)] == ["error", "warning"]


def test_probes_are_of_the_same_data_and_backbone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    settings = [["seed=1"], ["data.seed=4"], ["data.shots=5"], ["backbone.image_size=32"], ["train.lr=0.1"]]
    settings += [["seed=1", "train.workers=0", "data.path=/elsewhere"]]  # a seed once more counts once
    for sets in settings:
        record(store, make_config(preset="demo", sets=["method=linear", "train.epochs=1", *sets]))
    record(store, make_config(preset="demo", sets=["method=linear", "train.epochs=1"]), outcome="failed")
    others = [(run, store.config(run.id)) for run in store.list()]
    probe = linear_probe(CONFIG, others)
    assert probe is not None
    assert (probe.n, round(probe.mean, 2)) == (3, 0.87)
    assert linear_probe(make_config(preset="demo", sets=["data.shots=7"]), others) is None
