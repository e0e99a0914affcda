"""Predict: a picture of one's own, asked about in a process that may fail, be slow or be cancelled."""

import base64
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from mimi_core.analysis.predictions import likeness
from mimi_core.errors import ResourceError
from mimi_core.runs.jobs import job as jobs
from mimi_core.runs.store import Store
from tests.pages.asking import ended, pretend
from tests.pages.gallery import NAMES, predicted
from tests.pages.opening import MakeRun, Open, button, texts


def uploaded(app: AppTest, content: bytes | None = None) -> AppTest:
    content = base64.b64decode(png()) if content is None else content
    app.file_uploader(key="predict_file").set_value(("<b>mine</b>.png", content, "image/png"))
    return app.run()


def answering(answer: dict[str, object] | str) -> str:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return f"import sys; assert open(sys.argv[3], 'rb').read(4) == b'\\x89PNG'; print('warming up'); print({text!r})"


def png() -> str:
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_picture_is_asked_about_once_and_answered(
    open_page: Open, store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [
        {"cycle": 0, "probabilities": [0.1, 0.7, 0.2]},
        {"cycle": 1, "error": "its file is **broken**"},
        {"cycle": 2, "probabilities": [0.8, 0.1, 0.1]},
        {"cycle": 3, "probabilities": [1.0]},
    ]
    answer = {"ok": True, "class_names": NAMES, "cycles": said, "seen": png(), "image_size": 64}
    pretended = pretend(monkeypatch, answering(answer))
    app = uploaded(open_page("predict", run=predicted(store, make_run).name))
    assert "asking every cycle" in app.info[0].value
    assert button(app, "Cancel")
    ended(pretended)
    app.run()
    assert not app.exception
    assert "Taken for dog at the start, for cat from cut 2 on" in texts(app).replace("\\", "")
    assert "Cycle 1 cannot answer: its file is \\*\\*broken" in app.warning[0].value
    assert "What the run's images look like" in texts(app)
    assert "unlike all of them" in app.warning[1].value, "a black picture among coloured noise"
    assert "it is grey, they have colours" in app.warning[1].value.replace("\\", "")
    assert len(app.get("vega_lite_chart")) == 4
    assert len(pretended._jobs) == 1


def test_a_picture_that_is_none_is_one_message_and_can_be_asked_again(
    open_page: Open, store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = """'{"ok": false, "error": "' + sys.argv[3] + ': not a readable image"}'"""
    script = f"import sys; print({answer}); sys.exit(1)"
    pretended = pretend(monkeypatch, script)
    app = uploaded(open_page("predict", run=predicted(store, make_run).name))
    first = ended(pretended)
    app.run()
    assert app.error[0].value.replace("\\", "") == "<b>mine</b>.png: not a readable image."
    button(app, "Ask the models").click().run()
    assert ended(pretended) is not first
    assert not first.folder.exists()


def test_what_is_no_picture_is_refused_before_anything_is_loaded(
    open_page: Open, store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = pretend(monkeypatch, "raise SystemExit")
    app = uploaded(open_page("predict", run=predicted(store, make_run).name), b"no picture")
    assert "mine" in app.error[0].value
    assert not app.exception
    assert not pretended._jobs, "no process, no torch, no backbone"
    assert "Ask the models" not in [b.label for b in app.button]


def test_a_picture_is_held_against_the_images_of_the_run() -> None:
    rng = np.random.default_rng(0)
    digits = np.zeros((32, 16, 16, 3), np.uint8)  # light on dark, grey
    digits[:, 4:12, 5:11] = rng.integers(100, 255, (32, 8, 6, 1), np.uint8)
    assert likeness.unlike(digits[3], digits) == ""
    assert "its edge is lighter than theirs" in likeness.unlike(255 - digits[3], digits)
    red = digits[3].copy()
    red[..., 1:] = 0
    assert "it has colours, they are grey" in likeness.unlike(red, digits)
    assert "less contrast" in likeness.unlike(np.full_like(digits[0], 60), digits)


def test_a_question_can_be_cancelled(
    open_page: Open, store: Store, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended = pretend(monkeypatch, "import time; time.sleep(60)")
    app = uploaded(open_page("predict", run=predicted(store, make_run).name))
    button(app, "Cancel").click().run()
    assert ended(pretended).state == "cancelled"
    app.run()
    assert app.info[0].value == "Cancelled."
    assert button(app, "Ask the models")


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_what_goes_wrong_with_a_job_is_told() -> None:
    def run(script: str, timeout: float = 60) -> jobs.Job:
        kept = jobs.Jobs([sys.executable, "-S", "-c", script])
        kept.start("it", lambda folder: [], timeout)
        return ended(kept)

    assert jobs.answer(run("raise ValueError('no such thing')")).error == "ValueError: no such thing"
    assert jobs.answer(run("import sys; sys.exit('error: there is no run')")).error == "there is no run"
    assert jobs.answer(run("print('[]'); print('x')")).error == "it said nothing"
    assert "took longer than 0 s" in str(jobs.answer(run("import time; time.sleep(60)", timeout=0)).error)


def test_jobs_are_few_and_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_KEPT", 1)
    slow = jobs.Jobs([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    nothing: Callable[[Path], list[str]] = lambda folder: []  # noqa: E731
    one, two = slow.start(1, nothing, 60), slow.start(2, nothing, 60)
    assert slow.start(1, nothing, 60) is one
    with pytest.raises(ResourceError, match="try again"):
        slow.start(3, nothing, 60)
    one.end()
    two.end()
    three = slow.start(3, nothing, 60)
    assert slow.get(1) is None
    assert not one.folder.exists()
    assert two.folder.exists()
    three.forget()
    assert not three.folder.exists()
