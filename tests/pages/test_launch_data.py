"""The data of a run on Launch: uploads, what is here, what they hold."""

import io
import json
import re
import zipfile
from pathlib import Path

from PIL import Image

from mimi_core.analysis.launch import figures
from mimi_core.config import PRESETS, DataConfig, make_config
from mimi_core.config.methods import METHODS
from mimi_core.config.settings import settings
from mimi_core.data import known
from mimi_core.data.intake.preview import Preview, Sample, preview
from mimi_core.runs.store import Store
from pages.widgets import preset_words
from pages.widgets.setting_words import help_of
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE, ROOT, Open, button, texts


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
