"""The list of people, as a file that somebody writes."""

import os
from pathlib import Path

import pytest

from mimi_core.errors import ConfigError
from pages.widgets import people

LIST = """
Ada@Example.org: admin
bob@example.org: launch
"*@lab.example": look
carol@lab.example: launch
"""


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "people.yaml"
    path.write_text(LIST)
    monkeypatch.setenv(people.SETTING, str(path))
    return path


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("ada@example.org", "admin"),
        ("BOB@EXAMPLE.ORG", "launch"),
        ("somebody@lab.example", "look"),
        ("carol@lab.example", "launch"),
        ("eve@example.org", None),
        ("eve@evil.lab.example", None),
        ("lab.example", None),
        ("*@lab.example@evil.example", None),
        ("", None),
    ],
)
def test_a_role_is_what_the_list_says(address: str, role: str | None) -> None:
    assert people.role_of(address) == role


def test_each_role_may_what_those_before_it_may() -> None:
    assert [[people.may(role, needed) for needed in people.ROLES] for role in (None, *people.ROLES)] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_who_is_taken_out_is_out_at_once(listed: Path) -> None:
    assert people.role_of("bob@example.org") == "launch"
    listed.write_text("ada@example.org: admin\n")
    assert people.role_of("bob@example.org") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("ada@example.org: owner", "is to be one of look, launch, admin, not 'owner'"),
        ("ada@example.org:", "not None"),
        ("ada: admin", "'ada' is no address"),
        ('"*": admin', "is no address"),
        ('"a*@example.org": look', "is no address"),
        ('"*@*.example.org": look', "is no address"),
        ("a@b.c: look\nA@b.c: admin", "is there twice"),
        ("- ada@example.org", "people.yaml"),
        ("a: [", "people.yaml"),
    ],
)
def test_a_list_that_makes_no_sense_lets_nobody_in(listed: Path, text: str, told: str) -> None:
    listed.write_text(text)
    with pytest.raises(ConfigError, match=r"people\.yaml") as refusal:
        people.role_of("ada@example.org")
    assert told in str(refusal.value)


def test_a_list_that_is_not_there_lets_nobody_in(listed: Path) -> None:
    os.unlink(listed)
    with pytest.raises(ConfigError, match=r"MIMI_PEOPLE: the list of people .* cannot be read"):
        people.role_of("ada@example.org")
