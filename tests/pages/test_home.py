"""Home: what a first visit and a busy store show; what a card says, and its picture."""

import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mimi_core.analysis.common import svg, theme
from mimi_core.analysis.common.theme import colour_scale
from mimi_core.analysis.overview import cards
from mimi_core.config import make_config
from mimi_core.runs.status import Status
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, MakeRun, Open, button, texts
from tests.recorded import change_status, swin_sites

LIGHT = colour_scale("light")


def test_one_click_queues_the_demo_and_shows_it(open_page: Open, store: Store) -> None:
    app = open_page("home")
    button(app, "Run the demo").click().run()
    (run,) = store.list()
    assert run.phase == "queued"
    assert store.config(run.id).model_copy(update={"versions": {}}) == make_config(preset="demo")
    assert app.query_params["run"] == run.id
    assert "waiting for a free slot" in app.get("progress")[0].proto.text


def test_a_folder_that_cannot_be_written_is_one_message(open_page: Open, store: Store) -> None:
    store.directory.write_text("a file where the folder should be")
    app = open_page("home")
    button(app, "Run the demo").click().run()
    assert "cannot write" in app.error[-1].value


def test_a_first_visit_has_a_guide_and_a_finished_example(
    open_page: Open, make_run: MakeRun, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run()
    store.directory.rename(tmp_path / "examples")
    app = open_page("home")
    assert [s.value for s in app.subheader] == ["In two minutes", "Examples"]
    assert "12 of 24 adapters are gone" in texts(app)
    assert ":violet-badge" in texts(app)


def test_cards_are_linked_live_runs_first(open_page: Open, make_run: MakeRun, store: Store) -> None:
    make_run()
    make_run(cuts=2, outcome=None)
    waiting = store.create(make_config(preset="demo"))
    app = open_page("home")
    assert [s.value for s in app.subheader] == ["Running now", "Recent runs", "In two minutes"]
    assert [bar.proto.text for bar in app.get("progress")] == ["waiting for a free slot"]
    assert {link.proto.label for link in app.get("page_link")} >= {"Monitor", "Widths", "Why"}
    change_status(store, waiting, phase="failed", message="no such folder")
    assert "no such folder" in texts(app.run())
    assert "Running now" not in [s.value for s in app.subheader]


def test_a_group_is_summed_up_by_what_differs(open_page: Open, make_run: MakeRun) -> None:
    for seed in (0, 1):
        for scope in ("global", "local"):
            values = {"group": "scopes | ![p](x)", "seed": seed, "prune": {"scope": scope}}
            make_run(make_config(values, preset="demo"), cuts=2, seed=seed)
    make_run(make_config({"group": "scopes | ![p](x)", "seed": 2}, preset="demo"), cuts=1, outcome="failed")
    app = open_page("home")
    assert "5 runs: 4 finished, 1 failed" in texts(app)
    table = next(m.value for m in app.markdown if "accuracy |" in m.value)
    assert [row.split(" | ")[1] for row in table.splitlines()[2:]] == ["2", "2"]
    assert "![p](" not in texts(app)
    assert "Recent runs" not in [s.value for s in app.subheader], "runs of a group are told with their group"


def test_a_card_says_what_is_known(make_run: MakeRun, store: Store) -> None:
    def facts(run_id: str) -> dict[str, str]:
        return cards.key_numbers(store.summary(run_id), store.state(run_id))

    done = facts(make_run())
    assert done["accuracy"] == "87.0 %"
    assert done["adapters gone"] == "12 of 24"
    assert float(done["of parameters"].split()[0]) < 15
    assert set(facts(make_run(cuts=0, outcome="stopped"))) == {"accuracy", "parameters", "adapters"}
    assert facts(store.create(make_config(preset="demo"))) == {}


def test_where_a_live_run_is_in_one_line() -> None:
    status = Status(phase="queued", created=0, heartbeat=0)
    assert cards.doing(status) == "waiting for a free slot"
    alive = {"pid": 1, "host": "elsewhere", "heartbeat": time.time()}
    status = Status(phase="training", created=0, cycle=2, cycles=4, eta_seconds=61, **alive)
    assert cards.doing(status) == "training · after cut 2 of 4 · 1 min 01 s left"


def test_the_picture_has_a_cell_for_every_adapter_left_and_a_dot_for_every_one_lost(
    make_run: MakeRun, store: Store
) -> None:
    run_id = make_run(cuts=3, outcome="stopped")
    state = store.state(run_id)
    source, said = cards.rain_picture(state, LIGHT) or ("", "")
    root = ElementTree.fromstring(source)
    boxes = {e.get("class", ""): e.get("d", "").count("M") for e in root.iter() if e.get("d")}
    left = sum(n > 0 for widths in state.widths for n in widths.values())
    assert sum(number for name, number in boxes.items() if name.startswith("c")) == left
    assert boxes["to-come"] == 24 * (state.total_cuts - 3)
    assert sum(element.get("class") == "lost" for element in root.iter()) == len(state.removed_at)
    assert said == f"24 layers over 3 cuts: {len(state.removed_at)} adapters gone."


def test_pictures_escape_what_they_are_told() -> None:
    drawn = svg.picture(10, 10, f"{HOSTILE}\x00\x1b\u202e", "x", "a")
    svg.add(drawn, "text", "</svg><script>")
    root = ElementTree.fromstring(svg.to_text(drawn))  # XML that can be read again: nothing broke out
    assert [element.tag.rpartition("}")[2] for element in root] == ["title", "desc", "text"]
    assert "\u202e" not in svg.to_text(drawn)


@pytest.mark.parametrize("page", ["light", "dark"])
def test_numbers_can_be_read_on_their_colour(page: str) -> None:
    def luminance(colour: str) -> float:
        return float(theme.luminance(np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])))

    rules = svg.rules(colour_scale(page))
    for i, colour in enumerate(theme.level_colours(colour_scale(page))):
        text = rules.split(f".n{i}{{fill:")[1][:7]
        light, dark = sorted((luminance(colour), luminance(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4


def test_more_is_never_drawn_as_less() -> None:
    levels = [theme.level(i / 200) for i in range(201)]
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, theme.LEVELS - 1)


def test_a_deep_backbone_still_fits(make_run: MakeRun, store: Store) -> None:
    source, _ = cards.rain_picture(store.state(make_run(sites=swin_sites(8))), LIGHT) or ("", "")
    drawn = [part.split() for e in ElementTree.fromstring(source).iter() for part in e.get("d", "").split("M")[1:]]
    assert 290 < max(float(x) + float(rest.split("h")[1].split("v")[0]) for x, rest in drawn) <= 300
