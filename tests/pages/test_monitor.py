"""Monitor: one run, in every state that it can be in, and the runs that can be made from it."""

import json
import re
import signal
import time

import pytest

from mimi_core.analysis.report import run_report
from mimi_core.config import make_config
from mimi_core.runs.branch import branch
from mimi_core.runs.formats.probe import Probe
from mimi_core.runs.formats.probe import write as write_probe
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.pages.opening import ROOT, MakeRun, Open, button, texts
from tests.recorded import change_status, record

SHORT = make_config(preset="demo", sets=["train.epochs=2"])


def test_a_running_run_shows_progress_and_can_be_stopped(open_page: Open, store: Store) -> None:
    run_id = store.create(make_config(preset="demo"))
    with Recorder(store.folder(run_id)) as worker:
        worker.update(phase="training", cycle=1, cycles=4, epoch=7, epochs=15, progress=0.3, eta_seconds=75.0)
        worker._write_status()
        app = open_page("monitor", run=run_id)
        assert app.get("progress")[0].proto.text.replace("\\", "") == (
            "training · after cut 1 of 4 · epoch 7 of 15 · 30 % · about 1 min 15 s left"
        )
        assert next(metric.value for metric in app.metric if metric.label == "Time") == "–", "not loaded yet"
        worker.update(eta_seconds=None, began=time.time() - 3600)
        worker._write_status()
        app.run()
        assert app.get("progress")[0].proto.text.endswith("estimating the time left")
        shown = next(metric.value for metric in app.metric if metric.label == "Time")
        assert shown.startswith("1 h 00"), "of all attempts, as the end will say, and not since the process started"
        button(app, "Stop after this cycle").click().run()
        assert worker.stop_requested()
        assert button(app, "Stopping after this cycle …").disabled


def test_picker_and_badge_say_the_same_of_a_run_that_waits(open_page: Open, store: Store) -> None:
    run_id = store.create(make_config(preset="demo"))
    app = open_page("monitor", run=run_id)
    assert " · queued · " in next(label for label in app.selectbox[0].options)
    assert "queued" in texts(app)


def test_no_chart_is_drawn_before_there_is_a_point(open_page: Open, store: Store, make_run: MakeRun) -> None:
    run_id = make_run(SHORT, outcome=None)
    events = store.folder(run_id) / "events.jsonl"
    first, epoch, *_ = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(first)
    app = open_page("monitor", run=run_id)
    assert not app.get("vega_lite_chart")
    assert "No epoch was finished" in texts(app)
    events.write_bytes(first + epoch)
    accuracy, _ = (json.loads(chart.proto.spec) for chart in open_page("monitor", run=run_id).get("vega_lite_chart"))
    marks = [layer["mark"]["type"] for layer in accuracy["layer"]]
    assert "line" in marks
    assert "point" not in marks, "a layer without points makes Vega complain"


def test_a_dead_worker_is_explained_and_the_run_resumed(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run(SHORT, cuts=2, outcome=None, log="epoch 3\nKilled\n")
    change_status(store, run_id, exit_code=-signal.SIGKILL)
    app = open_page("monitor", run=run_id)
    assert "gone without having ended the run" in app.error[0].value
    assert "when memory ran out" in app.error[0].value
    assert "Killed" in app.code[0].value
    button(app, "Resume").click().run()
    assert store.summary(run_id).phase == "queued"
    button(app, "Take out of the queue").click().run()
    assert store.summary(run_id).phase == "stopped"


def test_a_run_that_goes_on_by_itself_says_when_and_one_that_was_given_up_what_to_do(
    open_page: Open, make_run: MakeRun, store: Store
) -> None:
    waits = make_run(SHORT, cuts=1, outcome=None)
    fields = {"phase": "queued", "deaths": 2, "retry_at": time.time() + 1000, "exit_code": -signal.SIGKILL}
    change_status(store, waits, **fields)
    app = open_page("monitor", run=waits)
    assert re.search(r"died twice, goes on in (1000|9\d\d) s", app.get("progress")[0].proto.text.replace("\\", ""))
    assert "when memory ran out" in app.warning[0].value
    assert "goes on by itself" in app.warning[0].value

    given_up = make_run(SHORT, cuts=1, outcome=None)
    change_status(store, given_up, deaths=3, exit_code=-signal.SIGKILL, message="gave up after 2 retries")
    shown = open_page("monitor", run=given_up).error[0].value
    assert "It died 3 times, and the queue gave up. See to the cause first" in shown

    orphan = make_run(SHORT, cuts=1, outcome=None)
    change_status(store, orphan, from_queue=True)
    assert "The queue has it go on in a moment" in open_page("monitor", run=orphan).error[0].value


def test_a_failed_run_says_why(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run(SHORT, cuts=0, outcome="failed")
    change_status(store, run_id, message="not enough memory: lower train.batch_size")
    app = open_page("monitor", run=run_id)
    assert "not enough memory" in app.error[0].value


def test_a_finished_run_tells_its_story_its_settings_and_what_looks_wrong(open_page: Open, store: Store) -> None:
    for seed in range(2):
        record(store, make_config(preset="demo", sets=["train.epochs=1", "method=linear", f"seed={seed}"]))
    run_id = record(store, make_config(preset="demo", sets=["train.epochs=2", "name=mine", "group=g"]))
    events = store.folder(run_id) / "events.jsonl"
    events.write_text(events.read_text().replace('"accuracy":0.87,', '"accuracy":0.6,') + "not an event\n")
    app = open_page("monitor", run=run_id)
    assert "of 24 adapters" in app.success[0].value
    assert [b.label for b in app.button] == ["Duplicate", "Branch", "Delete"], "nothing is left to stop or resume"
    warnings = " ".join(warning.value for warning in app.warning)
    assert "A linear probe does better" in warnings
    assert "2 seeds" in warnings
    assert "1 line of the event file" in warnings
    command, config = (code.value for code in app.code[-2:])
    assert "mimi_core run --set name=mine --set group=g" in command
    assert "epochs: 2" in config
    assert "Group g" in [link.proto.label for link in app.get("page_link")]


def test_a_copy_is_checked_before_it_is_made(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run(SHORT)
    app = open_page("monitor", run=run_id)
    button(app, "Duplicate").click().run()
    assert "4 cuts" in texts(app)
    app = dialog(app, "Duplicate", "train.epochs=0\nprune.scope=local")
    assert "train.epochs" in app.error[0].value.replace("\\", "")
    assert len(store.list()) == 1
    app = dialog(app, "Duplicate", "prune.scope=local")
    assert "Changed: prune.scope=local" in texts(app).replace("\\", "")


def dialog(app, label: str, lines: str):
    """Type into an open dialog. The test's server draws a whole page where a browser draws the dialog alone."""
    app.text_area[0].set_value(lines)
    return button(app, label).click().run()


def test_a_branch_says_where_it_comes_from(open_page: Open, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = Store(ROOT / "mimi_core" / "resources" / "examples")
    (run_id,) = (run.id for run in examples.list() if run.scope == "global")
    new_id = branch(examples, run_id, 2, ["prune.score=l2"], store)
    app = open_page("monitor", run=new_id)
    assert "Branched from the end of cycle 2" in texts(app)
    assert "not here" in texts(app), "nobody can tell any more what it was"
    monkeypatch.setattr("pages.widgets.stores.EXAMPLES", examples.directory)
    app = open_page("monitor", run=new_id)
    assert "demo\\, global" in [link.proto.label for link in app.get("page_link")]
    assert "With prune.score=l2." in texts(app).replace("\\", "")
    assert f"branch {run_id} --cycle 2 --set 'name=demo, global from cycle 2'" in app.code[-2].value


def test_what_was_gained_over_the_frozen_features_is_said_on_every_page_of_a_run(
    open_page: Open, make_run: MakeRun, store: Store
) -> None:
    run_id = make_run(SHORT, cuts=2)
    probe = Probe(strength=1, test_accuracy=0.1, test_images=100, train_images=5, of_train_images=5, features=2)
    write_probe(store.folder(run_id), probe)
    assert "better than a converged linear probe" in open_page("monitor", run=run_id).success[0].value
    assert "better than a converged linear probe" in texts(open_page("widths", run=run_id))
    assert "better than a converged linear probe" in run_report(store, run_id)
    live = make_run(SHORT, cuts=0, outcome=None)
    write_probe(store.folder(live), probe)
    assert "converged linear probe" in " ".join(one.value for one in open_page("monitor", run=live).caption)
