"""Free memory is the machine's, or less where a container sets a limit."""

from pathlib import Path

import psutil
import pytest

from mimi_core.data import memory


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_CGROUPS", [tuple(str(tmp_path / name) for name in ("max", "current", "stat"))])
    return tmp_path


def test_without_a_container(container: Path) -> None:
    assert 0 < memory.free_bytes() <= psutil.virtual_memory().total


@pytest.mark.parametrize("prefix", ["", "total_"])
def test_within_a_container(container: Path, prefix: str) -> None:
    (container / "current").write_text("900\n")
    (container / "stat").write_text(f"anon 500\n{prefix}inactive_file 250\nslab 7\n")
    (container / "max").write_text("1000\n")
    assert memory.free_bytes() == 1000 - 900 + 250
    (container / "max").write_text("600\n")
    assert memory.free_bytes() == 0
    (container / "max").write_text("max\n")
    assert memory.free_bytes() > 1000
