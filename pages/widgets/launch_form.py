"""The form of a run: a preset, every setting of RunConfig, and the URL, which always says what the form says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from mimi_core.config.numbers import number_text, read_number
from mimi_core.config.settings import Setting, from_link, link, nested, settings, value_at
from mimi_core.config.text import read_config_text
from mimi_core.errors import ConfigError
from mimi_core.scores.catalogue import label_of as score_label
from pages.widgets import preset_words
from pages.widgets.setting_words import MAIN, SECTIONS, help_of, in_words, label_of
from pages.widgets.text import plain

DEFAULT = "demo"
BACKBONES = ("demo", *(name for family in FAMILIES if family.in_papers for name in family.models))
_KEY, _SHOWN, _KEEP, _WRONG = "launch.", "launch/shown", "launch/keep", "launch/wrong"
_DATA, _CARRIED = "launch/data", "launch/carried"


@dataclass(frozen=True)
class Remark:
    """Something about a setting, for as long as it has this value. `text` is plain."""

    value: Any
    text: str


@dataclass(frozen=True)
class Filled:
    """What the form says.

    Attributes:
        preset: where it starts from.
        config: what it says; where something is wrong, with that left as in the preset, to look at and not to launch.
        wrong: why this cannot be launched; None when nothing is wrong.
    """

    preset: str
    config: RunConfig
    wrong: str | None = None


def form(datasets: Sequence[str], remarks: Mapping[str, Remark]) -> Filled:
    """Draw it, and say what is wrong.

    Args:
        datasets: names to suggest.
        remarks: what to say below fields, by setting.
    """
    preset = _follow_the_url()
    for problem in st.session_state.pop(_WRONG, ()):
        st.warning(f"The link cannot be followed: {plain(problem)}", icon=":material/link_off:")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Start from",
            list(PRESETS),
            format_func=preset_words.title,
            required=True,
            key=f"{_KEY}preset",
            on_change=_other_preset,
        )
        st.space("stretch")
        _from_a_file()
    st.caption(preset_words.about(preset))
    if carried := st.session_state.pop(_CARRIED, None):
        st.caption(f":material/photo_library: The data stayed as they were: {plain(carried)}.")
    values, problems = _as_numbers(_fields(preset, datasets, remarks), make_config(preset=preset))
    try:
        config = make_config(nested(values))
    except ConfigError as error:
        problems += error.problems
        config = _without(values, error.problems, preset)
    if problems:
        for problem in problems:
            st.error(in_words(problem), icon=":material/error:")
        return Filled(preset, config, f"First mend {', '.join(dict.fromkeys(map(_whose, problems)))}.")
    st.session_state[_DATA] = config.data
    _tell_the_url(preset, config)
    return Filled(preset, config)


def _as_numbers(values: Mapping[str, Any], usual: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """What was typed as numbers, the usual one for what is none, and a line for each of these."""
    read, problems = dict(values), []
    for path, setting in settings().items():
        if setting.kind == "number":
            try:
                read[path] = read_number(values[path])
            except ConfigError as error:
                read[path] = value_at(usual, path)
                problems.append(f"{path}: {error}")
    return read, problems


def _without(values: Mapping[str, Any], problems: Sequence[str], preset: str) -> RunConfig:
    """The config, with settings that have a problem as in the preset."""
    wrong = {problem.partition(":")[0] for problem in problems}
    usual = make_config(preset=preset)
    for kept in (
        {path: value for path, value in values.items() if path not in wrong},
        {path: value for path, value in values.items() if path.startswith("data.") and path not in wrong},
    ):
        try:
            return make_config(nested({path: value_at(usual, path) for path in settings()} | kept))
        except ConfigError:
            continue
    return usual


def _whose(problem: str) -> str:
    path = problem.partition(":")[0]
    return label_of(path) if path in settings() else "what is said above"


def _other_preset() -> None:
    """Another preset with the data that somebody chose: an upload must not get lost on the way."""
    preset = st.session_state[f"{_KEY}preset"]
    data = st.session_state.get(_DATA)
    before = make_config(preset=st.session_state.get(_SHOWN, (DEFAULT,))[0]).data
    if data is None or data.name == before.name:
        open_with(preset, ())
        return
    config = make_config(preset=preset).model_copy(update={"data": data})
    st.session_state[_CARRIED] = data.name
    open_with(preset, link(config, preset)["set"])


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


def _fields(preset: str, datasets: Sequence[str], remarks: Mapping[str, Remark]) -> dict[str, Any]:
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
                _remark(remarks, all_settings[path])
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
    about_one = any(path not in values for path in remarks)
    with st.expander(title, expanded=about_one, icon=":material/tune:", key=f"{_KEY}others"):
        for column, section in zip(_columns(others), others, strict=True):
            with column:
                st.markdown(f"**{SECTIONS.get(section, section.capitalize())}**")
                for setting in others[section]:
                    values[setting.path] = _field(setting, label_of(setting.path), None, setting.path in unused)
                    _remark(remarks, setting)
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
        words = _CHOICES.get(setting.path, str)
        return st.selectbox(label, setting.choices, format_func=words, **shared)
    if setting.kind == "switch":
        return st.toggle(label, **shared)
    if setting.kind == "integer":
        if setting.optional:
            return st.number_input(label, value=None, step=1, placeholder=_EMPTY.get(setting.path, "none"), **shared)
        return st.number_input(label, step=1, **shared)
    return st.text_input(label, **shared) or (None if setting.optional else "")


_CHOICES: Mapping[str, Callable[[str], str]] = {"method": partial(worded, "method"), "prune.score": score_label}
"""How choices are called that have a name for people; all others are as the config says them."""
_EMPTY = {"data.shots": "all", "data.max_eval": "all", "backbone.image_size": "the model's own"}
"""What an empty field means."""


def _remark(remarks: Mapping[str, Remark], setting: Setting) -> None:
    remark = remarks.get(setting.path)
    if remark and st.session_state[f"{_KEY}{setting.path}"] == _for_widget(setting, remark.value):
        st.markdown(f":red[:material/error: {plain(remark.text)}]")


def _help(setting: Setting) -> str:
    parts = [help_of(setting.path)]
    if setting.path == "prune.score":
        parts.append(scores_explained(setting.choices))
    if setting.path == "method":
        parts.append(methods_explained(setting.choices))
    return " ".join(filter(None, [*parts, f"`{setting.path}`"]))


def _for_widget(setting: Setting, value: Any) -> Any:
    if setting.kind == "text":
        return "" if value is None else str(value)
    return number_text(value) if setting.kind == "number" else value


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
