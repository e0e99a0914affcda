"""A copy of the house, to carry out a recipe of CONTRIBUTING in: add a file there, and look what has come of it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "mimi_core",
    "pages",
    "app.py",
    "assets/guide",
    "assets/icon.svg",
    "assets/logo.svg",
    ".streamlit",
    "docs/backbones.py",
    "tests/adapters",
)
PATIENCE = 120.0


@dataclass(frozen=True)
class House:
    """A copy of the program in a folder of its own; its runs lie in `runs` beside it."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder.parent / "runs"

    def add(self, path: str, text: str) -> None:
        """Write a new file."""
        file = self.folder / path
        assert not file.exists(), f"{path} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")

    def changed(self) -> set[str]:
        """Files that are new here, or not what they are in the repository."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {name for path in files if self._differs(name := path.relative_to(self.folder).as_posix())}

    def mimi(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`python -m mimi_core ARGUMENTS` of this copy, to its end; look at `returncode`."""
        return self._start("-m", "mimi_core", *arguments)

    def python(self, script: str) -> str:
        """What a script prints that imports this copy. It must end well."""
        done = self._start("-c", dedent(script))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The repository's own tests, of this copy."""
        return self._start("-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *arguments)

    def _differs(self, name: str) -> bool:
        original = ROOT / name
        return not original.exists() or original.read_bytes() != (self.folder / name).read_bytes()

    def _start(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        own = {"MIMI_RUNS": str(self.runs), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
        env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | own | {"COLUMNS": "400"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=env, capture_output=True, text=True, timeout=PATIENCE
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    """With the compiled files, so that its processes start as fast as the repository's; without runs to look at."""
    folder = tmp_path / "house"
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("examples"))
        elif source.exists():
            shutil.copy2(source, target)
    return House(folder)
