"""Launch: the form, the check, and what a click starts."""

import json
from types import SimpleNamespace

import pytest

from mimi_core.runs.store import Store
from tests.app.opening import HOSTILE, Open, button


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
    button(app, "Launch").click().run()
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
