"""Launch checks a run before it starts: elsewhere, with an end, and told in words."""

import sys
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.launch import figures, words
from mimi_core.analysis.launch.tables import planned_cycles_table
from mimi_core.runs.jobs import checking as precheck
from mimi_core.runs.jobs.check_report import CheckReport, CycleEstimate, KeptImages
from mimi_core.runs.store import Store
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE, Open, button, texts
from tests.recorded import swin_sites

REPORT = CheckReport(
    ok=True,
    device="CPU, 1 thread",
    sites=24,
    layers=swin_sites(),
    initial_widths={site.name: site.width // 2 for site in swin_sites()},
    initial_neurons=1472,
    cycles=[
        CycleEstimate(
            cycle=k, neurons=1472 >> k, adapter_parameters=480 >> k, trained_parameters=(480 >> k) + 20, seconds=30
        )
        for k in (0, 1)
    ],
    exact=False,
    head_parameters=20,
    backbone_parameters=4980,
    split_sizes={"train": 300, "test": 897},
    kept_images=[
        KeptImages(split="train", images=300, place="disk", memory_bytes=40_000_000, disk_bytes=18_100_000_000),
        KeptImages(split="test", images=897, place="memory", memory_bytes=135_000_000),
    ],
    memory_bytes=730_000_000,
    images_per_second=640.0,
    start_seconds=5.0,
    seconds=65.0,
    warnings=[HOSTILE],
)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Lets the check's process print a report, or wait for ever."""

    def give(report: CheckReport | None) -> None:
        (tmp_path / "answer.json").write_text(report.model_dump_json() if report else "")
        source = "import sys, time; text = open(sys.argv[1]).read(); print(text); time.sleep(0 if text else 100)"
        made = [sys.executable, "-S", "-c", source, str(tmp_path / "answer.json")]
        monkeypatch.setattr(precheck, "_command", lambda paths: made)

    monkeypatch.setenv("MIMI_SLOTS", "cpu")
    return give


def checked(app: AppTest) -> AppTest:
    """The page when its check is done: a browser would ask every half second."""
    button(app, "Check before launch").click().run()
    deadline = time.monotonic() + 20
    while any(b.label == "Cancel" for b in app.button):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        app.run()
    return app


def test_the_check_runs_elsewhere_and_is_shown(open_page: Open, store: Store, answer) -> None:  # type: ignore[no-untyped-def]
    answer(REPORT)
    app = checked(open_page("launch"))
    shown = {m.label: m.value.replace("\\", "") for m in app.metric}
    assert shown["Expected time"] == "1 min 05 s"
    assert shown["Memory"] == "730 MB"
    assert shown["Adapters"] == "24"
    assert shown["Trained parameters"] == "500"
    assert "10.0 % of the 5.0k" in next(m for m in app.metric if m.label == "Trained parameters").help
    assert "This will run. It would take about 1 min 05 s" in texts(app)
    assert "The images of test are kept in memory, decoded: 135 MB." in texts(app).replace("\\", "")
    assert "![p](" not in texts(app)
    table = app.dataframe[0].value
    assert list(table["done"]) == ["35 s", "1 min 05 s"]
    assert store.list() == []
    app.number_input(key="launch.seed").set_value(1).run()
    assert not app.metric, "a report about another config must not stay"


def test_how_images_are_kept() -> None:
    train, test = REPORT.kept_images
    assert words.about_images([train, test]) == (
        "The images of test are kept in memory, decoded: 135 MB. The images of train do not fit into memory: each is "
        "decoded once, kept on disk (18.1 GB, free again when the run ends) and read some batches ahead (40 MB of "
        "memory)."
    )
    assert words.about_images([test, test]).startswith("All images are kept in memory, decoded: 270 MB.")
    anew = train.model_copy(update={"place": "nowhere", "disk_bytes": 0})
    assert "All images fit neither into memory nor onto the disk" in words.about_images([anew])
    assert words.about_images([]) == ""


def test_a_check_can_be_cancelled_and_one_that_fails_says_why(open_page: Open, answer) -> None:  # type: ignore[no-untyped-def]
    answer(None)
    app = open_page("launch")
    button(app, "Check before launch").click().run()
    assert "Checking: starting" in app.info[0].value
    process = app.session_state["check/under way"][1]._job._process
    button(app, "Cancel").click().run()
    assert process.poll() is not None
    assert not app.info
    assert not app.metric
    answer(CheckReport(ok=False, error="no such folder"))
    app = checked(app)
    assert "This would fail: no such folder" in app.error[0].value
    assert button(app, "Launch").disabled
    assert "check says that this would fail" in texts(app)
    assert not button(app, "Check before launch").disabled
    app.number_input(key="launch.seed").set_value(1).run()
    assert not button(app, "Launch").disabled


def test_cycles_of_a_check_add_up() -> None:
    table = planned_cycles_table(REPORT)
    assert list(table["name"]) == ["start", "cut 1"]
    assert list(table["head_parameters"]) == [20, 20]
    assert list(table["done"]) == [35, 65]
    assert planned_cycles_table(CheckReport(ok=True)).empty
    figure = figures.widths_at_start_figure(layers(swin_sites()), REPORT.initial_widths)
    hold_to_schema(figure)
    assert list(figure["datasets"]["layers"]["neurons"]) == list(REPORT.initial_widths.values())
