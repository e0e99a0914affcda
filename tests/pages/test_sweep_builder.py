"""The sweep builder: what a question makes, what a click queues, and what is told instead."""

import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.config import make_config
from mimi_core.runs.jobs.check_report import CheckReport
from mimi_core.runs.store import Store
from mimi_core.sweeps.sweep import expand, make_sweep
from tests.pages.opening import HOSTILE, MakeRun, Open, button, texts

QUICK = make_config(preset="quick")


@pytest.fixture
def builder(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The builder alone, on the preset `quick`, with another learning rate than the preset's."""
    monkeypatch.setattr("pages.widgets.menu.pages", dict)
    monkeypatch.setenv("MIMI_SLOTS", "cpu")

    def page() -> None:
        from mimi_core.config import make_config
        from pages.widgets.sweep_builder import sweep_builder

        sweep_builder("quick", make_config(preset="quick", sets=["train.lr=0.02", "seed=5"]))

    return AppTest.from_function(page, default_timeout=20)


def command(app: AppTest) -> str:
    return next(code.value for code in app.code if code.value.startswith("python"))


def numbers(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_a_question_is_queued_once_and_more_seeds_are_added(builder: AppTest, store: Store, make_run: MakeRun) -> None:
    make_run(QUICK)
    app = builder.run()
    assert not app.exception
    assert (numbers(app)["Runs"], numbers(app)["Expected time"]) == ("6", "4 min 30 s")
    assert "1 finished run of the same method" in texts(app)
    button(app, "Queue 6 runs").click().run()
    assert not app.exception
    runs = [run for run in store.list() if run.group == "local-vs-global"]
    assert sorted({(run.name, run.seed, run.phase) for run in runs}) == [
        (f"scope={scope}", seed, "queued") for scope in ("global", "local") for seed in (0, 1, 2)
    ]
    assert {store.config(run.id).train.lr for run in runs} == {0.02}
    assert (numbers(app)["Waiting or running"], numbers(app)["To start"]) == ("6", "0")
    assert button(app, "Nothing to queue").disabled
    app.number_input(key="sweep.seeds").set_value(4).run()
    assert numbers(app)["To start"] == "2"
    sets = ["preset=quick", "base.train.lr=0.02", "seeds=4"]
    assert command(app) == "python -m mimi_core sweep --preset local-vs-global " + " ".join(f"--set {s}" for s in sets)
    assert {c.model_dump_json() for c in expand(make_sweep(None, "local-vs-global", sets)) if c.seed < 3} == {
        store.config(run.id).model_copy(update={"versions": {}}).model_dump_json() for run in runs
    }


def test_settings_of_ones_own_and_every_mistake_in_one_line(builder: AppTest, store: Store, make_run: MakeRun) -> None:
    make_run(QUICK)
    app = builder.run()
    app.selectbox(key="question").set_value("my own").run()
    assert "Choose at least one setting" in app.info[0].value
    app.multiselect(key="vary").set_value(["prune.rho", "prune.scope"]).run()
    assert numbers(app)["Runs"] == "6", "the form's rho and both scopes"
    rho = app.text_input(key="sweep.prune.rho")
    for typed, told in {
        "": "has no values",
        "0.5, 0.5": "is there twice",
        "0.5, 1.5": "prune.rho=1.5",
        "0.5, [": "not valid YAML",
        HOSTILE: "prune.rho",
    }.items():
        rho.set_value(typed).run()
        assert not app.exception
        (error,) = app.error
        assert told in error.value.replace("\\", "")
        assert "![p](" not in error.value
        assert not app.button
    rho.set_value("0.25, 0.5").run()
    app.text_input(key="sweep.rho-scope.name").set_value("a: b").run()
    assert "'grid.prune.rho=[0.25, 0.5]'" in command(app)
    button(app, "Queue 12 runs").click().run()
    assert {run.group for run in store.list()} == {"", "a: b"}


def test_what_cannot_run_is_told_and_nothing_is_queued(
    builder: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [CheckReport(ok=True, seconds=62, start_seconds=2), CheckReport(ok=False, error=HOSTILE)]
    monkeypatch.setattr("pages.widgets.acting.check_all", lambda configs: [answers.pop() for _ in configs])
    app = builder.run()
    assert numbers(app)["Expected time"] == "unknown"
    button(app, "Queue 6 runs").click().run()
    assert "scope=global would fail" in app.error[0].value.replace("\\", "")
    assert "![p](" not in app.error[0].value
    assert store.list() == []
    button(app, "Check and estimate").click().run()
    assert numbers(app)["Expected time"] == "6 min 24 s"
    assert "timed a few batches" in texts(app)
    assert store.list() == []


def test_a_failed_run_is_tried_again_only_when_asked(builder: AppTest, store: Store, make_run: MakeRun) -> None:
    sweep = make_sweep(None, "local-vs-global", ["preset=quick", "base.train.lr=0.02"])
    configs = expand(sweep)
    for config in configs[:-1]:
        make_run(config)
    failed = make_run(configs[-1], outcome="failed", cuts=1)
    app = builder.run()
    assert button(app, "Nothing to queue").disabled
    assert list(app.dataframe[0].value["seed 2"]) == ["89.0 %", "failed"]
    button(app, "Try 1 failed again").click().run()
    assert store.summary(failed).phase == "queued"


def test_a_folder_that_cannot_be_written_is_one_message(
    builder: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.directory.write_text("a file where the folder should be")
    app = builder.run()
    assert not app.exception
    assert "cannot read" in app.error[0].value


def test_a_link_opens_the_question_and_what_was_queued_is_linked(
    open_page: Open, store: Store, make_run: MakeRun
) -> None:
    make_run(QUICK)
    app = open_page("launch", kind="Sweep", preset="quick", question="rho")
    assert app.selectbox(key="question").value == "rho"
    button(app, "Queue 12 runs").click().run()
    assert not app.exception
    links = {link.proto.label: link.proto.query_string for link in app.get("page_link")}
    assert {label: links.get(label) for label in ("The runs", "Compare them")} == {
        "The runs": "group=rho",
        "Compare them": "group=rho",
    }
    assert {run.phase for run in store.list() if run.group == "rho"} == {"queued"}
