"""Exploring the bundled examples in a real Chromium: try other settings, compare two runs, share what one sees."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.serving import served
from mimi_core.resources import EXAMPLES
from mimi_core.runs.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WHAT_IF = re.compile("^What if:")
BY_SCOPE = {run.scope: run.id for run in Store(EXAMPLES).list() if run.cycles and not run.group}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("app") / "runs") as (address, _):
        yield f"http://{address}"


def test_a_what_if_answers_and_can_be_shared(page: Any, browser: Any, address: str) -> None:
    """Move the scope on Why; a colleague opens the link on a dark screen and sees the same."""
    page.goto(f"{address}/why?run={BY_SCOPE['global']}&cycle=4")
    page.get_by_text("These are the settings of the run").wait_for()
    page.get_by_role("radio", name="local").click()
    said = page.locator("p", has_text=WHAT_IF).filter(visible=True)
    said.wait_for()
    page.wait_for_url(re.compile("scope=local"))

    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme="dark")
    colleague = context.new_page()
    colleague.goto(page.url)
    theirs = colleague.locator("p", has_text=WHAT_IF).filter(visible=True)
    theirs.wait_for()
    assert theirs.inner_text() == said.inner_text()
    assert colleague.get_by_role("radio", name="local").get_attribute("aria-checked") == "true"
    background = colleague.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
    ink = colleague.get_by_role("heading").first.evaluate("e => getComputedStyle(e).color")
    assert min(map(int, re.findall(r"\d+", ink)[:3])) > 180
    context.close()

    page.get_by_role("button", name="As in the run").click()
    page.get_by_text("These are the settings of the run").wait_for()
    assert "scope=" not in page.url


def test_two_runs_side_by_side(page: Any, address: str) -> None:
    page.goto(f"{address}/widths?run={BY_SCOPE['global']}")
    page.get_by_text("Compare with another run").wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()  # what is still drawn may take the focus
    second = page.get_by_role("combobox", name="Second run")
    second.click()
    second.press_sequentially("local")
    page.get_by_role("option", name=re.compile("local")).first.wait_for()
    second.press("Enter")
    for side in ("First", "Second"):
        page.locator(f".st-key-compare_{side} .heatmaplayer").wait_for()
    page.wait_for_url(re.compile(f"with={BY_SCOPE['local']}"))
    page.get_by_text(re.compile("Only the first lost")).wait_for()
    first, second = (
        page.locator(f".st-key-compare_{side} .heatmaplayer").bounding_box() for side in ("First", "Second")
    )
    assert first
    assert second
    assert second["x"] >= first["x"] + first["width"], "beside each other"


def test_from_a_cell_to_its_neurons(page: Any, address: str) -> None:
    """A click into the heatmap opens Why at that layer and cut."""
    page.goto(f"{address}/widths?run={BY_SCOPE['global']}")
    page.locator(".st-key-widths .heatmaplayer").first.wait_for()
    page.wait_for_timeout(1000)  # the figure has its final size
    area = page.locator(".st-key-widths .nsewdrag[data-subplot=xy]").bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + 0.5 * area["width"], area["y"] + 0.5 * area["height"])
    page.wait_for_url(re.compile("/why.*layer="))
    assert f"run={BY_SCOPE['global']}" in page.url
    assert "cycle=2" in page.url
    page.get_by_text(re.compile("the neurons of", re.IGNORECASE)).first.wait_for()


def brightness(colour: str) -> float:
    """Of `#rrggbb` or `rgb(r, g, b)`."""
    hexadecimal = re.fullmatch("#(..)(..)(..)", colour)
    parts = [int(part, 16) for part in hexadecimal.groups()] if hexadecimal else re.findall(r"[\d.]+", colour)[:3]
    return sum(map(float, parts))


def test_a_heatmap_follows_the_theme(page: Any, address: str) -> None:
    """The device goes dark while somebody looks."""
    lowest = "document.querySelector('.st-key-widths .js-plotly-plot')?.data?.[0]?.colorscale?.[0]?.[1]"
    page.goto(f"{address}/widths?run={BY_SCOPE['global']}")
    page.wait_for_function(f"() => {lowest}")
    page.wait_for_timeout(1000)  # what watches the theme is at the end of the page
    light = page.evaluate(lowest)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {lowest} !== light", arg=light)
    dark = page.evaluate(lowest)
    assert brightness(dark) < brightness(light), "no neurons is the colour of the page"
