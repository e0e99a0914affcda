"""What the command line does without the packages of an extra, and what pyproject.toml says of them."""

import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mimi_core.cli.common import APP_PACKAGES
from mimi_core.cli.main import app
from mimi_core.errors import MimiError
from tests.conftest import QUICK

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: [Requirement(line) for line in lines] for name, lines in PROJECT["optional-dependencies"].items()}
CORE = [Requirement(line) for line in PROJECT["dependencies"]]


def pins(file: str) -> dict[str, str]:
    """Name -> version of every line that pins one."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    return {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines) if version
    }


def test_every_pin_lies_within_a_range_and_every_range_holds_a_pin() -> None:
    pinned = pins("requirements.txt")
    needed = {canonicalize_name(r.name): r for r in [*CORE, *EXTRAS["app"], *EXTRAS["peft"]]}
    assert set(pinned) == set(needed)
    others = {canonicalize_name(r.name): r for extra in ("hf", "onnx", "signin", "study") for r in EXTRAS[extra]}
    tested = pins("requirements-dev.txt")
    assert set(EXTRAS) == {"app", "peft", "hf", "onnx", "signin", "study"}
    assert set(others) <= set(tested)
    for name, requirement in (needed | others).items():
        assert requirement.specifier.contains((pinned | tested)[name]), f"{requirement} and its pin"
        assert len(requirement.specifier), f"{name} has no lower bound"
        assert not any(part.operator == "==" for part in requirement.specifier), f"{requirement} is a pin"


def test_what_the_app_needs_is_told_as_the_extra_has_it() -> None:
    wanted = {r.name for r in EXTRAS["app"]} - {"orjson"}  # plotly does without it
    assert set(APP_PACKAGES) == wanted


@pytest.mark.slow
def test_the_library_needs_no_extra(tmp_path: Path) -> None:
    packages = [APP_PACKAGES.get(r.name, r.name) for extra in EXTRAS.values() for r in extra]
    sets = [part for setting in [*QUICK, "train.epochs=1"] for part in ("--set", setting)]
    script = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from importlib.machinery import PathFinder
        find, absent = PathFinder.find_spec, {packages!r}  # None in sys.modules would look as if they were loaded
        PathFinder.find_spec = staticmethod(lambda name, *x: None if name.split(".")[0] in absent else find(name, *x))
        from mimi_core.cli.main import app
        for arguments in (["data", "ls"], ["run", "--preset", "quick", *{sets!r}], ["ls"], ["queue"]):
            app(arguments, standalone_mode=False)
        from mimi_core.runs.store import Store
        (run,) = Store("runs").list()
        app(["show", run.id], standalone_mode=False)
        app(["export", run.id, "--pack", "pack.zip"], standalone_mode=False)
        assert not set({packages!r}) & set(sys.modules)
        """
    command = [sys.executable, "-c", dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert (tmp_path / "pack.zip").stat().st_size > 0


@pytest.mark.parametrize("command", ["app", "report x -o x.html", "sweep --preset seeds", "suite vtab", "findings"])
def test_what_needs_the_app_says_so_before_it_does_anything(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pandas", "jinja2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MimiError, match=r'needs pandas, jinja2, .* pip install "mimi-studio\[app\]"'):
        app(command.split(), standalone_mode=False)
    assert list(tmp_path.iterdir()) == []
