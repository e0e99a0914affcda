"""Every page, in every state that a store can be in."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.config import make_config
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.app.conftest import change_status, swin_sites, vit_sites

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror=alert(1)> ![p](http://e.example/p.png) [x](javascript:alert(1)) :red[x] $a$ **b** `c`"
Open = Callable[..., AppTest]
MakeRun = Callable[..., str]


@pytest.fixture
def open_page(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page of the app on the test's store, without examples and without a dispatcher."""
    monkeypatch.setenv("MIMI_RUNS", str(store.directory))
    monkeypatch.setattr("pages.common.EXAMPLES", tmp_path / "examples")
    for place in ("mimi_core.runs.control", "pages.common"):
        monkeypatch.setattr(f"{place}.ensure_dispatcher", lambda directory: None)

    def open_(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=20)
        if page == "launch":
            app.query_params.update(query)
        app.run()
        if page != "launch":
            app.switch_page(f"pages/{page}.py")
            app.query_params.update(query)
            app.run()
        assert not app.exception
        return app

    return open_


def texts(app: AppTest) -> str:
    """All that the page says, as the Markdown that it is."""
    return "\n".join(
        str(e.value) for kind in ("title", "markdown", "error", "info", "warning", "success") for e in app.get(kind)
    )


def button(app: AppTest, label: str):
    return next(b for b in app.button if b.label == label)


# --- launch -----------------------------------------------------------------------------------------------------------


def test_one_click_queues_the_demo_and_shows_it(open_page: Open, store: Store) -> None:
    app = open_page("launch")
    button(app, "Run the demo").click().run()
    (run,) = store.list()
    assert run.phase == "queued"
    assert store.config(run.id).model_copy(update={"versions": {}}) == make_config(preset="demo")
    assert app.query_params["run"] == run.id
    assert "waiting for a free slot" in app.get("progress")[0].proto.text


def test_fields_change_the_config_and_the_command(open_page: Open, store: Store) -> None:
    app = open_page("launch", preset="quick")
    app.number_input(key="quick.train.epochs").set_value(3)
    app.text_area(key="quick.more").set_value("adapter.placement=parallel")
    app.run()
    command = next(code.value for code in app.code if code.value.startswith("python"))
    assert command == "python -m mimi_core run --preset quick --set adapter.placement=parallel --set train.epochs=3"
    button(app, "Launch").click().run()
    config = store.config(store.list()[0].id)
    assert (config.train.epochs, config.adapter.placement) == (3, "parallel")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("prune.rho", 1.5, "prune.rho"), ("prune.sigma_target", 1.0, "sigma_target"), ("train.epochs", 0, "train.epochs")],
)
def test_a_wrong_value_is_said_once_and_starts_nothing(
    open_page: Open, store: Store, field: str, value: float, says: str
) -> None:
    app = open_page("launch")
    app.number_input(key=f"demo.{field}").set_value(value).run()
    assert len(app.error) == 1
    assert says in app.error[0].value.replace("\\", "")
    assert not any(b.label == "Launch" for b in app.button)
    assert store.list() == []


def test_an_unknown_setting_names_the_nearest_known_one(open_page: Open) -> None:
    app = open_page("launch")
    app.text_area(key="demo.more").set_value("train.epoch=3").run()
    assert "train.epochs" in app.error[0].value.replace("\\", "") or "'epochs'" in app.error[0].value.replace("\\", "")


def test_a_folder_that_cannot_be_written_is_one_message(open_page: Open, store: Store) -> None:
    store.directory.write_text("a file where the folder should be")
    app = open_page("launch")
    button(app, "Run the demo").click().run()
    assert not app.exception
    assert "cannot write" in app.error[0].value


def test_the_check_runs_elsewhere_and_is_shown(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {
        "ok": True,
        "error": None,
        "sites": 24,
        "initial_neurons": 1472,
        "cycles": [{"cycle": 0, "neurons": 1472, "adapter_parameters": 9, "trained_parameters": 10}],
        "memory_bytes": 730_000_000,
        "seconds": 75.0,
        "images_per_second": 640.0,
        "device": "cpu",
        "split_sizes": {"train": 300, "test": 897},
        "warnings": [HOSTILE],
    }
    answer = SimpleNamespace(stdout=f"noise\n{json.dumps(report)}\n", stderr="")
    monkeypatch.setattr("mimi_core.analysis.precheck.subprocess.run", lambda *a, **k: answer)
    app = open_page("launch")
    button(app, "Check before launch").click().run()
    shown = {m.label: m.value for m in app.metric}
    assert shown["Expected time"] == "1 min 15 s"
    assert shown["Adapter sites"] == "24"
    assert "![p](" not in app.warning[0].value
    assert store.list() == []
    app.number_input(key="demo.seed").set_value(1).run()
    assert not app.metric, "a report about another config must not stay"


def test_a_check_that_fails_says_why(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(stdout=json.dumps({"ok": False, "error": "no such folder"}), stderr="")
    monkeypatch.setattr("mimi_core.analysis.precheck.subprocess.run", lambda *a, **k: answer)
    app = open_page("launch")
    button(app, "Check before launch").click().run()
    assert "no such folder" in app.error[0].value


def test_recent_runs_are_linked(open_page: Open, make_run: MakeRun) -> None:
    make_run()
    app = open_page("launch")
    assert [link.proto.label for link in app.get("page_link")] == [":primary[demo]"]


# --- monitor ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["monitor", "widths"])
def test_an_empty_store_says_what_to_do(open_page: Open, page: str) -> None:
    app = open_page(page)
    assert app.subheader[0].value == "No runs yet"


def test_a_running_run_shows_progress_and_can_be_stopped(open_page: Open, store: Store) -> None:
    run_id = store.create(make_config(preset="demo"))
    with Recorder(store.folder(run_id)) as worker:
        worker.update(phase="training", cycle=1, cycles=4, epoch=7, epochs=15, progress=0.3, eta_seconds=75.0)
        worker._write_status()
        app = open_page("monitor", run=run_id)
        assert app.get("progress")[0].proto.text.replace("\\", "") == (
            "training · after cut 1 of 4 · epoch 7 of 15 · 30 % · about 1 min 15 s left"
        )
        button(app, "Stop after this cycle").click().run()
        assert worker.stop_requested()
        assert button(app, "Stopping after this cycle …").disabled


def test_a_dead_worker_is_explained_and_the_run_resumed(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run(cuts=2, outcome=None, log="epoch 3\nKilled\n")
    app = open_page("monitor", run=run_id)
    assert "gone without having ended the run" in app.error[0].value
    assert "Killed" in app.code[0].value
    button(app, "Resume").click().run()
    assert store.summary(run_id).phase == "queued"
    button(app, "Take out of the queue").click().run()
    assert store.summary(run_id).phase == "stopped"


def test_a_failed_run_says_why(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run(cuts=0, outcome="failed")
    change_status(store, run_id, message="not enough memory: lower train.batch_size")
    app = open_page("monitor", run=run_id)
    assert "not enough memory" in app.error[0].value


def test_a_finished_run_tells_its_story(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("monitor", run=make_run())
    assert "of 24 adapters" in app.success[0].value
    assert not app.button, "there is nothing left to stop or resume"


@pytest.mark.parametrize("page", ["monitor", "widths"])
@pytest.mark.parametrize("file", ["status.json", "config.yaml"])
def test_a_broken_run_is_explained(open_page: Open, make_run: MakeRun, store: Store, page: str, file: str) -> None:
    run_id = make_run()
    (store.folder(run_id) / file).write_text("{")
    app = open_page(page, run=run_id)
    assert page == "widths" or "missing or broken" in app.error[0].value


@pytest.mark.parametrize("page", ["monitor", "widths"])
def test_truncated_events_leave_what_can_be_read(open_page: Open, make_run: MakeRun, store: Store, page: str) -> None:
    run_id = make_run()
    events = store.folder(run_id) / "events.jsonl"
    events.write_bytes(events.read_bytes()[:-4000] + b'\n{"event": "from_the_future"}\n{"event": "pru')
    app = open_page(page, run=run_id)
    assert not app.exception


# --- widths -----------------------------------------------------------------------------------------------------------


def test_the_sentence_follows_the_cycle_in_the_url(open_page: Open, make_run: MakeRun) -> None:
    run_id = make_run()
    assert open_page("widths", run=run_id).title[0].value.endswith("gone after 4 cuts")
    assert open_page("widths", run=run_id, cycle="1").title[0].value.endswith("after 1 cut")
    assert "before the first cut" in open_page("widths", run=run_id, cycle="0").title[0].value
    for nonsense in ("-1", "x", "99999999", "²"):
        assert open_page("widths", run=run_id, cycle=nonsense).title[0].value.endswith("gone after 4 cuts")


def test_the_url_follows_the_choices(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run())
    app.button_group(key="pick_cycle").set_value(2).run()
    assert app.query_params["cycle"] == "2"
    assert app.title[0].value.endswith("after 2 cuts")
    app.button_group(key="layers").set_value("mlp").run()
    assert not app.exception


@pytest.mark.parametrize("mode", ["share", "neurons", "parameters"])
@pytest.mark.parametrize("layers", ["all", "attention", "mlp"])
def test_every_view_of_every_shape_draws(open_page: Open, make_run: MakeRun, mode: str, layers: str) -> None:
    for sites in (swin_sites(), swin_sites(4), vit_sites(2)):
        app = open_page("widths", run=make_run(sites=sites), mode=mode, layers=layers)
        assert len(app.get("plotly_chart")) == 1
        assert any("adapter's parameters" in c.value for c in app.caption) == (mode == "parameters")


def test_a_run_without_cuts_yet_has_a_start(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run(cuts=0, outcome="stopped"))
    assert app.title[0].value == "24 adapters, before the first cut"


def test_a_queued_run_has_no_widths_yet(open_page: Open, store: Store) -> None:
    app = open_page("widths", run=store.create(make_config(preset="demo")))
    assert app.title[0].value == "No widths yet"


def test_a_second_run_is_drawn_beside_the_first(open_page: Open, make_run: MakeRun) -> None:
    first, second = make_run(), make_run(seed=1)
    app = open_page("widths", run=first, **{"with": second})
    assert len(app.get("plotly_chart")) == 3
    assert "ost " in texts(app)
    assert len(open_page("widths", run=first, **{"with": "nothing"}).get("plotly_chart")) == 1


def test_play_walks_through_the_cuts_and_stops(open_page: Open, make_run: MakeRun) -> None:
    app = open_page("widths", run=make_run(), cycle="3")
    button(app, "Play").click().run()
    assert app.query_params["cycle"] == "4"
    app.run()
    assert button(app, "Play")


def test_a_queue_left_behind_is_taken_up_again(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create(make_config(preset="demo"))
    woken: list[Path] = []
    monkeypatch.setattr("pages.common.ensure_dispatcher", woken.append)
    open_page("launch")
    open_page("monitor")
    assert woken == [store.directory]


# --- all pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["monitor", "widths"])
@pytest.mark.parametrize("run_id", ["../../etc/passwd", "no-such-run", HOSTILE, "a" * 5000, ""])
def test_a_bad_run_in_the_url_is_said_and_harmless(open_page: Open, make_run: MakeRun, page: str, run_id: str) -> None:
    make_run()
    app = open_page(page, run=run_id)
    assert "There is no run" in app.warning[0].value
    assert "![p](" not in texts(app)


@pytest.mark.parametrize("page", ["launch", "monitor", "widths"])
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


@pytest.mark.parametrize("page", ["launch", "monitor", "widths"])
def test_a_thousand_runs(open_page: Open, make_run: MakeRun, store: Store, page: str) -> None:
    folder = store.folder(make_run())
    for number in range(999):
        copy = store.directory / f"{folder.name}-{number}"
        copy.mkdir()
        for file in ("config.yaml", "status.json", "events.jsonl"):
            (copy / file).hardlink_to(folder / file)
    app = open_page(page)
    assert page != "launch" or ":primary[All 1,000 runs]" in [link.proto.label for link in app.get("page_link")]


def test_the_app_never_imports_torch(make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
for page in ("launch", "monitor", "widths"):
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
