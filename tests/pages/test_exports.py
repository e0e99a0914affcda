"""Exports: a cycle is chosen, a process writes the file, and the page hands it out or says why not."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.pages.asking import ended, pretend
from tests.pages.opening import MakeRun, button, texts

WRITES = "import sys; open(sys.argv[-1], 'w').write(' '.join(sys.argv[1:-1]))"


def page() -> None:
    import streamlit as st

    from pages.widgets import stores
    from pages.widgets.exports import exports

    exports(next(found for found in stores.all_runs() if found.run.id == st.query_params["of"]))


@pytest.fixture
def run(store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIMI_RUNS", str(store.directory))
    monkeypatch.setattr("mimi_core.runs.queue.dispatcher.ensure_dispatcher", lambda directory: None)
    folder = store.folder(make_run(cuts=2))
    with Recorder(folder) as recorder:
        for cycle in range(3):
            recorder.save_adapters(cycle, {"x": np.zeros(100 * (3 - cycle))}, {"cycle": cycle})
        recorder.update(phase="finished")
    return folder


def opened(run: Path, **query: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=20)
    app.query_params.update(of=run.name, **query)
    app.run()
    assert not app.exception
    return app


def test_the_last_cycle_is_offered_unless_the_url_names_another(run: Path) -> None:
    app = opened(run)
    (choice,) = app.selectbox
    assert (choice.value, len(choice.options)) == ("2", 3)
    assert choice.options[0].startswith("At the start · 1,472 neurons in 24 layers")
    choice.set_value("1").run()
    assert app.query_params["cycle"] == "1"
    assert opened(run, cycle="../0").selectbox[0].value == "2"


def test_a_pack_is_written_and_can_be_downloaded(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = pretend(monkeypatch, WRITES)
    app = opened(run, cycle="1")
    button(app, "Make the pack").click().run()
    assert "writing the file" in app.info[0].value
    job = ended(pretended)
    app.run()
    assert f"{run.name}-cycle1.zip" in texts(app)
    assert not app.info
    arguments = (job.folder / "pack").read_text()
    assert arguments == f"export {run.name} --runs {run.parent.resolve()} --cycle 1 --pack"


def test_what_goes_wrong_is_told_and_can_be_tried_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = pretend(monkeypatch, "import sys; sys.exit('error: the export needs packages: pip install onnx')")
    app = opened(run)
    button(app, "Export to ONNX").click().run()
    ended(pretended)
    app.run()
    assert "pip install onnx" in app.error[0].value
    assert button(app, "Try again")
    assert button(app, "Make the pack")


def test_a_run_that_has_saved_nothing_says_so(run: Path) -> None:
    for cycle in range(3):
        (run / "cycles" / str(cycle) / "adapters.safetensors").unlink()
    app = opened(run)
    assert "not saved a cycle" in texts(app)
    assert not app.button
