"""Ablations: a group over seeds, opened as a link shows it."""

import re
import shutil
from pathlib import Path

import pytest

from mimi_core.config import make_config
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, MakeRun, Open, texts
from tests.recorded_cuts import run_with_scores

GROUP = HOSTILE[:80]
STUDY = Path(__file__).parents[2] / "assets" / "study"


def group_of(make_run: MakeRun, *scopes: str, seeds: int = 2, group: str = GROUP, name: str = "") -> None:
    for seed in range(seeds):
        for scope in scopes:
            settings = {"prune": {"scope": scope}, "train": {"epochs": 1}}
            values = {"group": group, "seed": seed, "name": f"{scope} {name}"[:80].strip(), **settings}
            make_run(make_config(values, "demo"), seed=seed)


def plainly(text: str) -> str:
    return text.replace("\\", "")


def test_a_group_is_compared(open_page: Open, make_run: MakeRun) -> None:
    group_of(make_run, "global", "local")
    make_run(make_config({"group": GROUP, "seed": 7}, "demo"), cuts=1, outcome="failed")
    app = open_page("ablations", group=GROUP)
    said = plainly(texts(app))
    assert plainly(app.title[0].value) == "Undecided: no clear difference in test accuracy between global and local"
    assert "global is on average the same as local" in said or "local is on average the same as global" in said
    assert "Not in the comparison: 1 run failed." in said
    assert "The same in all runs: MiMi, demo backbone, digits" in said
    assert list(app.dataframe[0].value["level"]) == ["global", "local"]
    settings = app.dataframe[0].value
    assert (settings["parameters"] - settings["without_head"]).tolist() == [2570, 2570]
    assert settings["epochs"].tolist() == [5, 5], "one before any cut, and one after each of four"
    assert settings["seconds"].gt(0).all()
    assert settings["memory"].gt(0).all()
    assert app.dataframe[1].value["pairs"].tolist() == [2]
    assert "These runs have not kept their scores." in said


def test_hostile_names_are_shown_as_written(open_page: Open, make_run: MakeRun) -> None:
    group_of(make_run, "global", "local", name=HOSTILE)
    app = open_page("ablations")
    said = re.sub(r"\\.", "", texts(app) + "".join(str(element.value) for element in app.subheader))
    assert "img src" in texts(app)
    assert not [markup for markup in ("![p](", "[x](", ":red[", "$a$", "**b**", "<img") if markup in said]


def test_a_link_carries_what_is_looked_at(open_page: Open, make_run: MakeRun) -> None:
    group_of(make_run, "global", "local")
    wanted = {"measure": "adapters gone", "interval": "bootstrap", "head": "false", "with": HOSTILE, "compare": "x"}
    app = open_page("ablations", group=GROUP, **wanted)
    assert app.selectbox(key="measure").value == "adapters gone"
    assert "adapters gone" in app.subheader[0].value
    assert not app.toggle(key="head").value


def test_an_unknown_group_is_said_and_all_runs_of_a_task_can_be_compared(
    open_page: Open, make_run: MakeRun, store: Store
) -> None:
    group_of(make_run, "global", "local", group="")
    app = open_page("ablations", group="gone")
    assert "There is no group 'gone' here" in plainly(app.warning[0].value)
    newest = store.list()[0].id
    app = open_page("ablations", like=newest)
    assert not app.warning
    assert app.selectbox(key="address.comparison").value == ("like", "digits, 30 images per class · demo")


def test_too_many_settings_for_pictures_have_tables(
    open_page: Open, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimi_core.analysis.compare.contrasts.MOST_DRAWN", 2)
    monkeypatch.setattr("mimi_core.analysis.compare.contrasts.MOST_PAIRED", 2)
    for number in range(6):
        settings = {"prune": {"score": ("mimi", "l2", "random")[number // 2]}}
        make_run(make_config({"group": GROUP, "seed": number % 2, **settings}, "demo"), seed=number)
    app = open_page("ablations", group=GROUP)
    assert "too many for pictures" in texts(app)
    assert not app.get("vega_lite_chart")
    settings, pairs = app.dataframe[0].value, app.dataframe[1].value
    assert len(settings) == 3
    assert len(pairs) == 2, "with one of them, not with one another"
    assert app.selectbox(key="with").options == settings["level"].tolist()


def test_a_group_that_has_not_finished_says_so(open_page: Open, make_run: MakeRun) -> None:
    make_run(make_config({"group": "g"}, "demo"), cuts=1, outcome=None)
    app = open_page("ablations", group="g")
    assert app.title[0].value == "Nothing has finished yet"
    assert "1 run died" in plainly(app.info[0].value)


def test_nothing_to_compare_says_how_to_make_it(open_page: Open, make_run: MakeRun) -> None:
    make_run()
    app = open_page("ablations")
    assert app.subheader[0].value == "Nothing to compare yet"
    assert "sweep --preset local-vs-global" in app.code[0].value


def test_the_bundled_study_can_be_looked_at_before_any_run_of_ones_own(
    open_page: Open, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it comes with the program: without stored scores. A group of the same name is another choice."""
    study = tmp_path / "study"
    for folder in STUDY.glob("*scope-*"):
        shutil.copytree(folder, study / folder.name, ignore=shutil.ignore_patterns("cycles", "gallery.npz"))
    monkeypatch.setattr("pages.widgets.stores.STUDY", study)
    make_run(make_config({"group": "local-vs-global"}, "demo"))
    app = open_page("ablations", study="local-vs-global")
    (chosen,) = (box for box in app.selectbox if box.key == "address.comparison")
    assert chosen.value == ("study", "local-vs-global")
    assert [option.split(" · ")[1] for option in chosen.options[:2]] == ["group of 1 run", "bundled study of 10 runs"]
    assert "scope" in app.title[0].value
    assert "not to be compared" in texts(app)


def test_scores_are_compared_where_they_were_kept(open_page: Open, store: Store) -> None:
    for seed in range(2):
        run_with_scores(store, scope="global", seed=seed)
    app = open_page("ablations", against="taylor")
    charts = app.get("vega_lite_chart")
    assert len(charts) == 4
    assert "with the Taylor score" in charts[2].proto.alt
