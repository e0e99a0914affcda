"""Free memory is the machine's, or less where a container sets a limit; and a disk may be memory, too."""

from pathlib import Path
from types import SimpleNamespace

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


def test_a_disk_that_is_memory_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost disk that holds a folder counts, and not one whose name only begins alike."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "inner2").mkdir()
    disks = [SimpleNamespace(mountpoint=str(place), fstype=kind) for place, kind in ((inner, "tmpfs"), ("/", "ext4"))]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: disks)
    assert memory.free_disk_bytes(inner) == 0
    for folder in (tmp_path, tmp_path / "inner2"):
        assert memory.free_disk_bytes(folder) == pytest.approx(psutil.disk_usage(str(tmp_path)).free, rel=0.2)
    assert memory.free_disk_bytes(tmp_path / "not there") == 0
