"""Suites: what is there is run, what is not is told, and means are taken as published ones are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mimi_core.analysis.trade_off.references import published_table, read_references
from mimi_core.analysis.trade_off.suite_results import (
    OVER_GROUPS,
    OVER_TASKS,
    beside_published,
    means_table,
    references_of,
    tasks_table,
)
from mimi_core.cli.main import app
from mimi_core.data import known
from mimi_core.errors import ConfigError, MimiError
from mimi_core.resources import REFERENCES
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.store import Store
from mimi_core.sweeps.suites import SUITES, prepare
from tests.layouts import write_cifar10, write_domainnet, write_vtab

VTAB = SUITES["vtab"]
TINY = [
    part
    for text in ("backbone=demo", "train.epochs=1", "train.batch_size=20", "prune.sigma_target=16")
    for part in ("--set", text)
]


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    monkeypatch.setenv("MIMI_DATA", str(tmp_path / "sets"))
    fine = CheckReport(ok=True, seconds=9, start_seconds=3)
    monkeypatch.setattr("mimi_core.cli.carry_out.check_all", lambda configs: [fine for _ in configs])

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["suite", *arguments, "--runs", str(tmp_path / "runs")])
        if isinstance(done.exception, MimiError):
            return 1, f"{done.output}{done.exception}"
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done.exit_code, done.output

    return run


# --- what a suite is --------------------------------------------------------------------------------------------------


def test_every_suite_is_of_datasets_that_there_are() -> None:
    assert [len(suite.data) for suite in SUITES.values()] == [4, 29, 19, 6, 4]
    for suite in SUITES.values():
        assert set(suite.data) <= set(known())
        assert suite.base["data.train_on_val"] is True


def test_the_protocol_of_published_results(tmp_path: Path) -> None:
    write_vtab(tmp_path, "dmlab", images=False)
    prepared = prepare("vtab", tmp_path)
    assert prepared.present == ("vtab:dmlab",)
    assert len(prepared.missing) == 18
    assert [run.seed for run in prepared.runs] == [0, 1, 2]
    run = prepared.runs[0]
    assert (run.data.train_on_val, run.data.path, run.method) == (True, tmp_path, "mimi")
    assert run.backbone.name == "vit_base_patch16_224.augreg_in21k"
    train = run.train
    assert (train.epochs, train.batch_size, train.lr, train.weight_decay) == (100, 64, 1e-3, 1e-4)
    assert (train.optimizer, train.warmup, train.label_smoothing) == ("adamw", 0.1, 0)


def test_settings_vary_where_a_list_is_given(tmp_path: Path) -> None:
    for task in ("kitti", "dtd"):
        write_vtab(tmp_path, task, images=False)
    sets = ["method=[mimi, lora]", "data=vtab:dtd", "train.lr=0.002", "prune.rho=[0.25, 0.5]"]
    prepared = prepare("vtab", tmp_path, sets, seeds=1)
    assert prepared.varying == ("method", "prune.rho")
    assert {run.data.name for run in prepared.runs} == {"vtab:dtd"}
    assert {(run.method, run.prune.rho) for run in prepared.runs} == {
        (m, r) for m in ("mimi", "lora") for r in (0.25, 0.5)
    }
    assert {run.train.lr for run in prepared.runs} == {0.002}


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["data=digits"], "unknown dataset of the suite vtab 'digits'"),
        (["data=vtab:kiti"], "did you mean 'vtab:kitti'"),
        (["train.epoch=1"], "did you mean 'epochs'"),
        (["method=[mimi, lroa]"], "method"),
        (["seed=1"], "put it into seeds"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, sets: list[str], told: str) -> None:
    write_vtab(tmp_path, "kitti", images=False)
    with pytest.raises(ConfigError, match=told):
        prepare("vtab", tmp_path, sets)


def test_an_unknown_suite() -> None:
    with pytest.raises(ConfigError, match="unknown suite 'vtb': did you mean 'vtab'"):
        prepare("vtb")


# --- its table --------------------------------------------------------------------------------------------------------


def scores(accuracies: dict[str, list[float]], setting: str = "MiMi") -> pd.DataFrame:
    """Of tasks, over seeds; NaN: no result."""
    rows = [
        {"setting": setting, "task": f"vtab:{t}", "seed": s, "accuracy": a, "parameters": 2e5, "epochs": 100}
        for t, values in accuracies.items()
        for s, a in enumerate(values)
        if not np.isnan(a)
    ]
    return pd.DataFrame(rows)


def test_the_two_means_of_vtab_are_different_means() -> None:
    """Natural has 7 tasks, specialised 4, structured 8."""
    level = {"natural": 0.8, "specialised": 0.9, "structured": 0.5}
    accuracies = {
        name.removeprefix("vtab:"): [level[group] - 0.01, level[group] + 0.01]
        for group, names in VTAB.groups.items()
        for name in names
    }
    row = means_table(VTAB, scores(accuracies)).iloc[0]
    assert (row["natural"], row["specialised"], row["structured"]) == pytest.approx((0.8, 0.9, 0.5))
    assert row[OVER_GROUPS] == pytest.approx((0.8 + 0.9 + 0.5) / 3)
    assert row[OVER_TASKS] == pytest.approx((7 * 0.8 + 4 * 0.9 + 8 * 0.5) / 19)
    assert (row["tasks"], row["of"], row["seeds"]) == (19, 19, 2)
    assert (row[f"high {OVER_TASKS}"] - row[f"low {OVER_TASKS}"]) / 2 == pytest.approx(
        12.706 * 0.01, rel=1e-3
    )  # t of one degree of freedom


def test_what_is_missing_is_no_zero() -> None:
    of = scores({"kitti": [0.5, 0.7], "svhn": [0.9, np.nan]})
    row = means_table(VTAB, of).iloc[0]
    assert (row["natural"], row["structured"], row[OVER_TASKS]) == pytest.approx((0.9, 0.6, 0.75))
    assert np.isnan(row["specialised"])
    assert np.isnan(row[OVER_GROUPS])
    assert (row["tasks"], row["seeds"]) == (2, 1)
    table = tasks_table(VTAB, pd.concat([of, scores({"kitti": [0.1]}, "LoRA")]))
    assert list(table["task"]) == ["vtab:svhn", "vtab:kitti"]
    assert np.isnan(table.iloc[0]["LoRA"])


def test_own_results_stand_among_published_ones_and_are_told_apart() -> None:
    references = references_of(VTAB, read_references(REFERENCES))
    assert references is not None
    published = published_table(references)
    every = {name.removeprefix("vtab:"): [0.76] for name in VTAB.data}
    both = beside_published(means_table(VTAB, scores(every)), published)
    assert len(both) == len(published) + 1
    own = both.index[~both["published"]][0]
    assert both.loc[own, "accuracy"] == pytest.approx(0.76)
    assert both["accuracy"].is_monotonic_decreasing
    assert both.loc[own - 1, "accuracy"] >= 0.76 >= both.loc[own + 1, "accuracy"]
    assert both["source"][both["published"]].str.contains("arxiv.org").all()
    assert references_of(SUITES["domainnet"], [references]) is None


# --- the command ------------------------------------------------------------------------------------------------------


def test_vtab_from_end_to_end(suite: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    """Two tasks are there: they are run, and shown with how to get the others and what was published."""
    for task in ("svhn", "kitti"):
        write_vtab(tmp_path, task, 12, 8, 8)
    csv = tmp_path / "scores.csv"
    code, said = suite("vtab", "--root", str(tmp_path), *TINY, "--seeds", "1", "--here", "--csv", str(csv))
    assert code == 0, said
    assert "2 of 19 datasets are there" in said
    assert "vtab-1k/cifar is not there. Get vtab-1k from" in said
    assert "train800val200" in said
    runs = Store(tmp_path / "runs").list()
    assert {(run.data, run.phase, run.backbone) for run in runs} == {
        ("vtab:svhn", "finished", "demo"),
        ("vtab:kitti", "finished", "demo"),
    }
    states = [Store(tmp_path / "runs").state(run.id) for run in runs]
    assert {e.split for state in states for e in state.evaluations} == {"test"}, "validation images were trained on"
    accuracy = {run.data: f"{run.accuracy:.1%}" for run in runs}
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert f"vtab:svhn {accuracy['vtab:svhn']}" in lines
    assert f"vtab:kitti {accuracy['vtab:kitti']}" in lines
    assert "mean of 1 of 8 structured tasks " + accuracy["vtab:kitti"] in lines
    assert "tasks 2 of 19" in lines
    assert any(
        "these runs: 2 of 19 tasks, 1 seed; no match for results on all tasks; set otherwise: backbone=demo, train"
        in line
        for line in lines
    )
    assert any(line.startswith("Adapter+ 77.6% 0.20M published: Steitz and Roth 2024") for line in lines)
    assert len(pd.read_csv(csv)) == 2
    code, again = suite("vtab", "--root", str(tmp_path), *TINY, "--seeds", "1", "--here")
    assert code == 0
    assert "2 finished, 0 to do" in again
    assert len(Store(tmp_path / "runs").list()) == 2


def test_without_a_name_all_suites_are_told(suite: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    write_cifar10(tmp_path / "sets")
    write_domainnet(tmp_path / "sets", "sketch", 2, 1)
    code, said = suite()
    assert code == 0, said
    assert "multi-task: Four tasks" in said
    assert "1 of 4 datasets are there" in said
    assert "1 of 6 datasets are there" in said
    assert "2 of 29 datasets are there" in said
    assert "missing: svhn: " in said
    assert "0 of 19 datasets are there" in said
    assert not (tmp_path / "runs").exists()


def test_nothing_there_is_an_error_that_says_what_to_do(suite: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = suite("domainnet", "--here")
    assert code == 1
    assert "Get DomainNet from http://ai.bu.edu/M3SDA/" in said
    assert "none of the datasets of the suite domainnet is there" in said


def test_runs_can_be_let_to_download(suite: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = suite("multi-task", "--download", "--dry-run", *TINY, "--seeds", "2")
    assert code == 0, said
    assert "8 runs in the group 'suite multi-task'" in said
    assert prepare("vtab", fetch=True).present == ()
