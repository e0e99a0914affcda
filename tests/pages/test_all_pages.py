"""What holds for every page: no runs, broken runs, hostile text, bad links, a thousand runs, no torch."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, ROOT, MakeRun, Open, texts
from tests.recorded import swin_sites


@pytest.mark.parametrize("page", ["monitor", "predict", "report", "runs", "widths"])
def test_an_empty_store_says_what_to_do(open_page: Open, page: str) -> None:
    app = open_page(page)
    assert app.subheader[0].value == "No runs yet"


@pytest.mark.parametrize("page", ["monitor", "predict", "report", "widths"])
@pytest.mark.parametrize("file", ["status.json", "config.yaml"])
def test_a_broken_run_is_explained(open_page: Open, make_run: MakeRun, store: Store, page: str, file: str) -> None:
    run_id = make_run()
    (store.folder(run_id) / file).write_text("{")
    app = open_page(page, run=run_id)
    assert page != "monitor" or "missing or broken" in app.error[0].value


@pytest.mark.parametrize("page", ["monitor", "predict", "report", "runs", "trade_off", "widths"])
def test_truncated_events_leave_what_can_be_read(open_page: Open, make_run: MakeRun, store: Store, page: str) -> None:
    run_id = make_run()
    events = store.folder(run_id) / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-4000] + b'\n{"event": "from_the_future"}\n{"event": "pru')
    app = open_page(page, run=run_id)
    assert not app.exception


@pytest.mark.parametrize("page", ["monitor", "predict", "report", "why", "widths"])
@pytest.mark.parametrize("run_id", ["../../etc/passwd", "no-such-run", HOSTILE, "a" * 5000, ""])
def test_a_bad_run_in_the_url_is_said_and_harmless(open_page: Open, make_run: MakeRun, page: str, run_id: str) -> None:
    there = make_run()
    app = open_page(page, run=run_id)
    assert "There is no run" in app.warning[0].value
    assert app.selectbox[0].value is None
    assert len(app.title) == (page == "report"), "its own; another run is not shown in its place"
    assert app.query_params["run"] == run_id
    app.selectbox[0].set_value(there).run()
    assert app.query_params["run"] == there
    assert app.title
    assert "![p](" not in texts(app)


@pytest.mark.parametrize("page", ["home", "launch", "monitor", "predict", "report", "runs", "trade_off", "widths"])
def test_hostile_text_is_never_markdown(open_page: Open, make_run: MakeRun, page: str) -> None:
    name = HOSTILE[:80]
    sites = [site.model_copy(update={"name": f"{HOSTILE}.{site.name}"}) for site in swin_sites()]
    run_id = make_run(
        make_config(preset="demo", values={"name": name}),
        sites=sites,
        class_names=[HOSTILE],
        warnings=(HOSTILE,),
        log=HOSTILE,
    )
    app = open_page(page, run=run_id)
    said = texts(app) + "".join(link.proto.label for link in app.get("page_link"))
    said = re.sub(r"\\.", "", said)  # what is escaped is shown as written
    for markup in ("![p](", "[x](", ":red[", "$a$", "**b**", "<img", "http://e"):
        assert markup not in said
    assert all("<img" not in chart.proto.spec for chart in app.get("plotly_chart"))


@pytest.mark.parametrize(
    "page", ["ablations", "home", "launch", "monitor", "predict", "report", "runs", "trade_off", "widths"]
)
def test_a_thousand_runs(open_page: Open, make_run: MakeRun, store: Store, page: str) -> None:
    folder = store.folder(make_run())
    for number in range(999):
        copy = store.directory / f"{folder.name}-{number}"
        copy.mkdir()
        for file in ("config.yaml", "status.json", "events.jsonl"):
            (copy / file).hardlink_to(folder / file)
    app = open_page(page)
    assert page != "home" or ":primary[All 1,000 runs]" in [link.proto.label for link in app.get("page_link")]


def test_the_app_never_imports_torch(make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
from pages.widgets.menu import pages
app = AppTest.from_file("app.py", default_timeout=60).run()
for page in pages():
    app.switch_page(f"pages/{{page}}.py")
    app.query_params["run"] = "{run_id}"
    assert not app.run().exception
heavy = [name for name in ("torch", "timm", "torchvision", "sklearn") if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MIMI_RUNS": str(store.directory), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_queue_left_behind_is_taken_up_again(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(make_config(preset="demo"))
    woken: list[Path] = []
    monkeypatch.setattr("mimi_core.runs.queue.dispatcher.ensure_dispatcher", woken.append)
    open_page("launch")
    open_page("monitor")
    assert woken == [store.directory]
