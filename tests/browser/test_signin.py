"""Signing in, in a real Chromium, with a provider of OpenID Connect on this machine."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import free_port, served
from benchmarks.tab import Tab
from mimi_core.config import make_config
from mimi_core.runs.store import Store
from pages.widgets import people
from tests.app.provider import CLIENT, SECRET, Claims, Provider, provided
from tests.conftest import QUICK

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SECONDS = 1000
LIST = "Ada@example.org: admin\nbob@example.org: launch\n'*@lab.example': look\nmallory@example.org: admin\n"
PEOPLE: dict[str, Claims] = {
    "ada": {"email": "ada@example.org", "email_verified": True},
    "bob": {"email": "Bob@Example.org", "email_verified": True},
    "eve": {"email": "eve@lab.example", "email_verified": True},
    "stranger": {"email": "stranger@example.org", "email_verified": True},
    "mallory": {"email": "mallory@example.org", "email_verified": False},
    "no address": {},
}


@dataclass
class House:
    address: str
    store: Store
    people: Path
    provider: Provider


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An app with a list of people and a provider to sign in with."""
    listed, port = tmp_path / "people.yaml", free_port()
    listed.write_text(LIST)
    with provided(PEOPLE) as provider:
        secrets = tmp_path / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        secrets.write_text(
            f"""
            [auth]
            redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
            cookie_secret = "a secret of the cookies"
            client_id = "{CLIENT}"
            client_secret = "{SECRET}"
            server_metadata_url = "{provider.address}/.well-known/openid-configuration"
            """
        )
        env = {people.SETTING: str(listed)}
        with served(tmp_path / "runs", port=port, cwd=tmp_path, env=env) as (address, _):
            yield House(f"http://{address}", Store(tmp_path / "runs"), listed, provider)


def sign_in(page: Any, house: House, who: str) -> None:
    page.goto(house.address)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Who are you?").wait_for()
    page.get_by_role("link", name=who, exact=True).click()
    page.get_by_role("button", name="Sign out").wait_for()


def sign_out(page: Any) -> None:
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in", exact=True).wait_for()


def as_the_browser(page: Any, house: House) -> Tab:
    """A tab that sends what it likes, with what the browser was given when its person signed in."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "Origin": house.address}
    return Tab(house.address.removeprefix("http://"), headers, [cookies["_streamlit_xsrf"]])


def test_who_is_not_signed_in_sees_nothing(page: Any, house: House) -> None:
    run_id = house.store.create(make_config(preset="quick", sets=[*QUICK, "name=a run of ours"]))
    for path in ("", f"/monitor?run={run_id}", "/runs", "/launch"):
        page.goto(f"{house.address}{path}")
        page.get_by_text("for people on its list").wait_for()
        page.get_by_role("button", name="Sign in", exact=True).wait_for()
        assert page.get_by_text("a run of ours").count() == 0
        assert page.get_by_role("link", name="Launch").count() == 0
    with Tab(house.address.removeprefix("http://")) as tab:
        for path in ("runs", "home", "launch", "monitor"):
            answer = tab.open(path, f"run={run_id}")
            assert "people on its list" in answer.text
            assert list(answer.widgets) == ["Sign in"]


def test_each_does_what_their_role_allows(page: Any, house: House) -> None:
    others = house.store.create(make_config(preset="quick", sets=QUICK), here=True)  # of nobody who signs in

    sign_in(page, house, "eve")
    page.get_by_text(re.compile("eve@.?lab.example · look")).wait_for()
    page.get_by_role("heading", name="Which layers need their adapters?").wait_for()
    assert page.get_by_role("button", name="Run the demo").is_disabled()
    with as_the_browser(page, house) as tab:
        shown = tab.open("home")
        assert "· look" in shown.text
        assert not tab.change(shown, "Run the demo", trigger_value=True).failed
    assert [run.id for run in house.store.list()] == [others]
    sign_out(page)

    sign_in(page, house, "bob")
    page.get_by_text(re.compile("bob@.?example.org · launch")).wait_for()
    page.goto(f"{house.address}/launch?preset=quick&set=train.epochs%3D1&set=data.shots%3D3")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.get_by_role("heading", name="quick look").wait_for(timeout=60 * SECONDS)
    mine = next(run for run in house.store.list() if run.id != others)
    assert mine.owner == "bob@example.org"
    page.get_by_text(re.compile("after 2 cuts")).first.wait_for(timeout=180 * SECONDS)  # it has finished
    page.goto(f"{house.address}/monitor?run={others}")
    page.get_by_role("button", name="Stop now").wait_for()
    assert page.get_by_role("button", name="Stop now").is_disabled()
    page.goto(f"{house.address}/monitor?run={mine.id}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 1 run").wait_for()
    house.people.write_text(LIST.replace("bob@example.org", "rob@example.org"))  # and no longer on the list
    page.get_by_role("dialog").get_by_role("button", name="Delete 1 run").click()
    page.get_by_text("which is not on this app's list").wait_for()
    assert house.store.summary(mine.id).phase == "finished"
    sign_out(page)

    sign_in(page, house, "ada")
    page.goto(f"{house.address}/monitor?run={mine.id}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete 1 run").click()
    page.get_by_text("1 run deleted").wait_for()
    assert [run.id for run in house.store.list()] == [others]


@pytest.mark.parametrize(
    ("who", "told"),
    [
        ("stranger", "which is not on this app's list"),
        ("mallory", "does not say that the address is yours"),
        ("no address", "gave no e-mail address"),
    ],
)
def test_who_is_not_on_the_list_is_told_so(page: Any, house: House, who: str, told: str) -> None:
    sign_in(page, house, who)
    page.get_by_text(re.compile(re.escape(told))).wait_for()
    assert page.get_by_role("link", name="Launch").count() == 0
    assert page.get_by_test_id("stMain").get_by_role("button").count() == 1


def test_a_cookie_that_the_server_did_not_sign_is_nobodys(page: Any, house: House) -> None:
    sign_in(page, house, "ada")
    cookies = page.context.cookies()
    forged = next(cookie for cookie in cookies if cookie["name"] == "_streamlit_user")
    page.context.add_cookies([{**forged, "value": forged["value"][:-4] + "AAAA"}])
    page.goto(house.address)
    page.get_by_role("button", name="Sign in", exact=True).wait_for()
