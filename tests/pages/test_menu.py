"""The menu is what the pages' files say, read without running them; links lead to pages that there are."""

import ast
from pathlib import Path

import pytest

from mimi_core.errors import ConfigError
from pages.widgets import menu
from tests.pages.opening import ROOT

LINKS = ("link_to", "switch_to", "pick_run")
"""Functions that are given the name of a page, as the first argument that is a text."""


def test_every_page_says_its_title_icon_and_place() -> None:
    known = menu.pages()
    assert {f"{name}.py" for name in known} == {file.name for file in (ROOT / "pages").glob("*.py")}
    assert next(iter(known)) == "home"
    assert [page.order for page in known.values()] == sorted({page.order for page in known.values()}), "no two alike"
    assert len({page.title for page in known.values()}) == len(known)
    assert all(page.icon.startswith(":material/") for page in known.values())


def test_links_lead_to_pages_that_there_are() -> None:
    named: set[object] = set()
    for file in (ROOT / "pages").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in LINKS:
                named |= {arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and arg.value}
    texts = {text for text in named if isinstance(text, str) and text.islower() and " " not in text}
    assert len(texts) > 5
    assert texts <= set(menu.pages())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(menu, "FOLDER", tmp_path)
    return tmp_path


def test_the_menu_follows_the_files_and_runs_none(folder: Path) -> None:
    (folder / "b.py").write_text('PAGE = Page(title="B", icon="x", order=2)\nraise SystemExit\n')
    (folder / "a.py").write_text('PAGE = Page(title="A", icon="x", order=3)\n')
    (folder / "no_page.py").write_text("x = 1\n")
    assert list(menu.pages()) == ["b", "a"]
    (folder / "c.py").write_text('PAGE = Page(title="C", icon="x", order=1)\n')
    assert list(menu.pages()) == ["c", "b", "a"]


@pytest.mark.parametrize("said", ["title=TITLE", "title='A'", "title='A', icon='x', order=1, colour='red'"])
def test_what_cannot_be_read_is_said_with_its_file(folder: Path, said: str) -> None:
    (folder / "a.py").write_text(f"PAGE = Page({said})\n")
    with pytest.raises(ConfigError, match=r"a\.py: PAGE is to be"):
        menu.pages()
