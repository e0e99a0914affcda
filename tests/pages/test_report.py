"""Reports: true to the run, the same every time, harmless whatever a run says; the page and the command."""

import json
import shlex
from html.parser import HTMLParser

import pytest
import yaml
from typer.testing import CliRunner

from mimi_core.analysis.report import group_report, run_report
from mimi_core.analysis.report.run import nearest_preset
from mimi_core.cli.main import app as commands
from mimi_core.config import make_config
from mimi_core.errors import RunError
from mimi_core.runs.store import Store
from tests.pages.opening import HOSTILE, MakeRun, Open, texts
from tests.recorded import swin_sites

EMPTY = {"meta", "br", "path", "rect", "circle"}


class Page(HTMLParser):
    """Reads a report strictly: every element closed, every id once, attributes and text kept."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def harmless(source: str) -> Page:
    """Nothing is fetched, nothing runs, and every picture has a name for those who cannot see it."""
    page = Page(source)
    for tag, attributes in page.tags:
        assert tag not in ("script", "img", "link", "iframe", "object", "a", "form", "base")
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name in attributes)
    assert "url(" not in source
    assert "@import" not in source
    assert "default-src 'none'" in page.named("meta")[1]["content"]
    assert all(svg["role"] == "img" and svg["aria-labelledby"] for svg in page.named("svg"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.named("th"))
    assert len(source.encode()) < 300_000
    return page


def test_a_report_tells_what_the_run_found(make_run: MakeRun, store: Store) -> None:
    run_id = make_run(warnings=("the images are small",))
    page = harmless(run_report(store, run_id))
    assert page.text.count("12 of 24 adapters are gone after 4 cuts") == 2  # title and finding
    assert "Warning: the images are small" in page.text
    assert "Test accuracy went from 88.0 % to 87.0 %" in page.text
    assert len(page.named("svg")) == 3
    state = store.state(run_id)
    for cut in state.cuts:
        assert f"{cut.trained_parameters:,}" in page.text
    cells = page.text[page.text.index("Neurons left in every layer") :]
    assert cells.count("gone") == 1 + sum(n == 0 for widths in state.widths for n in widths.values())


def test_the_same_files_give_the_same_report(make_run: MakeRun, store: Store) -> None:
    run_id = make_run(make_config({"group": "g"}, preset="demo"))
    assert run_report(store, run_id) == run_report(Store(store.directory), run_id)
    assert group_report(store, "g") == group_report(Store(store.directory), "g")


def test_the_command_in_a_report_makes_the_same_run() -> None:
    config = make_config({"name": "a 'b' $c", "train": {"lr": 0.02}, "data": {"shots": None}}, preset="quick")
    preset, changes = nearest_preset(config)
    assert preset == "quick"
    told = shlex.split(shlex.join(changes))
    assert make_config(preset=preset, sets=told) == config


def test_a_branch_says_where_it_comes_from(make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    file = store.folder(run_id) / "config.yaml"
    branch = {"run": "20260101-parent", "cycle": 1, "keep": ["1/2"]}
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"branch": branch}))
    page = harmless(run_report(store, run_id))
    assert "goes on from the end of cycle 1 of run 20260101-parent" in page.text
    assert "mimi_core run --preset" not in page.text, "a branch cannot be made by that command"


@pytest.mark.parametrize("outcome", ["stopped", "failed", None])
def test_an_unfinished_run_says_so_first(make_run: MakeRun, store: Store, outcome: str | None) -> None:
    page = harmless(run_report(store, make_run(cuts=2, outcome=outcome)))
    assert {"stopped": "was stopped", "failed": "failed", None: "broke off"}[outcome] in page.text
    assert "after 2 cuts" in page.text


def test_a_waiting_run_and_runs_without_adapters_have_reports(make_run: MakeRun, store: Store) -> None:
    page = harmless(run_report(store, store.create(make_config(preset="demo"))))
    assert "waits for a free slot" in page.text
    run_id = make_run(make_config({"method": "linear"}, preset="demo"), cuts=0)
    file = store.folder(run_id) / "events.jsonl"
    first, *rest = file.read_text().splitlines(keepends=True)
    started = json.loads(first) | {"sites": [], "initial_widths": {}, "keep_fractions": []}
    file.write_text(f"{json.dumps(started)}\n{''.join(rest)}")
    page = harmless(run_report(store, run_id))
    assert "Linear probe: nothing is cut" in page.text
    assert "Test accuracy is 88.0 %" in page.text
    assert len(page.named("svg")) == 1


def test_what_is_left_of_a_broken_run_is_told(make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    folder = store.folder(run_id)
    (folder / "config.yaml").write_text("{")
    page = harmless(run_report(store, run_id))
    assert "cannot be read" in page.text
    assert "sigma_target: 32" in page.text  # the events know the settings, too
    (folder / "events.jsonl").unlink()
    with pytest.raises(RunError, match="nothing can be read"):
        run_report(store, run_id)


def test_nothing_that_a_run_says_becomes_a_part_of_the_page(make_run: MakeRun, store: Store) -> None:
    evil = f"</style></title></text>{HOSTILE}"
    sites = [site.model_copy(update={"name": f"{evil}\u202e{i}"}) for i, site in enumerate(swin_sites())]
    values = {"name": evil[:80], "group": evil[:80], "data": {"name": f"folder:{evil}"}}
    config = make_config(values, preset="demo")
    run_id = make_run(config, sites=sites, class_names=[evil], warnings=(evil,))
    make_run(config, sites=sites, seed=1)
    usual = make_run(make_config({"group": "usual"}, preset="demo"))
    plain = Page(run_report(store, usual)).tags + Page(group_report(store, "usual")).tags
    for source in (run_report(store, run_id), group_report(store, evil[:80])):
        page = harmless(source)
        assert "<img src=x" in page.text  # shown as written
        assert "\u202e" not in source
        assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain} | {"strong", "br", "span"}


def test_a_deep_backbone_stays_small(make_run: MakeRun, store: Store) -> None:
    run_id = make_run(make_config({"prune": {"rho": 0.2}}, preset="demo"), sites=swin_sites(4))
    assert store.summary(run_id).cycles > 12
    harmless(run_report(store, run_id))


@pytest.fixture
def group(make_run: MakeRun) -> str:
    for seed in (0, 1, 2):
        for scope in ("global", "local"):
            config = make_config({"name": scope, "group": "scopes", "seed": seed, "prune": {"scope": scope}}, "demo")
            make_run(config, cuts=3 + (scope == "global"), seed=seed)
    make_run(make_config({"name": "global", "group": "scopes", "seed": 3}, "demo"), cuts=1, outcome="failed")
    return "scopes"


def test_a_group_is_compared_over_its_seeds(store: Store, group: str) -> None:
    page = harmless(group_report(store, group))
    assert "7 runs" in page.text
    assert "1 run failed or broke off" in page.text
    assert "local has the highest mean test accuracy, 88.0 % (95 % t interval 88.0 % to 88.0 %, 3 seeds)" in page.text
    states = [store.state(run.id) for run in store.list() if run.name == "global" and run.phase == "finished"]
    lost = [set(state.removed_at) for state in states]
    always = len(set.intersection(*lost))
    assert f"global: {always} of 24 layers lost their adapter in all 3 runs" in page.text
    assert "±" in page.text
    assert page.text.count("prune.scope") == 1  # a setting that differs is not among those in common
    assert len(page.named("svg")) == 2 + 7
    with pytest.raises(RunError, match="no run is of a group"):
        group_report(store, "")


def test_the_page_shows_and_offers_the_report(open_page: Open, make_run: MakeRun, store: Store) -> None:
    run_id = make_run()
    app = open_page("report", run=run_id)
    assert f"{run_id}.html" in texts(app).replace("\\", "")
    assert app.get("iframe")[0].proto.src.startswith("data:text/html")
    (store.folder(run_id) / "config.yaml").write_text("{")
    (store.folder(run_id) / "events.jsonl").write_text("")
    app.run()
    assert "nothing can be read" in app.error[0].value
    assert not app.get("iframe")


def test_the_page_goes_from_a_run_to_a_group_and_back(open_page: Open, store: Store, group: str) -> None:
    app = open_page("report")
    app.button_group(key="address.about").set_value("A group").run()
    assert app.query_params["group"] == group
    assert "group-scopes.html" in texts(app).replace("\\", "")
    app.button_group(key="address.about").set_value("One run").run()
    assert "group" not in app.query_params
    app = open_page("report", group=HOSTILE)
    assert "There is no group" in app.warning[0].value
    assert "![p](" not in texts(app)


def test_the_command_writes_a_file(make_run: MakeRun, store: Store, group: str) -> None:
    def asked(name: str, output: str) -> object:
        return CliRunner().invoke(commands, ["report", name, "-o", output, "--runs", str(store.directory)]).exception

    file = store.directory / "report.html"
    for name in (group, store.list()[0].id):
        assert asked(name, str(file)) is None
        assert name in harmless(file.read_text(encoding="utf-8")).text
    assert "groups: scopes" in str(asked("../etc", str(file)))
    assert "cannot write" in str(asked(group, str(store.directory / "absent" / "x.html")))
