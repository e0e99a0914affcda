"""Configs: defaults are the paper's, merging works, and every mistake gets one clear message."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mimi_core.config import PRESETS, RunConfig, differences, for_own_images, make_config, to_yaml, validate
from mimi_core.config import text as config_text
from mimi_core.config.settings import value_at
from mimi_core.config.text import read_config_file, read_config_text
from mimi_core.config.typed import parse_set
from mimi_core.errors import ConfigError


def test_defaults_are_the_papers() -> None:
    config = RunConfig()
    assert (config.adapter.sigma_0, config.prune.rho, config.prune.sigma_target) == (8, 0.5, 64)
    assert (config.train.epochs, config.train.batch_size, config.train.lr, config.train.weight_decay) == (
        100,
        64,
        5e-4,
        0.05,
    )
    assert (config.adapter.init, config.adapter.placement, config.prune.scope) == ("near_identity", "series", "global")


def test_later_sources_win_and_sections_merge(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: digits\ntrain: {epochs: 7}\nseed: 3\n")
    config = make_config(read_config_file(file), preset="demo", sets=["train.lr=5e-3", "data.shots=4"])
    assert (config.data.name, config.data.shots, config.train.epochs, config.train.lr, config.seed) == (
        "digits",
        4,
        7,
        5e-3,
        3,
    )
    assert config.train.batch_size == PRESETS["demo"]["train"]["batch_size"]


def test_a_name_stands_for_its_section() -> None:
    config = make_config(sets=["data=fashion-mnist", "backbone=demo"])
    assert (config.data.name, config.backbone.name) == ("fashion-mnist", "demo")


def test_a_method_may_be_named_shortly() -> None:
    """The later setting wins, as everywhere."""
    annealed = make_config({"method": "anneal", "prune": {"warm": 0.1}})
    assert (annealed.method, annealed.prune.schedule, annealed.prune.warm) == ("mimi", "anneal", 0.1)
    assert validate({"method": "anneal"}) == make_config(sets=["prune.schedule=one_shot", "method=anneal"])
    assert make_config(sets=["method=anneal", "prune.schedule=cycles"]) == RunConfig()
    assert make_config(preset="demo", sets=["method=vpt"]).method == "vpt_deep"
    with pytest.raises(ConfigError, match="method"):
        make_config(sets=["method=[anneal]"])


@pytest.mark.parametrize("preset", PRESETS)
def test_yaml_round_trip(preset: str, tmp_path: Path) -> None:
    config = make_config(preset=preset, sets=["name='ünï: code'"])
    file = tmp_path / "c.yaml"
    file.write_text(to_yaml(config), encoding="utf-8")
    assert make_config(read_config_file(file)) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_differences_rebuild_a_config(preset: str) -> None:
    config = make_config(
        preset=preset, sets=["data.shots=5", "prune.score=random", "name=a b", "backbone.checkpoint=x/y.pth"]
    )
    assert make_config(preset=preset, sets=differences(config, make_config(preset=preset))) == config


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["trian.lr=1"], "did you mean 'train'"),
        (["train.epoch=1"], "'train.epoch': did you mean 'epochs'"),
        (["prune.rho=0"], "prune.rho"),
        (["prune.rho=1"], "prune.rho"),
        (["prune.sigma_target=4"], "raise sigma_target or lower sigma_0"),
        (["prune.score=snip"], "set adapter.init=paper"),
        (["train.epochs=0"], "train.epochs"),
        (["train.lr=fast"], "train.lr"),
        (["train.lr=nan"], "train.lr"),
        (["train.lr=-1", "train.epochs=x"], "train.epochs"),
        (["method=mimy"], "method"),
        (["adapter.sigma_0=0.5"], "adapter.sigma_0"),
        (["adapter.sigma_0=.inf"], "adapter.sigma_0"),
        (["train=null"], "'train' is empty"),
        (["train=5"], "train"),
        (["seed"], "section.key=value"),
        (["=1"], "section.key=value"),
        (["seed=[1"], "not valid YAML"),
        (["train.device=tpu"], "train.device"),
    ],
)
def test_a_wrong_setting_is_named(sets: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=None) as caught:
        make_config(sets=sets)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_any_kind_survive_as_settings() -> None:
    for name in ("two\nlines", "é 😀 \x07", "'\"", "null", "1", "[", "a: b", " ", "&a *a"):
        config = make_config({"name": name})
        assert make_config(sets=differences(config, make_config())).name == name


def test_everything_that_is_wrong_is_a_line_of_its_own() -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(sets=["train.lr=-1", "train.epochs=x"])
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["train.epochs", "train.lr"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- " * 2_000, "too deeply nested"),  # the parser in C would take the process down with it
        ("x" * 40_000, "longer than 32,000 characters"),
        ("name: &a [x, x]\nseed: [*a, *a, *a]", "aliases"),
        ("2001-99-99", "not valid YAML"),
        ("seed: " + "9" * 5000, "not valid YAML"),
        ("!!bool x", "not valid YAML"),
        ("!!timestamp x", "not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("just text", "keys and values"),
    ],
)
def test_the_config_of_a_stranger_is_explained_and_harmless(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        read_config_text(text)
    assert len(str(caught.value)) < 500
    with pytest.raises(ConfigError):
        make_config(sets=[f"seed={text[:30_000]}"])


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        make_config(preset="dmo")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"- a\n- b\n", "keys and values"),
        (b"a: [", "not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read|not valid YAML"),
    ],
)
def test_a_broken_config_file_is_explained(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        read_config_file(file)


def test_a_missing_config_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not found"):
        read_config_file(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["prune.schedule=anneal", "train.epochs=1"], "train.epochs must be 2 or more"),
        (["prune.schedule=anneal", "prune.warm=0.6", "prune.settle=0.4"], "add up to less than 1"),
        (["prune.schedule=anneal", "prune.retrain_last=false"], "retrain_last"),
        (["prune.rho=0.00001"], "make 207,943 cuts, more than 1,000: raise prune.rho"),
        (["prune.schedule=anneal", "train.epochs=100000"], "raise prune.every"),
    ],
)
def test_schedules_that_cannot_be(sets: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make_config(sets=sets)
    make_config(sets=["method=linear", *sets])  # nothing is cut there


# --- values are what was typed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data=folder:/x/birds #2", "folder:/x/birds #2"),
        ("data.name=folder:/tmp/a: b", "folder:/tmp/a: b"),
        ("data=folder:/x/[a]", "folder:/x/[a]"),
        ("backbone=2024-01-01", "2024-01-01"),
        ("name=exp #3", "exp #3"),
        ("name=exp: 3", "exp: 3"),
        ("name=on", "on"),
        ("name=2024-01-01", "2024-01-01"),
        ("name=2024_10", "2024_10"),
        ("name=010", "010"),
        ("name=[a, b]", "[a, b]"),
        ("name=null", "null"),
        ("name=", ""),
        ("name='in quotes: #1'", "in quotes: #1"),
        ("name=don't", "don't"),
        ("group=1e3", "1e3"),
        ("group=1:30", "1:30"),
        ("backbone.checkpoint=/x/a #1.pth", Path("/x/a #1.pth")),
        ("data.path=null", None),
        ("seed=010", 10),
        ("train.epochs=0100", 100),
        ("train.lr=1e-3", 0.001),
        ("data.shots=null", None),
        ("data.skip_bad=on", True),
        ("data.skip_bad=false", False),
    ],
)
def test_a_value_is_what_was_typed(setting: str, value: object) -> None:
    key = setting.partition("=")[0]
    config = make_config(preset="quick", sets=[setting])
    path = f"{key}.name" if key in ("data", "backbone") else key
    assert value_at(config, path) == value
    assert make_config(preset="quick", sets=differences(config, make_config(preset="quick"))) == config


@pytest.mark.parametrize(
    "setting", ["train.precision=off", "seed=0x10", "seed=1:30", "seed=on", "train.lr=true", "seed=", "seed=2001-01-01"]
)
def test_what_is_no_value_of_a_key_is_refused_by_its_name(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        make_config(sets=[setting])


def test_numbers_in_a_file_are_what_people_read_in_them(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("seed: 010\nname: 2024_10\ngroup: 1:30\ntrain: {lr: 1e-3, epochs: 012}\n")
    for values in (read_config_file(file), read_config_text(file.read_text())):
        config = make_config(values)
        assert (config.seed, config.name, config.group) == (10, "2024_10", "1:30")
        assert (config.train.lr, config.train.epochs) == (0.001, 12)
    file.write_text("seed: on\n")
    with pytest.raises(ConfigError, match="seed: a number is needed"):
        make_config(read_config_file(file))


def test_lists_vary_where_they_are_wanted() -> None:
    assert parse_set("grid.method=[mimi, 010]", lists=True) == {"grid.method": ["mimi", "010"]}
    assert parse_set("prune.rho=[0.5, 0.25]", lists=True) == {"prune.rho": [0.5, 0.25]}
    assert parse_set("base.data=folder:/x #1", lists=True) == {"base.data": "folder:/x #1"}


@given(st.text(alphabet="ab:-?[]{},!|>'\"#%~ \t\n*&", max_size=120))
@settings(max_examples=300, deadline=None)
def test_what_looks_plain_at_a_glance_has_no_aliases_and_no_depth(content: str) -> None:
    if not config_text._is_plain(content):
        return
    depth = deepest = 0
    try:
        for event in yaml.parse(content, Loader=yaml.SafeLoader):
            assert not isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            deepest = max(deepest, depth)
    except yaml.YAMLError:
        pass
    assert deepest <= config_text.DEEPEST


@pytest.mark.parametrize(
    "text",
    ["from:RUN,shuffle:1,parameters:same", "{from: RUN, shuffle: 1, parameters: same}", "{a.b: 3, c: 0}"],
)
def test_widths_of_sites_are_one_value(text: str) -> None:
    """Typed, written as YAML and shown in a form they say the same; and none is laid over another by halves."""
    config = make_config(sets=[f"adapter.widths={text}"])
    assert validate(yaml.safe_load(to_yaml(config))) == config
    assert make_config({"adapter": {"widths": str(config.adapter.widths)}}) == config
    assert make_config(sets=differences(config, make_config())) == config
    assert make_config(sets=["adapter.widths={z: 2}", f"adapter.widths={text}"]) == config


def test_own_images_bring_their_training_but_take_nothing_back_that_was_chosen() -> None:
    usual = make_config(preset="demo", sets=["data=folder:/a"])
    assert for_own_images(usual, "demo").train == make_config(preset="own").train
    chosen = for_own_images(make_config(preset="demo", sets=["train.lr=0.02", "train.augment=crop"]), "demo").train
    assert (chosen.lr, chosen.augment, chosen.head) == (0.02, "crop", "probe")
    paper = make_config(preset="paper")
    assert for_own_images(paper, "paper") == paper
