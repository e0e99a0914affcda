"""Launch: the form and its address, the check, the data, and what a click starts."""

import io
import json
import re
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.launch import figures, words
from mimi_core.analysis.launch.tables import planned_cycles_table
from mimi_core.config import PRESETS, DataConfig, make_config, to_yaml
from mimi_core.config.methods import METHODS
from mimi_core.config.numbers import number_text, read_number
from mimi_core.config.settings import from_link, link, settings
from mimi_core.data import known
from mimi_core.data.intake.preview import Preview, Sample, preview
from mimi_core.errors import ConfigError
from mimi_core.runs.jobs import checking as precheck
from mimi_core.runs.jobs.check_report import CheckReport, CycleEstimate, KeptImages
from mimi_core.runs.store import Store
from pages.widgets import preset_words
from pages.widgets.setting_words import help_of, in_words
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE, ROOT, MakeRun, Open, button, texts
from tests.recorded import change_status, swin_sites


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


# --- the check --------------------------------------------------------------------------------------------------------

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


# --- the data ---------------------------------------------------------------------------------------------------------


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, "PNG")
    return file.getvalue()


def zipped(classes: dict[str, int]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, images in classes.items():
            for number in range(images):
                archive.writestr(f"{name}/{number}.png", png("red"))
    return file.getvalue()


def test_an_uploaded_zip_becomes_the_data(open_page: Open, store: Store) -> None:
    app = open_page("launch")
    app.file_uploader(key="dataset/zip").upload("bad.zip", b"no zip", "application/zip").run()
    assert "bad" in app.error[0].value
    assert "not a whole zip file" in app.error[0].value
    evil = "![p](e.example)"
    app.file_uploader(key="dataset/zip").upload("My <b>pets.zip", zipped({evil: 12, "dog": 6}), "application/zip").run()
    assert not app.error
    name = app.selectbox(key="launch.data.name").value
    folder = Path(name.removeprefix("folder:"))
    assert folder.parent == store.directory.parent / "datasets"
    assert app.number_input(key="launch.data.shots").value is None, "no class has 30 images"
    assert app.selectbox(key="launch.train.head").value == "probe", "and the training suits a few images of one's own"
    said = texts(app)
    assert f"18 images unpacked to {folder}" in said.replace("\\", "")
    assert f"a folder of its own in {folder.parent}," in said.replace("\\", "")
    assert "2 classes; 12 training images, 3 validation images and 3 test images of 8 × 6 pixels." in said
    assert "![p](" not in said
    app.run()
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_data_that_cannot_be_used_are_one_message_above_the_button(open_page: Open, tmp_path: Path) -> None:
    app = open_page("launch", set=[f"data.name=folder:{tmp_path}/nowhere"])
    (error,) = app.error
    assert "nowhere: no such folder" in error.value.replace("\\", "")
    (tmp_path / "nowhere").mkdir()
    button(app, "Look again").click().run()
    assert "has no class folders" in app.error[0].value


def test_the_form_suggests_what_is_here_and_tells_how_to_get_the_rest(open_page: Open, store: Store) -> None:
    for name in ("hf/me--mine", "hf/.me--half.half", "my-pets-0123abcd", "cifar-100-python", "vtab-1k/kitti"):
        (store.directory.parent / "datasets" / name).mkdir(parents=True)
    app = open_page("launch")
    suggested = app.selectbox(key="launch.data.name").options
    assert {"digits", "sprites-count", "cifar100", "vtab:kitti", "hf:me/mine"} <= set(suggested)
    assert [name for name in suggested if name.startswith(("folder:", "hf:"))] == [
        "hf:me/mine",
        f"folder:{store.directory.parent}/datasets/my-pets-0123abcd",
    ]
    assert not {"cifar10", "vtab:cifar", "domainnet:real"} & set(suggested)
    other = app.selectbox(key="dataset/other")
    assert len(other.options) + len(suggested) == len(known()), "all, and two folders for two templates"
    other.select("cifar10").run()
    assert "A run downloads it" in texts(app)
    button(app, "Use it").click().run()
    assert app.query_params["set"] in ("data.name=cifar10", ["data.name=cifar10"])
    assert not app.error
    assert "cifar-10-batches-py is not there" in app.warning[0].value.replace("\\", "")


def test_more_classes_than_fit_are_turned_page_by_page(open_page: Open, tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / "many" / f"class {number:02}").mkdir(parents=True)
        for image in range(3):
            (tmp_path / "many" / f"class {number:02}" / f"{image}.png").write_bytes(png("blue"))
    app = open_page("launch", set=[f"data.name=folder:{tmp_path}/many", "data.shots=null"])
    shown = [
        json.loads(chart.proto.spec)["layer"][0]["encoding"]["y"]["scale"]["domain"]
        for chart in app.get("vega_lite_chart")
    ]
    assert shown == [[f"class {number:02}" for number in range(10)]] * 2


def test_figures_of_a_dataset_say_what_it_holds() -> None:
    names = (HOSTILE, "b")
    made = Preview(
        names,
        {"train": (3, 1), "val": (1, 1), "test": (1, 2)},
        tuple(Sample(label, png("red"), (8, 6)) for label in (0, 0, 1)),
        grey=False,
        remarks=(),
    )
    samples = figures.samples_figure(made, list(names))
    hold_to_schema(samples)
    rows = samples["datasets"]["samples"].to_dict("records")
    assert [(row["class"], row["place"], row["size"]) for row in rows] == [
        (HOSTILE, 0, "8 × 6"), (HOSTILE, 1, "8 × 6"), ("b", 0, "8 × 6"),
    ]  # fmt: skip
    assert all(row["image"].startswith("data:image/png;base64,") for row in rows)
    balance = figures.balance_figure(made, ["b"])
    hold_to_schema(balance)
    assert list(balance["datasets"]["sums"]["told"]) == ["1 + 1 + 2"]
    assert {name for table in balance["datasets"].values() for name in table["class"]} == {"b"}
    hold_to_schema(figures.samples_figure(preview(DataConfig(), classes=0), []))


# --- words ------------------------------------------------------------------------------------------------------------


def test_the_numbers_of_presets_are_those_of_their_configs() -> None:
    for preset in ("demo", "quick"):
        config = make_config(preset=preset)
        told = f"{config.data.shots} images of every digit, {len(config.kept_shares)} cuts"
        assert told in preset_words.about(preset)
    smaller = make_config(preset="demo", sets=["data.shots=1", "prune.rho=0.9"])
    assert preset_words.size(smaller) == f"1 image of every digit, {len(smaller.kept_shares)} cuts"
    assert all(preset_words.about(preset) for preset in PRESETS)


def test_the_readme_took_as_long_for_the_demo_as_the_pages_say() -> None:
    (seconds,) = re.findall(r"One demo run takes (\d+) s here", (ROOT / "README.md").read_text())
    low, high = preset_words.DEMO_SECONDS
    assert low <= int(seconds) <= high


def test_the_help_of_a_setting_is_the_schemas_and_names_every_method_that_uses_it() -> None:
    assert help_of("prune.scope") == f"{settings()['prune.scope'].help}."
    assert help_of("data.shots").endswith("; empty: all of them.")
    for path in ("peft.rank", "peft.alpha", "peft.prompts"):
        named = settings()[path].help.partition(":")[0].removeprefix("of ").split(", ")
        assert named == [name for name, method in METHODS.items() if method.claims(path)]
