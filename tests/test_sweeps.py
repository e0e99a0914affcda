"""Sweeps: one description, many runs, each done once, whoever is killed on the way."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from mimi_core.budget import initial_width, plan
from mimi_core.cli.main import app
from mimi_core.config import RunConfig, make_config
from mimi_core.errors import ConfigError, MimiError, RunError
from mimi_core.runs import files
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.status import Status, write_status
from mimi_core.runs.store import Store
from mimi_core.sweeps import estimate, matching
from mimi_core.sweeps.questions import QUESTIONS
from mimi_core.sweeps.sweep import expand, make_sweep, to_yaml
from tests import warm
from tests.recorded import record, swin_sites

TINY = {"data": {"shots": 3, "max_eval": 30}, "train": {"epochs": 1, "batch_size": 10}}
SCOPES = {"name": "scopes", "preset": "quick", "base": TINY, "grid": {"prune.scope": ["global", "local"]}, "seeds": 2}


def scopes(**changes: Any) -> list[RunConfig]:
    return expand(make_sweep({**SCOPES, **changes}))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """With nobody to start what is queued."""
    for place in ("runs.control", "sweeps.matching", "cli.carry_out"):
        monkeypatch.setattr(f"mimi_core.{place}.ensure_dispatcher", lambda directory: None)
    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    return Store(tmp_path / "runs")


# --- what a sweep is --------------------------------------------------------------------------------------------------


def test_a_grid_times_seeds_with_all_cases_on_the_first_seed_first() -> None:
    configs = scopes(grid={"prune": {"scope": ["global", "local"], "rho": [0.25, 0.5]}, "backbone": ["demo"]})
    assert [(c.name, c.seed) for c in configs][:5] == [
        ("scope=global, rho=0.25", 0),
        ("scope=global, rho=0.5", 0),
        ("scope=local, rho=0.25", 0),
        ("scope=local, rho=0.5", 0),
        ("scope=global, rho=0.25", 1),
    ]
    assert len(configs) == 8
    assert {(c.group, c.data.shots, c.train.epochs) for c in configs} == {("scopes", 3, 1)}


def test_names_stay_clear_and_short() -> None:
    grid = {"data.seed": [0, 1], "backbone": ["demo", "vit_tiny_patch16_224"], "data.shots": [None], "train.lr": [0.1]}
    assert scopes(grid=grid)[-1].name == "data.seed=1, backbone=vit_tiny_patch16_224"
    long = [f"folder:/{'images' * 15}/{n}" for n in (1, 2)]
    names = {c.name for c in scopes(grid={"data": long})}
    assert len(names) == 2
    assert all(len(name) <= 80 for name in names)
    shortly = {"method": ["mimi", "anneal"], "train.epochs": [2]}
    assert [c.name for c in scopes(grid=shortly, seeds=1)] == ["method=mimi", "method=anneal"]


def test_every_seed_can_draw_its_own_images() -> None:
    assert [(c.seed, c.data.seed) for c in scopes(seeds=[4, 7], own_images=True)][::2] == [(4, 4), (7, 7)]
    assert {c.data.seed for c in scopes(seeds=[4, 7])} == {0}


def test_equal_epochs_give_no_run_that_could_not_be_written_alone() -> None:
    """A schedule may not bear as many epochs as the base has; nothing must start then."""
    many = {"preset": "paper", "base": {"prune.rho": 0.05}, "equal_epochs": True, "seeds": 1}
    annealed = {"name": "anneal", "settings": {"prune.schedule": "anneal"}}
    with pytest.raises(ConfigError, match=r"anneal: these settings make 2,101 cuts, more than 1,000"):
        expand(make_sweep({**many, "name": "many", "cases": [{"name": "cycles"}, annealed]}))


def test_equal_size_is_equal_in_neurons_and_in_epochs_whatever_the_base() -> None:
    tokens = [site.width for site in swin_sites()]
    for sets in ([], ["base.train.epochs=4", "base.prune.sigma_target=16"]):
        mimi, small, wide = expand(make_sweep(None, "equal-size", [*sets, "seeds=1"]))
        assert (
            plan(mimi).total_epochs == small.train.epochs == wide.train.epochs == mimi.train.epochs * (5 - bool(sets))
        )
        start = sum(initial_width(width, mimi.adapter.sigma_0) for width in tokens)
        final = sum(initial_width(width, small.adapter.sigma_0) for width in tokens)
        assert final == int(start * mimi.adapter.sigma_0 / mimi.prune.sigma_target)
        assert wide.adapter == mimi.adapter


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_makes_valid_runs_and_a_file_that_makes_the_same(name: str) -> None:
    sweep = make_sweep(None, name)
    configs = expand(sweep)
    assert sweep.question.endswith("?")
    assert len(configs) == sweep.runs
    assert sweep.runs % 3 == 0
    assert expand(make_sweep(yaml.safe_load(to_yaml(sweep)))) == configs


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"grid": {"prune.scop": ["local"]}}, "did you mean 'prune.scope'"),
        ({"grid": {"rho": [0.5]}}, "did you mean 'prune.rho'"),
        ({"grid": {"prune": [0.5]}}, "did you mean 'prune.rho'"),
        ({"grid": {}}, "nothing varies"),
        ({"grid": {"prune.rho": []}}, "prune.rho has no values"),
        ({"grid": {"prune.rho": 0.5}}, "prune.rho needs a list of values"),
        ({"grid": {"prune.rho": [0.5, "0.50"]}}, "'rho=0.5' is there twice"),
        ({"grid": {"prune.rho": [0.5, 1.5]}}, "prune.rho=1.5: prune.rho: input should be less than 1"),
        (
            {"grid": {"adapter.sigma_0": [2, 32], "prune.sigma_target": [16, 64]}},
            "adapter.sigma_0=32, prune.sigma_target=16: prune.sigma_target (16) is below",
        ),
        ({"grid": {"seed": [0, 1]}}, "put it into seeds"),
        ({"grid": {"versions": [0, 1]}}, "unknown setting in the grid 'versions'"),
        ({"seeds": None}, "seeds"),
        ({"seeds": []}, "seeds are missing"),
        ({"seeds": [0, 1, 0]}, "seeds: 0 is there twice"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        ({"seeds": 10**9}, "too many"),
        ({"grid": {"train.lr": [0.1] * 200, "prune.rho": [0.5] * 200}}, "80,000 runs are too many"),
        ({"name": " "}, "name is missing"),
        ({"gird": {}}, "did you mean 'grid'"),
        ({"train": {"epochs": 1}}, "write it as base.train"),
        ({"base": {"train": {"epoch": 1}}}, "did you mean 'epochs'"),
        ({"base": {"seed": 1}}, "put it into seeds"),
        ({"preset": "dem"}, "did you mean 'demo'"),
        ({"cases": [{"nam": "x"}]}, "unknown key 'cases.0.nam': did you mean 'name'"),
        ({"cases": [{"name": "x", "settings": {"prune.roh": 1}}]}, "x: unknown key 'prune.roh'"),
        ({"cases": [{"name": "x"}, {"name": "x"}]}, "two are named 'x'"),
        ({"cases": [{"name": "x", "settings": {"prune.scope": "local"}}]}, "'scope=local' and 'x' are the same run"),
        ({"equal_epochs": True, "grid": {"train.epochs": [1, 2]}}, "equal_epochs decides train.epochs"),
    ],
    ids=str,
)
def test_a_mistake_is_told_before_anything_starts(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        scopes(**changes)
    assert told in str(error.value)


# --- beside the runs that are there -----------------------------------------------------------------------------------


def test_a_run_is_known_by_its_config_whatever_its_title(store: Store) -> None:
    configs = scopes()
    first = record(store, configs[0].model_copy(update={"name": "another title"}))
    record(store, configs[1].model_copy(update={"group": "another group"}))
    broken = record(store, configs[2])
    (store.folder(broken) / files.STATUS).unlink()
    record(store, configs[0].model_copy(update={"seed": 9}))
    record(store, make_config(configs[0].model_dump(), sets=["prune.rho=0.3"]))
    planned = matching.compare(store, configs)
    assert [p.phase for p in planned] == ["finished", "missing", "missing", "missing"]
    assert planned[0].run is not None
    assert planned[0].run.id == first
    assert matching.others(store, planned) == 1, "another seed is no other setting"


def test_of_several_runs_of_one_config_the_furthest_counts(store: Store) -> None:
    config = scopes()[0]
    failed, finished = record(store, config, outcome="failed", cuts=1), record(store, config)
    record(store, config, outcome="stopped", cuts=1)
    (planned,) = matching.compare(store, [config])
    assert planned.run is not None
    assert planned.run.id == finished
    store.delete(finished)
    (planned,) = matching.compare(store, [config])
    assert planned.phase == "stopped"
    assert planned.is_to_start()
    assert store.summary(failed).phase == "failed"


def test_only_what_is_missing_or_stopped_is_queued_and_nothing_twice(store: Store) -> None:
    configs = scopes(seeds=3)
    finished, stopped = record(store, configs[0]), record(store, configs[1], outcome="stopped", cuts=1)
    died, failed = record(store, configs[2], outcome=None, cuts=1), record(store, configs[3], outcome="failed", cuts=1)
    known = {finished, stopped, died, failed}
    planned = matching.queue(store, configs)
    assert [p.phase for p in planned] == ["finished", "queued", "queued", "failed", "queued", "queued"]
    assert known < {p.run.id for p in planned if p.run}
    again = matching.queue(store, configs, retry_failed=True)
    assert [p.phase for p in again] == ["finished"] + 5 * ["queued"]
    assert [p.run.id for p in again if p.run] == [p.run.id for p in planned if p.run]
    assert len(store.list()) == 6


def test_who_works_itself_takes_each_run_once_also_from_the_queue(store: Store) -> None:
    configs = scopes(seeds=1)
    waiting = store.create(configs[0])
    tried: set[str] = set()
    while (run_id := matching.claim(store, configs, tried)) is not None:
        assert store.summary(run_id).phase == "starting"
        tried.add(run_id)
    assert waiting in tried
    assert len(tried) == 2


# --- how long ---------------------------------------------------------------------------------------------------------


def test_the_time_is_taken_from_finished_runs_of_the_same_kind(store: Store) -> None:
    record(store, make_config(TINY, preset="quick", sets=["train.epochs=2", "prune.rho=0.75", "seed=5"]))  # 2 cycles
    configs = scopes()
    paces = estimate.measured(store, map(estimate.kind, configs))
    assert paces[estimate.kind(configs[0])] == estimate.Pace(41 / 4, 1)
    assert estimate.seconds_of(configs[0], paces) == pytest.approx(estimate.START_SECONDS + 3 * 41 / 4)
    planned = matching.compare(store, configs)
    assert estimate.seconds_left(planned, paces, 1) == pytest.approx(4 * (estimate.START_SECONDS + 3 * 41 / 4))
    assert estimate.unknown_kinds(planned, paces, False) == []
    assert "1 finished run of" in estimate.source_in_words(configs, paces)
    other = matching.compare(store, scopes(base={**TINY, "data": {"shots": 4}}))
    assert estimate.seconds_left(other, paces, 1) is None
    assert [c.name for c in estimate.unknown_kinds(other, paces, False)] == ["scope=global"]
    assert "timed a few batches" in estimate.source_in_words(
        configs,
        {estimate.kind(configs[0]): estimate.checked(configs[0], CheckReport(ok=True, seconds=9, start_seconds=3))},
    )


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """`sweep` on the sweep of scopes, in a store that has a finished run of the kind, so that nothing is checked."""
    monkeypatch.setenv("COLUMNS", "160")
    record(store, make_config(TINY, preset="quick"))
    file = tmp_path / "scopes.yaml"
    file.write_text(yaml.safe_dump(SCOPES))

    def run(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["sweep", str(file), "--runs", str(store.directory), *options])
        if isinstance(done.exception, MimiError):
            return 1, str(done.exception)
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, done.output

    return run


def work(outcomes: list[str], worked: list[Path]) -> Callable[..., str]:
    """A worker that trains nothing: it ends as it is told to."""

    def work_on(folder: Path, **_: Any) -> str:
        worked.append(folder)
        outcome = outcomes.pop(0)
        write_status(folder, Status(phase=outcome, message="as told", created=time.time(), heartbeat=0))
        if outcome == "failed":
            raise RunError("as told")
        return outcome

    return work_on


def test_here_one_failure_does_not_stop_the_others_and_the_rest_is_done_when_asked_again(
    command: Callable[..., tuple[int, str]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[Path] = []
    outcomes = ["finished", "failed", "stopped", "finished", "finished", "finished"]
    monkeypatch.setitem(sys.modules, "mimi_core.train.worker", SimpleNamespace(work=work(outcomes, worked)))
    code, said = command("--here")
    assert code == 3, said
    assert "1/4  scope=global, seed 0: finished" in said
    assert "2/4  scope=local, seed 0: failed: as told" in said
    assert "the same command goes on" in said
    code, said = command("--here")
    assert code == 1
    assert worked[3] == worked[2], "it was stopped"
    assert "1 failed; go on with the same command and --retry-failed" in said
    code, said = command("--here", "--retry-failed")
    assert code == 0, said
    assert worked[5] == worked[1], "it failed before"
    assert len(store.list()) == 5
    assert command("--here")[0] == 0
    assert not outcomes
    assert len(worked) == 6


def test_the_queue_is_waited_for_and_the_accuracy_of_every_case_told(
    command: Callable[..., tuple[int, str]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("--no-wait")[0] == 0
    assert [run.phase for run in store.list()].count("queued") == 4
    assert "cannot leave them to the queue" in command("--no-wait", "--here")[1]

    def goes_on(seconds: float) -> None:
        for run in store.list():
            if run.phase == "queued":
                config = store.config(run.id)
                store.delete(run.id)
                record(store, config)
                return

    monkeypatch.setattr("mimi_core.cli.carry_out.time.sleep", goes_on)
    code, said = command()
    assert code == 0, said
    assert "4/4" in said
    head, row = (said[said.index(first) :].splitlines()[0].split() for first in ("case ", "scope=local "))
    assert head == "case n accuracy ± parameters without head epochs time memory".split()
    assert row[:4] == ["scope=local", "2", "89.0%", "0.0%"]
    assert int(row[4].replace(",", "")) - int(row[5].replace(",", "")) == 2570, "the head"


def test_a_dry_run_tells_and_starts_nothing(command: Callable[..., tuple[int, str]], store: Store) -> None:
    code, said = command("--dry-run", "--seeds", "0,7,8", "--set", "name=other")
    assert code == 0, said
    assert "6 runs in the group 'other': 0 finished, 6 to do; about" in said
    assert "by 1 finished run of the same method" in said
    assert "scope=local      8  missing" in said
    assert len(store.list()) == 1


def test_what_cannot_run_is_told_before_anything_starts(
    command: Callable[..., tuple[int, str]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = CheckReport(ok=False, error="this method needs another backbone")
    monkeypatch.setattr("mimi_core.cli.carry_out.check_all", lambda configs: [refused for _ in configs])
    code, said = command("--set", "base.method=linear")
    assert (code, said) == (1, "scope=global: this method needs another backbone")
    assert len(store.list()) == 1
    assert "--preset with one of" in str(CliRunner().invoke(app, ["sweep"]).exception)


def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    record(store, make_config(TINY, preset="quick"))
    file = tmp_path / "scopes.yaml"
    file.write_text(
        yaml.safe_dump({**SCOPES, "base": {**TINY, "prune.sigma_target": 4, "train.epochs": 4}, "seeds": 1})
    )
    arguments = ["sweep", str(file), "--here", "--runs", str(store.directory)]
    killed = warm.start(*arguments)
    deadline = time.monotonic() + warm.PATIENCE
    while not any(run.phase == "training" for run in store.list()):
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.02)
    assert killed.pid is not None
    os.kill(killed.pid, signal.SIGKILL)
    assert warm.ended(killed) == -signal.SIGKILL
    there = {run.id: run.phase for run in store.list() if run.group}
    assert "died" in there.values()
    done = warm.mimi(*arguments)
    assert done.returncode == 0, done.stderr
    assert {store.summary(run_id).phase for run_id in there} == {"finished"}, "nothing was begun anew"
    assert [run.phase for run in store.list()] == 3 * ["finished"]
    assert "2/2  scope=local" in done.stdout
