"""Still pictures: they show what the charts of the pages show, need nothing, and hold no more than what is seen."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from mimi_core.analysis.common import svg
from mimi_core.analysis.common.static import picture
from mimi_core.analysis.common.statistics import DIFFERENCES, SHARES, of_setting
from mimi_core.analysis.common.svg import Element
from mimi_core.analysis.common.tables import cycles_table, widths_table
from mimi_core.analysis.common.theme import GAIN, LOST, SECOND, level
from mimi_core.analysis.compare.design import Levels
from mimi_core.analysis.monitor.curves import TRAINING, accuracy_chart, curves_table, loss_chart
from mimi_core.analysis.report import pictures
from mimi_core.analysis.widths.still import kept_chart, widths_chart
from mimi_core.config import make_config
from mimi_core.runs.events import RunState
from mimi_core.runs.store import Store
from mimi_core.study.evidence import contrast
from mimi_core.study.figures import curves_chart, differences_chart
from tests.analysis.vega import hold_to_schema
from tests.recorded import record, vit_sites

ROOT = Path(__file__).parents[2]
HOSTILE = "</text><script>alert(1)</script>\x00\u202e<img src=x onerror=y> url(http://e.x/) ${a} datum.b"


@pytest.fixture
def state(store: Store) -> RunState:
    return store.state(record(store, make_config(preset="demo")))


def shapes(drawn: Element, tag: str, **looks: str) -> list[Element]:
    return [part for part in drawn.iter(tag) if looks.items() <= part.attrib.items()]


def cells(drawn: Element, name: str) -> int:
    """Cells of one class; those beside each other are one shape."""
    return sum(part.get("d", "").count("M") for part in shapes(drawn, "path", **{"class": name}))


def places(part: Element) -> np.ndarray:
    """(points, 2) of a path of straight lines."""
    return np.array([pair.split(",") for pair in re.findall(r"-?[\d.]+,-?[\d.]+", part.get("d", ""))], float)


def moved(part: Element) -> float:
    """To the right, by its own transformation."""
    at = re.match(r"translate\(([-\d.]+),", part.get("transform", ""))
    return float(at[1]) if at else 0.0


def shown_as(values: pd.Series, pixels: np.ndarray) -> bool:
    """Whether all of these values stand where one straight scale puts them, to a tenth of a pixel."""
    slope, start = np.polyfit(values.to_numpy(float), pixels, 1)
    return bool(slope and np.abs(slope * values + start - pixels).max() < 0.1)


def test_the_curves_of_a_report_hold_what_the_charts_of_the_page_hold(state: RunState) -> None:
    curves = curves_table(state)
    training = curves[curves["series"] == TRAINING]
    drawn = pictures.learning(curves, len(state.epochs), state.total_cuts)
    lines = [places(part) for part in shapes(drawn, "path", stroke=SECOND) if len(places(part)) > 1]
    cycles = training["cycle"].nunique()
    legend = len(lines) - 2 * cycles
    assert legend in (0, 1)
    for lines_of, column in ((lines[:cycles], "accuracy"), (lines[-cycles:], "loss")):
        seen = np.concatenate(lines_of)
        assert len(seen) == len(training)
        assert shown_as(training["step"], seen[:, 0])
        assert shown_as(training[column], seen[:, 1])


def test_it_is_the_chart_of_the_page_and_no_other(state: RunState) -> None:
    curves, steps = curves_table(state), len(state.epochs)
    charts = [chart | {"data": {"values": curves}} for chart in (accuracy_chart(steps, 4), loss_chart(steps))]
    again = picture(charts, pictures.WIDTH, "a", "b", "learning")
    drawn = pictures.learning(curves, steps, 4)
    assert [ElementTree.tostring(part) for part in list(again)[2:]] == [
        ElementTree.tostring(p) for p in list(drawn)[2:]
    ]


def test_a_heatmap_has_every_width(state: RunState) -> None:
    widths, cycles = widths_table(state), cycles_table(state)
    drawn = pictures.heatmap(widths, cycles, state.total_cuts + 1)
    there = widths[widths["neurons"] > 0]
    for shade in range(12):
        shaded = (there["share"].map(level) == shade).sum()
        assert cells(drawn, f"c{shade}") == shaded
    numbers = [part.text for part in drawn.iter("text") if re.fullmatch(r"n\d+", part.get("class", ""))]
    assert sorted(numbers, key=str) == sorted(there["neurons"].map(str))
    assert cells(drawn, "to-come") == len(state.sites)
    assert len(shapes(drawn, "path", stroke=LOST)) == len(state.removed_at)
    said = [part.text for part in drawn.iter("text")]
    assert {"start", "cut 4", "1.1 attn", "stage 4", "neurons left", f"{cycles['neurons'][0]:,}"} <= set(said)


def test_a_long_run_of_a_deep_backbone_is_as_wide_as_the_page(store: Store) -> None:
    state = store.state(record(store, make_config({"prune": {"rho": 0.1}}, preset="demo"), sites=vit_sites(24)))
    assert state.total_cuts > 20
    drawn = pictures.heatmap(widths_table(state), cycles_table(state), state.total_cuts)
    assert float(drawn.get("viewBox", "").split()[2]) == pytest.approx(pictures.WIDTH, abs=2)
    right = max(places(part)[:, 0].max() for part in shapes(drawn, "path") if re.match(r"c\d", part.get("class", "")))
    assert right < pictures.WIDTH


def test_settings_are_compared_as_on_the_page_and_no_interval_leaves_the_picture() -> None:
    runs = [("a", "0/0", 0.52), ("a", "1/1", 0.5), ("a", "2/2", 0.53), ("b", "0/0", 0.2), ("b", "1/1", 0.9)]
    table = pd.DataFrame([("", *run) for run in runs], columns=["block", "level", "pair", "accuracy"])
    levels = Levels(table, ["a", "b"], [""])
    drawn = pictures.strips(levels)
    marks = [part for part in shapes(drawn, "path") if part.get("transform") and part.get("fill") == GAIN]
    at = np.array([moved(part) for part in (*shapes(drawn, "path", stroke=GAIN), *marks) if moved(part)])
    of_a = table[table["level"] == "a"]["accuracy"]
    assert shown_as(pd.Series([*of_a, of_a.mean()]), at)
    for line in drawn.iter("line"):
        assert moved(line) >= 0
        assert moved(line) + float(line.get("x2", 0)) <= pictures.WIDTH


def kept(rows: list[str]) -> pd.DataFrame:
    layers = [(f"{i} mlp", "all blocks", i, 3) for i in range(4)]
    columns = ["row", "label", "group", "survived", "runs"]
    return pd.DataFrame([(row, *layer) for row in rows for layer in layers], columns=columns)


def test_in_how_many_runs_a_layer_is_kept() -> None:
    drawn = picture([kept_chart(kept(["a", "b"]), 600)], 600, "t", "d", "n")
    numbers = [part.text for part in drawn.iter("text") if part.get("class", "").startswith("n")]
    assert sorted(numbers) == ["1", "1", "2", "2", "3", "3"]
    assert len(shapes(drawn, "path", stroke=LOST)) == 2
    assert cells(drawn, f"c{level(1)}") == 2


def test_charts_of_reports_and_findings_are_vega_lite(state: RunState) -> None:
    widths, cycles = widths_table(state), cycles_table(state)
    hold_to_schema(widths_chart(widths, cycles, cuts=4, most=800)[0])
    hold_to_schema(widths_chart(widths[widths["cycle"] == 0], cycles.head(1), cuts=40, most=800)[0])
    for width in (800, 210):
        hold_to_schema(kept_chart(kept(["a"]), width))
    compared = contrast("here", ("a", {1: 0.9, 2: 0.8}), ("b", {1: 0.7, 2: 0.5}))
    hold_to_schema(differences_chart([compared], 0.005))
    hold_to_schema(curves_chart({"a": [(2.0, of_setting({1: 0.5}, SHARES))]}, ("none", of_setting({}, SHARES))))


def test_a_contrast_is_drawn_in_percentage_points() -> None:
    by_seed = {1: 0.2, 2: 0.3, 3: 0.1}
    compared = contrast("here", ("a", by_seed), ("b", dict.fromkeys(by_seed, 0.0)))
    tables = differences_chart([compared], 0.005)["datasets"]
    mean = of_setting(by_seed, DIFFERENCES)
    assert tables["seeds"]["difference"].tolist() == pytest.approx([20, 30, 10])
    assert tables["means"].iloc[0].tolist() == pytest.approx([0.5, 100 * mean.mean, 100 * mean.low, 100 * mean.high])
    assert tables["margins"]["at"].tolist() == [-0.5]
    drawn = picture([differences_chart([compared], 0.005)], 700, "t", "d", "n")
    assert len(shapes(drawn, "path", fill=GAIN)) == len(by_seed) + 1
    assert {"a against b", "here", "0", "+10"} <= {part.text for part in drawn.iter("text")}


def test_names_are_text_and_nothing_is_fetched() -> None:
    chart = kept_chart(kept([HOSTILE, f"{HOSTILE} 2"]), 800)
    source = svg.to_text(picture([chart], 800, HOSTILE, HOSTILE, "n"), "")
    root = ElementTree.fromstring(source)
    tags = {part.tag.rpartition("}")[2] for part in root.iter()}
    assert tags <= {"svg", "style", "title", "desc", "g", "path", "line", "rect", "text"}
    attributes = {name for part in root.iter() for name in part.attrib}
    assert not attributes & {"href", "style", "clip-path", "filter", "onerror"}
    assert not re.search("[\x00\u202e]", source)
    assert "</text><script>" in "".join(root.itertext()), "shown as written"


@pytest.mark.parametrize(
    "mark", [{"type": "image", "url": "file:///etc/passwd"}, {"type": "bar", "clip": True}], ids=["image", "clip"]
)
def test_what_a_still_picture_cannot_hold_is_refused(mark: dict[str, object]) -> None:
    chart = {"data": {"values": [{"a": 1}]}, "mark": mark, "encoding": {"x": {"field": "a", "type": "quantitative"}}}
    with pytest.raises(ValueError, match="cannot hold"):
        picture([chart], 100, "t", "d", "n")


def test_pictures_can_be_drawn_by_several_at_once() -> None:
    charts = [kept_chart(kept([f"setting {i}"]), 500) for i in range(6)]

    def draw(number: int) -> str:
        return svg.to_text(picture([charts[number]], 500, "t", "d", "n"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, range(6))) == [draw(number) for number in range(6)]


def test_the_renderer_is_loaded_only_when_a_picture_is_drawn() -> None:
    look = "import sys, mimi_core.analysis.report, mimi_core.study, pages.report; print('vl_convert' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
