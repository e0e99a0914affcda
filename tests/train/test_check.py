"""What the check foretells is what a run then does."""

import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

from mimi_core.budget import plan
from mimi_core.config import RunConfig, make_config
from mimi_core.data import pixels, spool
from mimi_core.runs.events import Pruned, RunStarted
from mimi_core.runs.jobs.check_report import CycleEstimate
from mimi_core.train import check as checks
from mimi_core.train.check import check
from mimi_core.train.cycle import run
from tests.conftest import QUICK


@pytest.fixture(autouse=True)
def _no_time_for_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TIMED_SECONDS", 0.0)


def test_parameters_after_local_cuts_are_foretold_exactly() -> None:
    config = make_config(preset="quick", sets=[*QUICK, "prune.scope=local", "prune.sigma_target=9", "train.epochs=1"])
    told: list[str] = []
    report = check(config, start_seconds=3.0, tell=told.append)
    events = list(run(config))
    started = next(e for e in events if isinstance(e, RunStarted))
    cuts = [e for e in events if isinstance(e, Pruned)]
    assert report.exact
    assert report.layers == started.sites
    assert report.initial_widths == started.initial_widths
    assert report.split_sizes == started.split_sizes
    assert (report.head_parameters, report.backbone_parameters) == (
        started.head_parameters,
        started.backbone_parameters,
    )
    first, *others = report.cycles
    assert (first.neurons, first.trained_parameters) == (
        sum(started.initial_widths.values()),
        started.trained_parameters,
    )
    assert [(c.neurons, c.adapter_parameters, c.trained_parameters) for c in others] == [
        (e.neurons_after, e.adapter_parameters, e.trained_parameters) for e in cuts
    ]
    assert report.seconds == pytest.approx(report.start_seconds + sum(c.seconds for c in report.cycles))
    assert report.start_seconds > 3.0
    assert report.memory_bytes is not None
    assert report.memory_bytes > 10**8, "torch alone takes more"
    assert told[0] == "reading the dataset"
    assert told[-1] == "timing an evaluation"


def test_of_a_global_cut_only_the_neurons_are_known() -> None:
    widths, tokens = {"a": 10, "b": 21}, {"a": 8, "b": 4}
    keep = [Fraction(1, 2), Fraction(1, 4)]
    assert checks._per_cycle(widths, tokens, keep, exact=False) == ([31, 15, 7], [328, 164, 82])
    assert checks._per_cycle(widths, tokens, keep, exact=True) == ([31, 15, 7], [328, 160, 72])


@pytest.mark.parametrize(
    ("sets", "seconds"),
    [(["prune.retrain_last=false"], [26.0, 29.0, 3.0]), (["method=linear"], [26.0])],
)
def test_the_time_of_every_cycle(monkeypatch: pytest.MonkeyPatch, sets: list[str], seconds: list[float]) -> None:
    """5 epochs of 100 images at 20 a second, and 400 images evaluated at 400 a second: once, but twice after a cut.

    Before a cut 800 more are looked at, to measure what adapters are worth."""
    monkeypatch.setattr(checks, "_speeds", lambda setup, tell: (20.0, 400.0))
    report = check(make_config(preset="quick", sets=sets))
    assert [cycle.seconds for cycle in report.cycles] == seconds


def test_timing_is_long_enough_to_mean_something(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = [0.0], []

    def work(images: int) -> None:
        done.append(images)
        clock[0] += 5.0 if len(done) == 1 else images / 100  # the first batch warms up

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(checks, "TIMED_SECONDS", 2.0)
    assert checks._images_per_second(work, 10) == pytest.approx(100)
    assert done == [10, 10, 200]


@pytest.mark.parametrize(
    ("epochs", "neurons", "says"),
    [
        (1, [736, 368], "only 5 training steps per cycle"),
        (9, [736, 735, 735], "cut 2 would remove no neuron"),
        (9, [736, 5], "5 neurons for 24 sites at the end: most adapters will be gone"),
    ],
)
def test_remarks(epochs: int, neurons: list[int], says: str) -> None:
    config = make_config(preset="quick", sets=[f"train.epochs={epochs}"])
    setup = SimpleNamespace(config=config, plan=plan(config), sites=[None] * 24, train=range(100))
    cycles = [
        CycleEstimate(cycle=k, neurons=n, adapter_parameters=0, trained_parameters=0) for k, n in enumerate(neurons)
    ]
    (remark,) = checks._remarks(setup, cycles)
    assert says in remark


def test_a_busy_machine_is_told() -> None:
    assert checks._busy(0.4, 2) == []
    (said,) = checks._busy(3.0, 2)
    assert "busy with other work (load 3.0 on 2 cores)" in said


@pytest.mark.parametrize(("free", "place"), [(2**30, "disk"), (0, "nowhere")])
def test_images_beyond_memory(free: int, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pixels, "RESIDENT_SHARE", 0.0)
    monkeypatch.setattr(spool, "free_disk_bytes", lambda folder: free * (folder == tmp_path))
    monkeypatch.setattr(checks, "_speeds", lambda setup, tell: (20.0, 400.0))
    config = make_config(preset="quick", sets=[*QUICK, "method=linear"])
    report = check(config, runs=tmp_path / "runs, not yet made")
    square = 64 * 64
    assert {(some.split, some.images, some.disk_bytes) for some in report.kept_images} == {
        (name, images, images * square * (place == "disk")) for name, images in report.split_sizes.items()
    }
    assert {some.place for some in report.kept_images} == {place}
    assert report.kept_images[0].memory_bytes == (pixels.AHEAD + 2) * config.train.batch_size * square
    (cycle,) = report.cycles
    train, val, test = report.split_sizes.values()
    steady = config.train.epochs * train / 20 + (val + test) / 400
    assert (cycle.seconds > steady) == (place == "disk"), "what is kept has to be decoded once"
    assert list(tmp_path.iterdir()) == []
    assert sum("every epoch decodes them anew" in warning for warning in report.warnings) == 3 * (place == "nowhere")


def test_bad_input_is_one_line() -> None:
    config: RunConfig = make_config(preset="quick", sets=["data=folder:/nowhere"])
    report = check(config)
    assert (report.ok, report.error) == (False, "/nowhere: no such folder")
