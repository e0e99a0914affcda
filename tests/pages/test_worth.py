"""What adapters and neurons were worth, on Why and Widths: measured, not measured, unreadable, and on request."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from mimi_core.resources import EXAMPLES
from mimi_core.runs.formats.damage import path_of
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from tests.pages.asking import ended, pretend
from tests.pages.opening import Open, button, texts
from tests.recorded_cuts import measured, run_with_scores

SITE = "layers.2.blocks.3.mlp"
ANSWERS = """
import json, sys
asked = dict(zip(sys.argv, sys.argv[1:]))
site = next(a for a in sys.argv if a.startswith("--layer=")).removeprefix("--layer=")
n = 64
print("stage: 50 % done", file=sys.stderr)
print(json.dumps({"site": site, "cycle": int(asked["--cycle"]), "images": 50, "split": "val", "loss": 1, "accuracy": .5,
    "loss_without": [1 + i / n for i in range(n)], "accuracy_without": [.5] * n, "error": [.01] * n}))
"""


@pytest.fixture
def run(store: Store) -> str:
    """With the weights of every cycle, as far as a page looks at them."""
    run_id = run_with_scores(store)
    with Recorder(store.folder(run_id)) as recorder:
        for cycle in range(5):
            recorder.save_adapters(cycle, {"x": np.zeros(3)}, {"cycle": cycle})
        recorder.update(phase="finished")
    return run_id


def test_why_says_whether_the_cut_took_what_mattered_least(open_page: Open, store: Store, run: str) -> None:
    measured(store, run, 4)
    app = open_page("why", run=run, cycle="4")
    assert "Did the cut take what mattered least?" in [s.value for s in app.subheader]
    assert "Kendall's τ" in texts(app).replace("\\", "")
    assert "100 validation images" in texts(app)
    assert len(app.get("vega_lite_chart")) == 4
    scores = next(table.value for table in app.dataframe if "kendall" in table.value)
    assert len(scores) == len({*scores["score"]}) > 10


def test_a_cut_that_was_not_measured_says_so_and_how_to_have_it(open_page: Open, store: Store, run: str) -> None:
    measured(store, run, 4)
    app = open_page("why", run=run, cycle="3")
    assert "was not measured" in texts(app)
    assert "prune.measure_damage" in texts(app).replace("\\", "")
    assert len(app.get("vega_lite_chart")) == 3


def test_unreadable_damage_is_one_message_and_the_rest_of_the_page_stays(
    open_page: Open, store: Store, run: str
) -> None:
    path_of(store.folder(run), 4).write_bytes(b"not a zip")
    app = open_page("why", run=run, cycle="4")
    assert len(app.error) == 1
    assert "cannot be read" in app.error[0].value
    assert len(app.get("vega_lite_chart")) == 3
    app = open_page("widths", run=run)
    assert "cannot be read" in app.warning[0].value
    assert app.get("plotly_chart")


def test_widths_tells_what_those_that_went_were_worth(open_page: Open, store: Store, run: str) -> None:
    assert "was not measured" in texts(open_page("widths", run=run))
    for cut in (1, 2, 3, 4):
        measured(store, run, cut)
    said = texts(open_page("widths", run=run)).replace("\\", "")
    assert "Gone means ranked low by this score, which does not show that a layer needs no adapter." in said
    assert "not measured" not in said


def test_bundled_examples_are_older_and_say_so(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(next(EXAMPLES.glob("*demo-global*")), tmp_path / "examples" / "example")
    app = open_page("why", run="example")
    assert "this example is older than prune.measure_damage" in texts(app).replace("\\", "")


def test_neurons_of_one_layer_are_measured_on_request(
    open_page: Open, store: Store, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = pretend(monkeypatch, ANSWERS)
    assert not [b for b in open_page("why", run=run, cycle="1").button if b.label == "Measure its neurons"]
    app = open_page("why", run=run, cycle="1", layer=SITE)
    button(app, "Measure its neurons").click().run()
    job = ended(pretended)
    app.run()
    assert job.stage == "50 % done"
    assert "neurons with a higher score were worth more" in texts(app)
    assert "50 validation images" in texts(app)
    assert len(app.get("vega_lite_chart")) == 4
    spec = json.loads(app.get("vega_lite_chart")[-1].proto.spec)
    assert spec["layer"][2]["encoding"]["shape"]["scale"]["domain"] == ["stays", "goes"]
    app.multiselect(key="address.layer").set_value(["layers.0.blocks.0.attn"]).run()
    assert button(app, "Measure its neurons"), "another layer is another question"


def test_while_neurons_are_measured_the_page_says_how_far_and_can_cancel(
    open_page: Open, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "import sys, time; print('stage: 7 % done', file=sys.stderr, flush=True); time.sleep(60)"
    pretended = pretend(monkeypatch, slow)
    app = open_page("why", run=run, cycle="1", layer=SITE)
    button(app, "Measure its neurons").click().run()
    (job,) = pretended._jobs.values()
    while not job.stage:
        assert job.state == "running"
        time.sleep(0.05)
    app.run()
    assert "7 % done" in texts(app).replace("\\", "")
    again = open_page("why", run=run, cycle="1", layer=SITE)
    assert "Switching off one neuron after the other" in texts(again), "a reload finds it"
    button(app, "Cancel").click().run()
    assert job.state == "cancelled"
    assert "Cancelled" in texts(app)
    assert button(app, "Try again")


def test_what_goes_wrong_is_told(open_page: Open, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for script, said in (
        ("import sys; sys.exit('error: the images are not here: get them')", "the images are not here"),
        ("print('{}')", "cannot be read"),
        (ANSWERS.replace("n = 64", "n = 3"), "of other neurons"),
    ):
        pretended = pretend(monkeypatch, script)
        app = open_page("why", run=run, cycle="1", layer=SITE)
        button(app, "Measure its neurons").click().run()
        ended(pretended)
        app.run()
        assert said in app.error[0].value.lower()


def test_who_may_only_look_cannot_have_neurons_measured(
    open_page: Open, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMI_READ_ONLY", "1")
    pretended = pretend(monkeypatch, ANSWERS)
    app = open_page("why", run=run, cycle="1", layer=SITE)
    assert button(app, "Measure its neurons").disabled
    assert not pretended._jobs


def test_without_the_weights_nothing_can_be_measured(open_page: Open, store: Store, run: str) -> None:
    (store.folder(run) / "cycles" / "0" / "adapters.safetensors").unlink()
    app = open_page("why", run=run, cycle="1", layer=SITE)
    assert "weights before cut 1 were not kept" in texts(app)
    assert not [b for b in app.button if b.label == "Measure its neurons"]
