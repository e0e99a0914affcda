"""A folder of runs with something hostile in it: it is listed as broken, at once, and the others as ever."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mimi_core.config import RunConfig
from mimi_core.config.text import read_config_file, read_config_text
from mimi_core.errors import ConfigError
from mimi_core.runs import files
from mimi_core.runs.store import Store

BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True))


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)  # a hole: it takes no room


def _holding(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text)

    return write


HOSTILE = {
    "pipe": _pipe,
    "endless": _endless,
    "folder": _folder,
    "huge": _huge,
    "brackets": _holding("[" * 20_000),
    "braces": _holding('{"a":' * 20_000),
    "dashes": _holding("- " * 20_000),
    "bomb": _holding(BOMB),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "numbers": _holding('{"created": 1e999, "heartbeat": -1e999, "pid": -1, "phase": "training"}'),
}


@pytest.mark.parametrize("name", [files.CONFIG, files.STATUS, files.EVENTS])
@pytest.mark.parametrize("kind", HOSTILE)
def test_one_hostile_file_does_not_keep_the_others_from_being_listed(
    name: str, kind: str, tmp_path: Path, quick_config: RunConfig
) -> None:
    store = Store(tmp_path)
    good, bad = store.create(quick_config), store.create(quick_config)
    HOSTILE[kind](tmp_path / bad / name)
    listed = {run.id: run.phase for run in Store(tmp_path).list()}
    assert listed[good] == "queued"
    assert listed[bad] == "queued" if name == files.EVENTS else listed[bad] in ("broken", "died")


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "huge", "brackets", "braces", "dashes", "bomb", "bytes"])
def test_a_config_file_like_that_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    HOSTILE[kind](path)
    with pytest.raises(ConfigError) as refused:
        read_config_file(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_pasted_config_of_brackets_is_refused() -> None:
    with pytest.raises(ConfigError, match="deeply nested"):
        read_config_text("[" * 20_000)
