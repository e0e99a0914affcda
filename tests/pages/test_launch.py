"""Launch: the form and its address, the check, the data, and what a click starts."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mimi_core.config import PRESETS, make_config, to_yaml
from mimi_core.config.numbers import number_text, read_number
from mimi_core.config.settings import from_link, link
from mimi_core.errors import ConfigError
from mimi_core.runs.store import Store
from pages.widgets.setting_words import in_words
from tests.pages.opening import HOSTILE, MakeRun, Open, button, texts
from tests.recorded import change_status


def command(app: AppTest) -> str:
    return next(code.value for code in app.code if code.value.startswith("python"))


# --- the form and its address -----------------------------------------------------------------------------------------


def test_edits_are_in_the_config_the_command_and_the_address(open_page: Open, store: Store) -> None:
    app = open_page("launch", preset="quick")
    app.number_input(key="launch.train.epochs").set_value(3)
    app.selectbox(key="launch.adapter.placement").set_value("parallel")
    app.run()
    sets = ["adapter.placement=parallel", "train.epochs=3"]
    assert command(app) == "python -m mimi_core run --preset quick --set " + " --set ".join(sets)
    assert (app.query_params["preset"], app.query_params["set"]) == ("quick", sets)
    assert any(expander.label == "All other settings: 1 changed" for expander in app.expander)

    app.segmented_control(key="launch.preset").set_value("demo").run()
    assert app.number_input(key="launch.train.epochs").value == 12
    assert "set" not in app.query_params

    app.query_params.update(preset="quick", set=sets)  # the way back in the browser
    app.run()
    assert app.number_input(key="launch.train.epochs").value == 3
    button(app, "Launch").click().run()
    config = store.config(store.list()[0].id)
    assert (config.train.epochs, config.adapter.placement) == (3, "parallel")
    assert app.query_params["run"] == store.list()[0].id

    app.switch_page("pages/launch.py").run()  # from the menu
    assert app.number_input(key="launch.train.epochs").value == 3


def test_an_edit_counts_more_than_an_address_that_lags_behind(open_page: Open, store: Store) -> None:
    """As when somebody types faster than the browser and the server talk."""
    app = open_page("launch", preset="quick")
    app.number_input(key="launch.seed").set_value(5).run()
    app.query_params.clear()
    app.query_params["preset"] = "quick"
    app.number_input(key="launch.train.epochs").set_value(2).run()
    assert app.query_params["set"] == ["train.epochs=2", "seed=5"]
    app.query_params.pop("set")
    button(app, "Launch").click().run()
    assert store.config(store.list()[0].id).seed == 5


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"preset": HOSTILE}, "unknown preset"),
        ({"set": ["prune.rho=2", "train.epoch=1"]}, "'epochs'"),
    ],
)
def test_a_bad_link_is_said_and_shows_the_preset(open_page: Open, query: dict[str, object], says: str) -> None:
    app = open_page("launch", **query)
    (warning,) = app.warning
    assert says in warning.value.replace("\\", "")
    assert "![p](" not in texts(app)
    assert app.text_input(key="launch.prune.rho").value == "0.5"
    assert "set" not in app.query_params


def test_wrong_values_are_said_in_a_line_each_and_start_nothing(open_page: Open, store: Store) -> None:
    app = open_page("launch")
    app.text_input(key="launch.prune.rho").set_value("1.5")
    app.number_input(key="launch.train.epochs").set_value(0).run()
    rho, epochs = (error.value.replace("\\", "") for error in app.error)
    assert rho.startswith("**Cut per cycle, ρ** (prune.rho): input should be less than 1")
    assert "**Epochs per cycle** (train.epochs)" in epochs
    for label in ("Launch", "Check before launch"):
        assert button(app, label).disabled
    assert button(app, "Launch").help == "First mend Cut per cycle, ρ, Epochs per cycle."
    assert "The data" in [s.value for s in app.subheader], "the rest stays"
    assert "10 classes" in texts(app)
    app.button_group(key="kind").set_value("Sweep").run()
    assert next(b for b in app.button if b.label.startswith("Queue")).disabled
    assert store.list() == []


@pytest.mark.parametrize(
    ("typed", "read"), [("0,005", 0.005), ("1e-3", 0.001), (" .02 ", 0.02), ("5E-4", 5e-4), ("2", 2.0)]
)
def test_a_number_is_read_as_it_was_meant(open_page: Open, typed: str, read: float) -> None:
    app = open_page("launch")
    app.text_input(key="launch.train.lr").set_value(typed).run()
    assert not app.error
    assert read_number(typed) == read
    assert make_config(preset="demo", sets=command(app).split(" --set ")[1:]).train.lr == read


@pytest.mark.parametrize("typed", ["abc", "", "1.000,5", "0.0.5", "nan", "inf", "1,000", "٣"])
def test_what_is_no_number_is_refused_with_a_word(open_page: Open, store: Store, typed: str) -> None:
    app = open_page("launch")
    app.text_input(key="launch.train.lr").set_value(typed).run()
    (error,) = app.error
    assert error.value.startswith("**Learning rate** (train")
    assert button(app, "Launch").disabled
    app.text_input(key="launch.train.lr").set_value("0.01").run()
    assert not button(app, "Launch").disabled


@pytest.mark.parametrize("number", [0.1, 5e-5, 1e16, 64.0, 1 / 3])
def test_a_number_that_was_written_is_read_again(number: float) -> None:
    assert read_number(number_text(number)) == number


def test_another_preset_keeps_the_data_that_were_chosen_and_says_so(open_page: Open, tmp_path: Path) -> None:
    app = open_page("launch", preset="demo", set=["data.name=sprites-count", "data.shots=null", "train.epochs=3"])
    app.button_group(key="launch.preset").set_value("quick").run()
    config = from_link("quick", app.query_params["set"])
    assert (config.data.name, config.data.shots) == ("sprites-count", None)
    assert config.train.epochs == make_config(preset="quick").train.epochs
    assert "The data stayed as they were: sprites" in texts(app).replace("\\", "")


def test_a_run_that_failed_opens_in_the_form_with_its_error_at_the_field(
    open_page: Open, make_run: MakeRun, store: Store
) -> None:
    config = make_config(preset="quick", sets=["train.lr=9", "train.weight_decay=0.5"])
    run_id = make_run(config, cuts=0, outcome="failed")
    why = "training diverged: the loss is nan in epoch 1; lower train.lr (now 9)"
    change_status(store, run_id, message=why)
    app = open_page("monitor", run=run_id)
    main = [b.label for b in app.button if b.proto.type == "primary"]
    assert main == ["Open in Launch"]
    app = button(app, "Open in Launch").click().run()
    assert app.query_params["failed"] == run_id
    assert from_link("quick", app.query_params["set"]) == config.model_copy(update={"versions": {}})
    said = texts(app).replace("\\", "")
    assert f":red[:material/error: {why}]" in said
    assert "which failed: training diverged" in said
    app = open_page("launch", **dict(app.query_params))
    assert "diverged" in texts(app)
    app.text_input(key="launch.train.lr").set_value("0.001").run()
    assert "diverged" not in texts(app)


def test_messages_use_the_words_of_the_form() -> None:
    assert in_words("lower train.lr (now 9) or data/train.lr.txt").replace("\\", "") == (
        "lower **Learning rate** (train.lr) (now 9) or data/train.lr.txt"
    )
    assert in_words("train.weight_decay: no").replace("\\", "") == "**Weight decay** (train.weight_decay): no"
    assert "![p](" not in in_words(HOSTILE)


def test_epochs_are_those_of_a_cycle_only_where_there_are_cycles(open_page: Open) -> None:
    app = open_page("launch", preset="quick")
    for key, value, label in (
        ("prune.schedule", "anneal", "Epochs"),
        ("prune.schedule", "cycles", "Epochs per cycle"),
        ("method", "linear", "Epochs"),
    ):
        app.selectbox(key=f"launch.{key}").set_value(value).run()
        assert app.number_input(key="launch.train.epochs").label == label
        assert app.number_input(key="launch.train.epochs").value == 5


def test_what_plays_no_part_is_greyed_out_by_what_is_chosen(open_page: Open) -> None:
    test = open_page("launch", preset="demo", set=["prune.schedule=anneal"])
    assert not test.number_input(key="launch.prune.every").disabled
    assert test.text_input(key="launch.prune.rho").disabled
    test.selectbox(key="launch.prune.schedule").set_value("cycles").run()
    assert test.number_input(key="launch.prune.every").disabled
    assert not test.text_input(key="launch.prune.rho").disabled
    assert "**LoRA**: A product of two thin matrices" in test.selectbox(key="launch.method").help
    test.selectbox(key="launch.method").set_value("lora").run()
    assert not test.number_input(key="launch.peft.rank").disabled
    assert test.text_input(key="launch.prune.rho").disabled
    assert not test.exception


def test_a_config_fills_the_form(open_page: Open) -> None:
    app = open_page("launch")
    for text, error in (("method: mimy\nprune: {rho: 3}", ["method", "prune.rho"]), ("[" * 50, ["the config"])):
        app.text_area(key="launch.text").set_value(text).run()
        button(app, "Fill the form").click().run()
        assert [e.value.replace("\\", "").split(":")[0].split(" is")[0] for e in app.error] == error
    wanted = make_config(preset="quick", sets=["method=linear", "train.weight_decay=0.25", "data.max_eval=null"])
    app.text_area(key="launch.text").set_value(to_yaml(wanted)).run()
    button(app, "Fill the form").click().run()
    assert not app.error
    assert app.query_params["preset"] == "quick"
    assert from_link("quick", app.query_params["set"]) == wanted


def test_a_folder_that_cannot_be_written_is_one_message(open_page: Open, store: Store) -> None:
    store.directory.write_text("a file where the folder should be")
    app = open_page("launch")
    button(app, "Launch").click().run()
    assert not app.exception
    assert any("cannot write" in error.value for error in app.error)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_link_gives_the_config_again(preset: str) -> None:
    values = {"prune": {"scope": "local"}, "data": {"name": "folder:/a b/'c\": d"}, "name": "two\nlines"}
    config = make_config(values, preset=preset)
    made = link(config)
    assert made["preset"] == preset
    assert from_link(made["preset"], made["set"]) == config


def test_a_link_is_no_way_to_hurt() -> None:
    for sets in (
        ["seed=" + "[" * 400],
        ["seed=&a [x, *a]"],
        ["data={name: &a [x, *a]}"],
        ["seed=2001-99-99"],
        ["seed=" + "0" * 500],
        ["seed=1"] * 101,
    ):
        with pytest.raises(ConfigError):
            from_link("demo", sets)
    for name in ("&a [x, *a]", "2001-99-99", "!!python/object/apply:os.getcwd []"):
        assert from_link("demo", [f"name={name}"]).name == name  # a text, and nothing is made of it
