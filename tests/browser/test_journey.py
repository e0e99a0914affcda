"""Journeys through the app in a real Chromium."""

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.recorded import record

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SECONDS = 1000
HEATMAP = ".st-key-widths .heatmaplayer image, .st-key-widths .heatmaplayer .hm"
Serve = Callable[[Path], str]


def test_from_a_click_to_the_heatmap(page: Any, serve: Serve, tmp_path: Path) -> None:
    """Launch a tiny run, watch it finish, see its widths, share the link; copy it with a mistake, and delete it."""
    address = serve(tmp_path / "runs")
    page.goto(f"{address}/launch?preset=quick")
    page.get_by_role("spinbutton", name="Images per class").fill("3")
    page.get_by_role("spinbutton", name="Epochs per cycle").fill("2")
    page.get_by_role("spinbutton", name="Epochs per cycle").press("Enter")
    page.wait_for_url(re.compile(r"set=data\.shots%3D3&set=train\.epochs%3D2"))
    page.get_by_role("button", name="Launch", exact=True).click()

    page.get_by_role("heading", name="quick look").wait_for()
    page.get_by_text(re.compile("adapters? .* after 2 cuts")).first.wait_for(timeout=120 * SECONDS)

    page.get_by_test_id("stMain").get_by_role("link", name="Widths").click()
    page.locator(HEATMAP).first.wait_for()
    page.get_by_role("heading", name=re.compile("after 2 cuts")).wait_for()
    page.get_by_role("radio", name="1", exact=True).click()
    page.get_by_role("heading", name=re.compile("after 1 cut$")).wait_for()
    page.get_by_role("radio", name="attention").click()
    page.wait_for_url(re.compile("layers=attention"))
    assert "cycle=1" in page.url
    assert "run=" in page.url

    shared = page.context.new_page()
    shared.goto(page.url)
    shared.get_by_role("heading", name=re.compile("after 1 cut$")).wait_for()
    assert shared.get_by_role("radio", name="attention").get_attribute("aria-checked") == "true"
    (run,) = Store(tmp_path / "runs").list()
    assert run.phase == "finished"

    page.goto(f"{address}/monitor?run={run.id}")
    page.get_by_role("button", name="Duplicate").click()
    changes = page.get_by_role("dialog").get_by_label("Other changes")
    changes.fill("prune.scop=local")
    changes.press("Control+Enter")
    page.get_by_role("dialog").get_by_text("did you mean 'scope'").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete 1 run").click()
    page.get_by_text("1 run deleted").wait_for()
    assert Store(tmp_path / "runs").list() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_link_into_a_fresh_server_works_in_both_themes(
    browser: Any, serve: Serve, tmp_path: Path, scheme: str
) -> None:
    """The first request is a deep link, which Streamlit alone would answer without app.py."""
    runs = tmp_path / "runs"
    run_id = record(Store(runs))
    address = serve(runs)
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/widths?run={run_id}&cycle=2")
    page.locator(HEATMAP).first.wait_for(timeout=30 * SECONDS)
    page.get_by_role("heading", name=re.compile("after 2 cuts")).wait_for()
    assert page.locator("header").get_by_role("link", name="Launch").count() == 1
    background = page.get_by_test_id("stApp").evaluate("element => getComputedStyle(element).backgroundColor")
    red = int(re.findall(r"\d+", background)[0])
    assert (red < 60) == (scheme == "dark")
    assert [url for url in asked if url.startswith("http") and not url.startswith(address)] == []
    context.close()


def test_hostile_names_stay_text(page: Any, serve: Serve, tmp_path: Path) -> None:
    """Nothing that a run says becomes an element of the page, and nothing is fetched for it."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.settimeout(0.2)
        link = f"http://127.0.0.1:{trap.getsockname()[1]}"
        evil = f"<img src={link}> ![p]({link}) [x](javascript:)"
        runs = tmp_path / "runs"
        run_id = record(Store(runs), make_config({"name": evil}, preset="demo"), warnings=(evil,), log=evil)
        address = serve(runs)
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        shown = {"": "Recent runs", "monitor": "Learning", "widths": "Cut by cut"}
        for path, text in shown.items():
            page.goto(f"{address}/{path}?run={run_id}")
            page.get_by_text(text).first.wait_for()
            page.wait_for_timeout(500)
            main = page.get_by_test_id("stMain")
            assert main.locator("img:not([src^='data:image/svg'])").count() == 0
            assert main.locator(f"a[href*='{link}'], a[href^='javascript']").count() == 0
        assert dialogs == []
        with pytest.raises(TimeoutError):
            trap.accept()
