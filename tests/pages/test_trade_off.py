"""Trade-off: what is on the front, how sure that is, and published results that say where they come from."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mimi_core.analysis.compare.design import design
from mimi_core.analysis.compare.tables import Facts, points_table
from mimi_core.analysis.trade_off.figures import name_places, published_figure, trade_off_figure
from mimi_core.analysis.trade_off.references import published_table, read_references
from mimi_core.analysis.trade_off.tables import front_line, headline, story, trade_off_table
from mimi_core.config import make_config
from mimi_core.errors import ConfigError
from tests.analysis.test_comparisons import run
from tests.analysis.vega import hold_to_schema
from tests.pages.opening import HOSTILE, ROOT, MakeRun, Open, texts

FILE = ROOT / "mimi_core" / "resources" / "references.yaml"
PUBLISHED = "Published: VTAB-1k, ViT-B/16 pre-trained on ImageNet-21k"


def at(one: Facts, parameters: int) -> Facts:
    return replace(one, points=tuple(replace(point, parameters=parameters) for point in one.points))


def three_methods() -> list[Facts]:
    """A linear probe with nothing but its head; MiMi with two cuts; full fine-tuning, which is no better."""
    return [
        *(at(run(seed, 0.7 + 0.01 * seed, method="linear", cuts=0), 100) for seed in range(3)),
        *(run(seed, 0.9 + 0.01 * seed) for seed in range(3)),
        *(at(run(seed, 0.85 + 0.01 * seed, method="full", cuts=0), 10_000) for seed in range(3)),
    ]


def table_of(runs: list[Facts], parameters: str = "parameters") -> tuple[pd.DataFrame, pd.DataFrame]:
    points = points_table(runs, design([one.values for one in runs]))
    return trade_off_table(points, parameters), points


def test_the_front_is_what_nothing_beats() -> None:
    table, _ = table_of(three_methods())
    assert list(table["method"]) == ["MiMi", "MiMi", "MiMi", "linear probe", "full fine-tuning"]
    assert list(table["parameters"]) == [1100, 600, 350, 100, 10_000]
    assert list(table["front"]) == [False, False, True, True, False]  # the cuts cost nothing here
    assert list(table["mean"]) == pytest.approx([0.91, 0.91, 0.91, 0.71, 0.86])
    assert list(table["often"]) == [0, 0, 1, 1, 0]  # far enough apart for any draw
    assert list(table["epochs"][:3]) == [12, 24, 36]


def test_chance_on_the_front_is_told() -> None:
    close = [run(seed, 0.8 + 0.02 * (-1) ** seed, cuts=0) for seed in range(4)]
    other = [at(run(seed, 0.801, method="full", cuts=0), 10_000) for seed in range(4)]
    table, _ = table_of(close + other)
    assert list(table["front"]) == [True, True]
    assert table["often"][0] == 1
    assert 0.2 < table["often"][1] < 0.8
    assert "Only 1 of these 2 points stays on the front in 95 % of resamplings" in story(table)


def test_settings_that_share_their_seeds_are_drawn_together() -> None:
    """What is better by a little with every seed stays so, however much seeds vary."""
    runs = [run(seed, 0.8 + 0.05 * (-1) ** seed, method="linear", cuts=0) for seed in range(6)]
    runs += [at(run(seed, 0.805 + 0.05 * (-1) ** seed, method="full", cuts=0), 10_000) for seed in range(6)]
    table, _ = table_of(runs)
    assert list(table["often"]) == [1, 1]
    apart, _ = table_of([one for one in runs if one.seed != 5 or one.values["method"] == "full"])
    assert apart["often"].iloc[1] < 1, "a seed that only one of them has makes it a matter of chance again"


def test_the_front_is_told_in_words() -> None:
    table, _ = table_of(three_methods(), "without_head")
    assert headline(table) == "Linear probe and MiMi make the front"
    said = story(table)
    assert "linear probe (the head alone, 71.0 %) and MiMi after cut 2 (250 parameters, 91.0 %)" in said
    assert (
        "full fine-tuning is not on it: MiMi after cut 2 has 39.6 times fewer parameters and 5.0 points more." in said
    )
    assert said.endswith("All of these stay on the front in 95 % of resamplings of the seeds.")
    alone, _ = table_of([run(0)])
    assert headline(alone) == "Only MiMi so far: nothing to weigh it against"
    assert alone["often"].isna().all()  # one run: nothing can be drawn
    assert "resamplings" not in story(alone)


def test_a_point_of_one_seed_is_never_sure() -> None:
    """However often it is drawn, and however often it was run."""
    probes = [run(seed, 0.8 + 0.001 * seed, method="linear", cuts=0) for seed in range(3)]
    once = at(run(0, 0.9, method="lora", cuts=0), 10_000)
    for lora in ([once], [once, replace(once, id="again")]):
        table, _ = table_of([*probes, *lora])
        assert table["n"].tolist() == [3, 1]
        assert table["often"].isna().tolist() == [False, True]
        said = story(table)
        assert "Those with several seeds stay on the front in 95 % of resamplings of the seeds." in said
        assert said.endswith("1 point of a single seed may owe its place to luck.")
    assert story(table_of([probes[0], once])[0]).endswith("2 points of a single seed may owe their places to luck.")


def test_published_results_have_their_sources() -> None:
    (references,) = read_references(FILE)
    table = published_table(references)
    assert len(table) == 15
    assert table["source"].str.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}").all()
    assert "MiMi" not in set(table["setting"])
    assert list(front_line(table)["setting"]) == ["linear probe", "FacT", "Adapter+", "PACE"]
    assert story(table).startswith("Nothing beats, from few parameters to many: linear probe (the head alone, 57.6 %)")


@pytest.mark.parametrize(
    "content", ["[", "- {title: x}", "- {title: x, accuracy: y, note: z, results: [{method: a}]}", "3"]
)
def test_a_broken_file_of_references_is_one_message(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"published results in .*r\.yaml cannot be read"):
        read_references(tmp_path / "r.yaml")


def test_names_stand_apart() -> None:
    sides = name_places([100, 100, 100], [50, 56, 300], ["one", "two", "three"])
    assert sides[0] == sides[2] == "left"
    assert sides[1] not in ("left", None)
    assert name_places([0], [0], ["a name too long for the left"]) == ["below right"]
    crowd = name_places([100.0] * 12, [50.0] * 12, ["crowded"] * 12)
    assert crowd[-1] is None


def test_figures_are_what_the_schema_allows() -> None:
    named = [
        replace(one, values={**one.values, "name": HOSTILE[:40] + str(one.values["method"])}) for one in three_methods()
    ]
    table, points = table_of(named, "without_head")
    figure = trade_off_figure(table, points, parameters="without_head")
    hold_to_schema(figure)
    (told,) = figure["datasets"]["none"]["told"]  # the linear probe has no place on a logarithmic axis
    assert "with the head alone" in told
    published = published_figure(published_table(read_references(FILE)[0]))
    hold_to_schema(published)
    assert published["layer"][1]["mark"]["shape"] == "diamond"
    assert published["datasets"]["points"]["source"].str.contains("arxiv.org/abs/2406.06820").any()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_without_runs_the_published_results_are_shown(open_page: Open) -> None:
    app = open_page("trade_off")
    assert app.selectbox(key="on").value == PUBLISHED
    assert "None of your runs has finished yet" in texts(app)
    assert "not measured here" in app.info[0].value
    assert len(app.dataframe[0].value) == 15


def test_own_runs_are_weighed_on_their_task_alone(open_page: Open, make_run: MakeRun) -> None:
    for seed in (0, 1):
        make_run(make_config({"seed": seed, "name": f"{HOSTILE[:60]} {seed}"}, "demo"))
    make_run(make_config({"name": HOSTILE[:80]}, "quick"))
    app = open_page("trade_off")
    assert app.selectbox(key="on").options == [
        "digits, 10 images per class, at most 200 evaluated · demo",
        "digits, 30 images per class · demo",
        PUBLISHED,
    ]
    app = open_page("trade_off", on="digits, 30 images per class · demo", head="false")
    assert len(app.dataframe[0].value) == 5
    assert app.dataframe[0].value["n"].tolist() == [2] * 5
    assert "Only MiMi so far" in app.title[0].value
    said = re.sub(r"\\.", "", texts(app))
    assert "<img" not in said


def test_published_results_are_linked_beside_their_task(open_page: Open, make_run: MakeRun) -> None:
    make_run(make_config({"data": "vtab:cifar"}, "demo"))
    app = open_page("trade_off")
    assert "Published" in app.get("page_link")[-1].proto.label
    assert "mean test accuracy of VTAB" in texts(app)


def test_an_unknown_task_in_the_url_is_said(open_page: Open) -> None:
    app = open_page("trade_off", on=HOSTILE)
    assert "There are no finished runs on" in app.warning[0].value
    assert "![p](" not in texts(app)
