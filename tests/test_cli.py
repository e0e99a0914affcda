"""The command line as a stranger meets it: real processes, exit codes, one line for every mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import QUICK
from tests.warm import mimi

TINY = ["--preset", "quick", *(part for setting in [*QUICK, "train.epochs=1"] for part in ("--set", setting))]


def cold(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """A process as a shell would start it; `mimi` is the same without the seconds that importing torch takes."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    command = [sys.executable, "-m", "mimi_core", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_run_from_start_to_list(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nprune: {scope: local}\n")
    done = cold("run", str(file), *TINY, "--runs", str(tmp_path / "runs"))
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert "a converged linear probe on the frozen features" in done.stdout.splitlines()[-1]
    (folder,) = (tmp_path / "runs").iterdir()
    stored = yaml.safe_load((folder / "config.yaml").read_text())
    assert (stored["name"], stored["prune"]["scope"], stored["train"]["clip"]) == ("mine", "local", 5.0)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "run_ended"
    assert all("time" in event for event in events)

    listed = mimi("ls", "--runs", str(tmp_path / "runs"))
    assert folder.name in listed.stdout
    assert "finished" in listed.stdout
    (row,) = json.loads(mimi("ls", "--json", "--runs", str(tmp_path / "runs")).stdout)
    assert (row["id"], row["phase"], row["neurons"]) == (folder.name, "finished", 184)
    shown = mimi("show", folder.name, "--runs", str(tmp_path / "runs"))
    assert "layers.0.blocks.0.attn" in shown.stdout
    again = cold("resume", folder.name, "--runs", str(tmp_path / "runs"))
    assert (again.returncode, "is finished" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "backbone=swin_tony_patch4"], "swin_t"),
        (["--set", "data=digit"], "did you mean 'digits'"),
        (["--set", "data=folder:nowhere"], "nowhere"),
        (["--set", "backbone.checkpoint=absent.pth"], "absent.pth not found"),
        (["--set", "prune.sigma_target=1"], "raise sigma_target or lower sigma_0"),
        (["--set", "prune.rho=1.5"], "prune.rho"),
        (["--set", "trian.lr=1"], "did you mean 'train'"),
        (["--set", "data.shots=100000"], "lower data.shots"),
        (["--set", "train.batch_size=100000000"], "not enough memory"),
        (["--set", "backbone=resnet18", "--set", "backbone.pretrained=false"], "choose a Vision Transformer"),
        (["--set", "backbone=vit_tiny_patch16_224"], "hub"),
        (["absent.yaml"], "absent.yaml not found"),
    ],
    ids=lambda a: " ".join(a)[:40] if isinstance(a, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments: list[str], told: str, tmp_path: Path) -> None:
    failed = mimi("run", "--preset", "quick", *arguments, "--runs", "runs", cwd=tmp_path)
    assert failed.returncode == 1
    lines = failed.stderr.strip().splitlines()
    assert len(lines) == 1, failed.stderr
    assert lines[0].startswith("error: ")
    assert told in lines[0]
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


def test_a_runs_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    failed = mimi("run", *TINY, "--runs", str(tmp_path / "runs"))
    assert failed.returncode == 1
    assert "cannot write" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_folder_of_real_images_and_a_corrupt_one(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("dark", "bright"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(12):
            low = 0 if label == "dark" else 128
            pixels = random.integers(low, low + 128, (20, 30, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{number}.jpg")
    sets = ["data=folder:images", "data.shots=null", "train.epochs=2", "data.max_eval=null"]
    arguments = [part for setting in sets for part in ("--set", setting)]
    done = mimi("run", "--preset", "quick", *arguments, "--runs", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "images" / "dark" / "5.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    failed = mimi("run", "--preset", "quick", *arguments, "--runs", "runs", cwd=tmp_path)
    assert failed.returncode == 1
    assert "5.jpg" in failed.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_check_says_what_a_run_would_take() -> None:
    found = json.loads(mimi("check", *TINY, "--json").stdout)
    assert found["ok"]
    assert found["sites"] == 24
    assert [cycle["neurons"] for cycle in found["cycles"]] == [736, 368, 184]
    assert found["memory_bytes"] > 1_000_000
    assert found["seconds"] > 0
    wrong = mimi("check", *TINY, "--set", "data=digit", "--json")
    assert wrong.returncode == 1
    assert "did you mean" in json.loads(wrong.stdout)["error"]


def test_sites_of_a_model() -> None:
    listed = mimi("sites", "vit_tiny_patch16_224")
    assert listed.returncode == 0
    assert "blocks.11.mlp" in listed.stdout
    assert "24 sites" in listed.stdout
    unknown = mimi("sites", "vit_tinny")
    assert unknown.returncode == 1
    assert "unknown backbone" in unknown.stderr


def test_no_runs_yet(tmp_path: Path) -> None:
    listed = mimi("ls", "--runs", str(tmp_path))
    assert listed.returncode == 0
    assert "no runs" in listed.stdout
    assert mimi("show", "../etc", "--runs", str(tmp_path)).returncode == 1
