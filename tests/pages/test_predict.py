"""Predict: where predictions flip from cut to cut, from files that may hold anything, and pictures of one's own."""

import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest

from mimi_core.analysis.predictions import figures as gallery_figures
from mimi_core.analysis.predictions import tables as gallery
from mimi_core.config import make_config
from mimi_core.errors import RunError
from mimi_core.runs.formats.gallery import gallery_path, predictions_path, read_gallery, read_probabilities
from mimi_core.runs.store import Store
from tests.pages.gallery import COURSES, NAMES, predicted, probabilities
from tests.pages.opening import HOSTILE, MakeRun, Open, texts


def tables(courses: Sequence[str] = COURSES) -> tuple[pd.DataFrame, pd.DataFrame, list[int]]:
    said = probabilities(courses)
    cycles = list(range(len(said)))
    cells = gallery.cells_table(said, cycles, [0] * len(courses), NAMES)
    return cells, gallery.images_table(cells), cycles


# --- tables and words -------------------------------------------------------------------------------------------------


def test_who_flips_is_lost_and_won() -> None:
    cells, images, cycles = tables()
    assert list(images["flips"]) == [0, 2, 2, 0, 1, 4]
    assert gallery.chosen(images, "flips") == [5, 2, 1, 4], "most flips first, then the earliest"
    assert gallery.chosen(images, "wrong") == [1, 3]
    assert gallery.chosen(images, "lost") == [1]
    assert gallery.chosen(images, "won") == [5, 4]
    assert gallery.choices(images, len(cycles)) == {"flips": 4, "wrong": 2, "lost": 1, "won": 2, "all": 6}
    assert gallery.cuts_table(cells).to_dict("list") == {
        "cycle": [1, 2, 3, 4],
        "lost": [1, 1, 1, 0],
        "won": [1, 2, 0, 1],
        "back": [0, 1, 0, 1],
    }


def test_the_course_is_told() -> None:
    cells, images, cycles = tables()
    assert gallery.title(images, cycles) == "The prediction flips for 4 of 6 test images"
    assert (
        gallery.sentence(images, cells, 4)
        == "Of 6 test images, 1 is right from start to end and 1 never. Cuts 1, 2 and 3 lost 3; cuts 1, 2 and 4 won 4."
    )
    cells, images, cycles = tables(["010", "000", "000"])
    assert gallery.sentence(images, cells, 2).endswith("Cut 1 lost 1; cut 2 won 1 back.")
    cells, images, cycles = tables(["000", "111"])
    assert gallery.title(images, cycles) == "No prediction flips: all 2 test images keep theirs"
    assert gallery.sentence(images, cells, 2).endswith("No cut changed that.")
    cells, images, cycles = tables(["0", "1", "0"])
    assert gallery.title(images, cycles) == "2 of 3 test images are right"
    assert "makes no cuts" in gallery.sentence(images, cells, 0)
    assert "yet" in gallery.sentence(images, cells, 2)
    assert gallery.choices(images, 1) == {"wrong": 1, "all": 3}


def test_one_image_is_told_in_words_and_shares() -> None:
    said = probabilities(["00122"])[:, 0]
    told = gallery.course_in_words(said, range(5), NAMES)
    assert told == "Taken for cat at the start, for dog from cut 2 on and owl from cut 3 on."
    assert gallery.course_in_words(said[:2], range(2), NAMES) == "Taken for cat in every cycle."
    shares = gallery.shares_table(said, range(5), NAMES, truth=1)
    assert list(dict.fromkeys(shares["label"])) == ["dog", "cat", "owl"]
    assert shares.groupby("cycle")["probability"].sum().tolist() == pytest.approx([1] * 5)
    many = np.full((2, 50), 0.02)
    shares = gallery.shares_table(many, [0, 3], ["same"] * 49 + [""], truth=49)
    assert len(shares) == 2 * (gallery.TOP_CLASSES + 1)
    assert shares["label"].nunique() == gallery.TOP_CLASSES + 1, "labels can be told apart"
    assert shares.iloc[0]["kind"] == "truth"
    assert shares.groupby("cycle")["probability"].sum().tolist() == pytest.approx([1, 1])


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("names", "cycles"), [(NAMES, 1), (["a very long class name"] * 3, 9)], ids=["few", "many"])
def test_the_figures_draw_every_shape(names: list[str], cycles: int) -> None:
    said = probabilities(["010101010"[:cycles]] * 3)
    cells = gallery.cells_table(said, range(cycles), [0] * 3, names)
    pictures = pd.DataFrame({"image": range(3), "url": "data:,", "truth": names[0]})
    figure = gallery_figures.grid_figure(cells, pictures, ["2 of 3 right"] * cycles, dark=True, picked=1)
    alt.LayerChart.from_dict(figure)  # which tells what is no Vega-Lite
    assert figure["height"] == 3 * gallery_figures.row_height(3)
    crowded = gallery_figures.grid_width(cells, pictures) > gallery_figures.MOST_WIDE
    assert crowded == (cycles == 9)
    assert ("sure" in json.dumps(figure["layer"][0]["layer"])) != crowded
    shares = gallery_figures.shares_figure(gallery.shares_table(said[:, 0], range(cycles), names, 0), width=400)
    alt.LayerChart.from_dict(shares)


# --- files that cannot be trusted -------------------------------------------------------------------------------------


def written(path: Path, arrays: dict[str, np.ndarray | bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            made = io.BytesIO()
            if isinstance(values, np.ndarray):
                np.save(made, values, allow_pickle=True)
            archive.writestr(f"{name}.npy", values if isinstance(values, bytes) else made.getvalue())


def huge_header() -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)})
    return made.getvalue()


def test_what_is_wrong_with_the_gallery_is_one_error(store: Store, make_run: MakeRun) -> None:
    folder = predicted(store, make_run)
    whole = dict(np.load(gallery_path(folder)))
    changes: list[dict[str, np.ndarray | bytes]] = [
        {"index": whole["index"][:-1]},
        {"index": np.zeros(6, np.int64)},
        {"index": -whole["index"]},
        {"index": np.array([{}] * 6, dtype=object)},
        {"label": whole["label"].astype(float)},
        {"label": whole["label"] - 1},
        {"images": whole["images"][:, :, :, 0]},
        {"images": whole["images"].astype(np.uint16)},
        {"images": whole["images"][:, :, :60]},
        {"images": np.zeros((6, 300, 300, 3), np.uint8)},
        {"images": huge_header()},
        {"images": b"\x93NUMPY" + bytes(1_000_000)},
        {"images": b""},
    ]
    for change in changes:
        written(gallery_path(folder), whole | change)
        with pytest.raises(RunError, match="gallery"):
            read_gallery(folder)
    written(gallery_path(folder), {**whole, "label": whole["label"] + 3})
    with pytest.raises(RunError, match="classes that the run does not have"):
        gallery.read_predictions(folder, store.state(folder.name))
    for content in (b"", b"PK", bytes(1000)):
        gallery_path(folder).write_bytes(content)
        with pytest.raises(RunError, match="cannot be read"):
            read_gallery(folder)


def test_what_is_wrong_with_predictions_is_one_error(store: Store, make_run: MakeRun) -> None:
    folder = predicted(store, make_run)
    path, shown = predictions_path(folder, 2), read_gallery(folder)
    whole = dict(np.load(path))
    said = whole["probabilities"]
    for change in (
        {"index": whole["index"][::-1]},
        {"probabilities": said[:, :2]},
        {"probabilities": said[0]},
        {"probabilities": said * np.nan},
        {"probabilities": said - 1},
        {"probabilities": said * 2},
        {"probabilities": (said * 100).astype(int)},
        {"probabilities": said.astype(object)},
    ):
        written(path, whole | change)
        with pytest.raises(RunError, match="predictions of cycle 2"):
            read_probabilities(folder, 2, shown, 3)
    seen = gallery.read_predictions(folder, store.state(folder.name))
    assert seen.cycles == [0, 1, 3, 4]
    assert len(seen.problems) == 1


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_flips(open_page: Open, store: Store, make_run: MakeRun) -> None:
    folder = predicted(store, make_run)
    app = open_page("predict", run=folder.name)
    assert app.title[0].value == "The prediction flips for 4 of 6 test images"
    assert app.selectbox(key="address.image").value == 53
    assert len(app.get("vega_lite_chart")) == 2
    app.button_group(key="address.show").set_value("lost").run()
    assert (app.query_params["show"], app.selectbox(key="address.image").options) == ("lost", ["Test image 13 · cat"])
    app.query_params.clear()
    app.query_params["image"] = "33"
    app.run()
    assert app.button_group(key="address.show").value == "all", "an image that does not flip is shown all the same"
    assert app.selectbox(key="address.image").value == 33
    app.selectbox(key="address.image").set_value(43).run()
    assert app.query_params["image"] == "43"
    app.query_params.update(image=HOSTILE, show="²")
    assert app.run().selectbox(key="address.image").value == 53


def test_a_broken_cycle_is_a_missing_column_and_a_broken_gallery_one_message(
    open_page: Open, store: Store, make_run: MakeRun
) -> None:
    folder = predicted(store, make_run)
    predictions_path(folder, 3).write_bytes(b"PK")
    app = open_page("predict", run=folder.name)
    assert "One column is missing" in app.warning[0].value
    assert "flips for 4" in app.title[0].value
    gallery_path(folder).write_bytes(b"PK")
    app = open_page("predict", run=folder.name)
    assert app.title[0].value == "No predictions to show"
    assert len(app.error) == 1
    assert app.file_uploader


def test_without_predictions_the_page_says_what_comes(open_page: Open, store: Store, make_run: MakeRun) -> None:
    assert open_page("predict", run=store.create(make_config(preset="demo"))).title[0].value == "No predictions yet"
    folder = predicted(store, make_run, courses=["0", "1", "0"], cuts=0)
    app = open_page("predict", run=folder.name)
    assert app.title[0].value == "2 of 3 test images are right"
    assert app.button_group(key="address.show").options == ["Wrong at the end · 1", "All · 3"]
    shutil.rmtree(folder / "cycles")
    app = open_page("predict", run=folder.name)
    assert app.title[0].value == "No predictions to show"
    assert not app.file_uploader


def test_hostile_class_names_are_shown_as_written(open_page: Open, store: Store, make_run: MakeRun) -> None:
    folder = predicted(store, make_run, names=[HOSTILE, "![p](http://e)", "{{constructor}}"])
    app = open_page("predict", run=folder.name)
    assert "![p](" not in texts(app)
    assert "<img" not in texts(app).replace("\\<img", "")
    for chart in app.get("vega_lite_chart"):
        assert not [text for text in expressions(json.loads(chart.proto.spec)) if "http" in text or "const" in text]


def expressions(spec: object, key: str = "") -> list[str]:
    """All that Vega would run or open, of a chart's specification."""
    if isinstance(spec, dict):
        return [text for name, part in spec.items() for text in expressions(part, name)]
    if isinstance(spec, list):
        return [text for part in spec for text in expressions(part, key)]
    runs = {"test", "filter", "calculate", "expr", "labelExpr", "href"}
    return [spec] if isinstance(spec, str) and key in runs else []
