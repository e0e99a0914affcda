"""Monitor: one run, in every state that it can be in."""

from mimi_core.config import make_config
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.app.conftest import change_status
from tests.app.opening import MakeRun, Open, button


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
