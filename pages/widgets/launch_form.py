"""The form of a run: a preset, every setting of RunConfig, and the URL, which always says what the form says."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from mimi_core.analysis.compare.design import worded
from mimi_core.analysis.launch.words import methods_explained
from mimi_core.analysis.why.words import scores_explained
from mimi_core.backbones.families import FAMILIES
from mimi_core.config import PRESETS, RunConfig, make_config
from mimi_core.config.identity import UNUSED, deciding_settings, used_values
from mimi_core.config.methods import makes_cuts
from mimi_core.config.settings import Setting, from_link, link, nested, settings, value_at
from mimi_core.config.text import read_config_text
from mimi_core.errors import ConfigError
from pages.widgets.text import plain

DEFAULT = "demo"
PRESET_WORDS = {
    "demo": ("Demo", "300 digits on the bundled small backbone, four cuts: about two minutes on two cores."),
    "quick": ("Quick look", "The demo, but smaller: 100 digits, two cuts, some seconds. To see that all works."),
    "paper": (
        "The paper",
        "The paper's settings: 100 epochs a cycle on a Swin-T. Wants a GPU and that model's weights.",
    ),
    "own": (
        "Own images",
        "For a folder or a zip of your own, and few images: the head starts at a linear probe, images are flipped at "
        "random, and the learning rate is low.",
    ),
}
BACKBONES = ("demo", *(name for family in FAMILIES if family.in_papers for name in family.models))
MAIN = {
    "Model and data": {
        "name": "Title",
        "backbone.name": "Backbone",
        "data.name": "Data",
        "data.shots": "Images per class",
        "method": "Method",
    },
    "Adapters and pruning": {
        "adapter.sigma_0": "Compression at the start, σ₀",
        "prune.sigma_target": "Compression at the end, σ",
        "prune.rho": "Cut per cycle, ρ",
        "prune.score": "Score",
        "prune.scope": "Scope",
        "prune.schedule": "Schedule",
    },
    "Training": {
        "train.epochs": "Epochs per cycle",
        "train.lr": "Learning rate",
        "train.batch_size": "Batch size",
        "seed": "Seed",
    },
}
"""The settings that most people change, with the words for them; all others are found by themselves."""
HELP = {
    "name": "For you: what the run is called in lists.",
    "backbone.name": "`demo` is the bundled small Swin. Listed are those of many papers; any timm model can be typed.",
    "data.name": "A dataset on this machine; or type `folder:` and the path of a folder with one for each class, "
    "or `hf:` and the owner/name of a dataset of the Hugging Face Hub.",
    "data.shots": "Training images of every class, drawn by data.seed. Empty: all of them.",
    "method": "MiMi prunes adapters in cycles; the others train once, and are what it is compared with.",
    "adapter.sigma_0": "Token width over neurons when adapters are put in: 8 gives a layer of width 96 twelve neurons.",
    "prune.sigma_target": "Pruning goes on until the compression is this high. Twice as high: half the neurons.",
    "prune.rho": "Share of the neurons that every cut removes, between 0 and 1. Smaller: more cuts, more training.",
    "prune.score": "What a neuron is worth. The lowest go.",
    "prune.scope": "global: all layers compete, and some may lose their adapter. local: every layer keeps its share.",
    "prune.schedule": "cycles: cut, train, cut, train. one_shot: a single cut. anneal: many small ones in one.",
    "train.epochs": "Passes over the training images: in every cycle anew, or in all where there is a single training.",
    "seed": "Same seed, same numbers. It decides initial weights and the order of images.",
}
SECTIONS = {
    "": "Run",
    "backbone": "Backbone",
    "data": "Data",
    "adapter": "Adapters",
    "prune": "Pruning",
    "peft": "Other methods",
    "train": "Training",
}
_KEY, _SHOWN, _KEEP, _WRONG = "launch.", "launch/shown", "launch/keep", "launch/wrong"


def form(datasets: Sequence[str]) -> tuple[str, RunConfig | None]:
    """Draw it. Returns the preset it starts from, and the config; None when something is wrong, which it then says.

    Args:
        datasets: names to suggest.
    """
    preset = _follow_the_url()
    for problem in st.session_state.pop(_WRONG, ()):
        st.warning(f"The link cannot be followed: {plain(problem)}", icon=":material/link_off:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Start from",
            list(PRESETS),
            format_func=lambda name: PRESET_WORDS.get(name, (name.replace("_", " ").capitalize(), ""))[0],
            required=True,
            key=f"{_KEY}preset",
            on_change=lambda: open_with(st.session_state[f"{_KEY}preset"], ()),
        )
        st.space("stretch")
        _from_a_file()
    if preset in PRESET_WORDS:
        st.caption(PRESET_WORDS[preset][1])
    values = _fields(preset, datasets)
    try:
        config = make_config(nested(values))
    except ConfigError as error:
        for problem in error.problems:
            st.error(_with_label(problem), icon=":material/error:")
        return preset, None
    _tell_the_url(preset, config)
    return preset, config


def open_with(preset: str, sets: Sequence[str]) -> None:
    """Show another config in the form from the next run of the page on."""
    st.query_params.update({"preset": preset, "set": list(sets)})  # at once: one step back in the browser


# --- the URL ----------------------------------------------------------------------------------------------------------


def _follow_the_url() -> str:
    """Fill the widgets when the URL says something new: a link, a chosen preset, the way back. Returns the preset.

    Where a widget caused this run of the page the widgets decide, whatever the URL says: it may be an edit behind, as
    when somebody types a number and clicks on Launch at once.
    """
    shown: tuple[str, ...] = st.session_state.get(_SHOWN, (DEFAULT,))
    if "preset" in st.query_params or "set" in st.query_params:
        asked = (st.query_params.get("preset", DEFAULT), *st.query_params.get_all("set"))
    else:
        asked = shown  # the page was opened from the menu
    keep = st.session_state.pop(_KEEP, False)
    is_filled = f"{_KEY}seed" in st.session_state
    if is_filled and (keep or asked == shown):
        return shown[0]
    preset, *sets = asked
    try:
        config = from_link(preset, sets)
    except ConfigError as error:
        st.session_state[_WRONG] = error.problems
        preset = preset if preset in PRESETS else DEFAULT
        config = make_config(preset=preset)
    st.session_state[f"{_KEY}preset"] = preset
    for setting in settings().values():
        st.session_state[f"{_KEY}{setting.path}"] = _for_widget(setting, value_at(config, setting.path))
    return preset


def _tell_the_url(preset: str, config: RunConfig) -> None:
    sets = link(config, preset)["set"]
    st.session_state[_SHOWN] = (preset, *sets)
    if st.query_params.get("preset") != preset or st.query_params.get_all("set") != sets:
        open_with(preset, sets)


def keep_form() -> None:
    """For `on_change` and `on_click` of all that belongs to the form or acts on it."""
    st.session_state[_KEEP] = True


# --- the fields -------------------------------------------------------------------------------------------------------


def _fields(preset: str, datasets: Sequence[str]) -> dict[str, Any]:
    """Value of every setting, by path."""
    all_settings, unused = settings(), _unused()
    values: dict[str, Any] = {}
    suggested = {
        "backbone.name": BACKBONES,
        "data.name": datasets,
    }
    for column, (title, labels) in zip(st.columns(3, gap="large"), MAIN.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            for path, label in labels.items():
                label = _epochs_label(label) if path == "train.epochs" else label
                values[path] = _field(all_settings[path], label, suggested.get(path), path in unused)
    others: dict[str, list[Setting]] = {}
    for path, setting in all_settings.items():
        if path not in values:
            others.setdefault(path.rpartition(".")[0], []).append(setting)
    base = make_config(preset=preset)
    changed = sum(
        st.session_state[f"{_KEY}{path}"] != _for_widget(setting, value_at(base, path))
        for path, setting in all_settings.items()
        if path not in values
    )
    title = f"All other settings{f': {changed} changed' if changed else ''}"
    with st.expander(title, icon=":material/tune:", key=f"{_KEY}others"):
        for column, section in zip(_columns(others), others, strict=True):
            with column:
                st.markdown(f"**{SECTIONS.get(section, section.capitalize())}**")
                for setting in others[section]:
                    name = setting.path.rpartition(".")[2]
                    label = name.replace("_", " ").capitalize()
                    values[setting.path] = _field(setting, label, None, setting.path in unused)
    return values


def _epochs_label(of_cycles: str) -> str:
    """What the number counts, where there is a single training."""
    method, schedule = (st.session_state[f"{_KEY}{path}"] for path in ("method", "prune.schedule"))
    return of_cycles if makes_cuts(method) and schedule != "anneal" else "Epochs"


def _columns(sections: dict[str, list[Setting]], count: int = 4) -> list[Any]:
    """One of `count` columns for each section, so that they become about equally long."""
    columns, lengths, chosen = st.columns(count, gap="medium"), [0] * count, {}
    for section in sorted(sections, key=lambda section: -len(sections[section])):
        shortest = lengths.index(min(lengths))
        lengths[shortest] += 1 + len(sections[section])
        chosen[section] = columns[shortest]
    return [chosen[section] for section in sections]


def _unused() -> set[str]:
    """Settings that play no part with the chosen method, score, schedule and placement."""
    deciding = {path: st.session_state[f"{_KEY}{path}"] for path in deciding_settings()}
    config = make_config(nested({**deciding, "adapter.init": "paper"}))  # which goes with every score
    return {path for path, value in used_values(config).items() if value == UNUSED}


def _field(setting: Setting, label: str, suggested: Sequence[str] | None, disabled: bool) -> Any:
    """One widget, without limits of its own: RunConfig knows what is allowed and says so."""
    key = f"{_KEY}{setting.path}"
    shared: dict[str, Any] = {"key": key, "help": _help(setting), "on_change": keep_form, "disabled": disabled}
    if suggested is not None:
        options = list(dict.fromkeys([*suggested, st.session_state[key]]))
        return st.selectbox(label, options, accept_new_options=True, **shared)
    if setting.kind == "choice":
        words = partial(worded, "method") if setting.path == "method" else str
        return st.selectbox(label, setting.choices, format_func=words, **shared)
    if setting.kind == "switch":
        return st.toggle(label, **shared)
    if setting.kind == "integer":
        if setting.optional:
            return st.number_input(label, value=None, step=1, placeholder=_EMPTY.get(setting.path, "none"), **shared)
        return st.number_input(label, step=1, **shared)
    if setting.kind == "number":
        return st.number_input(label, step=None, format="%g", **shared)
    return st.text_input(label, **shared) or (None if setting.optional else "")


_EMPTY = {"data.shots": "all", "data.max_eval": "all", "backbone.image_size": "the model's own"}
"""What an empty field means."""


def _with_label(problem: str) -> str:
    """`prune.rho: too large` as `Cut per cycle, ρ (prune.rho): too large`. Markdown."""
    path, _, rest = problem.partition(":")
    label = next((labels[path] for labels in MAIN.values() if path in labels), None)
    return f"**{label}** ({plain(path)}): {plain(rest)}" if label else plain(problem)


def _help(setting: Setting) -> str:
    parts = [HELP[setting.path]] if setting.path in HELP else []
    if not parts and setting.help:
        parts = [f"{setting.help[0].upper()}{setting.help[1:]}."]
    if setting.path == "prune.score":
        parts.append(scores_explained(setting.choices))
    if setting.path == "method":
        parts.append(methods_explained(setting.choices))
    return " ".join([*parts, f"`{setting.path}`"])


def _for_widget(setting: Setting, value: Any) -> Any:
    if setting.kind == "text":
        return "" if value is None else str(value)
    return float(value) if setting.kind == "number" else value


# --- from a file ------------------------------------------------------------------------------------------------------


def _from_a_file() -> None:
    """Fill the form from a config that somebody has: of another run, of a colleague, of the command line."""
    with st.popover("Start from a config", icon=":material/upload_file:", help="A YAML file, or its text"):
        file = st.file_uploader("A config file", type=["yaml", "yml"], max_upload_size=1, key=f"{_KEY}file")
        text = st.text_area("Or its text", placeholder="method: mimi\ndata: digits\n…", key=f"{_KEY}text")
        if not st.button("Fill the form", icon=":material/input:", disabled=not (file or text)):
            return
        try:
            content = file.getvalue().decode("utf-8", errors="replace") if file else text
            filled = link(make_config(read_config_text(content)))
        except ConfigError as error:
            for problem in error.problems:
                st.error(plain(problem), icon=":material/error:")
            return
        open_with(filled["preset"], filled["set"])
        st.rerun()
