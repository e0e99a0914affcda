"""Launch: a run of one's own, checked before it starts."""

import shlex
from typing import Any

import streamlit as st

from mimi_core.analysis import words
from mimi_core.analysis.precheck import CheckReport, check
from mimi_core.analysis.settings import Setting, nested, plan, settings, settings_text, value_at
from mimi_core.config import PRESETS, RunConfig, differences, make_config, to_yaml
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs import control
from pages import common

PRESET_HELP = {
    "demo": "What the button on Home runs: 300 digits on the bundled small backbone, four cuts.",
    "quick": "The same, smaller: 100 digits, two cuts. A few seconds, to see that everything works.",
    "paper": "The paper's settings: 100 epochs a cycle on a Swin-T. Wants a GPU and the backbone's weights.",
}
BACKBONES = [
    "demo",
    "swin_tiny_patch4_window7_224",
    "vit_tiny_patch16_224",
    "vit_small_patch16_224",
    "vit_base_patch16_224",
    "deit_small_patch16_224",
]
DATASETS = ["digits", "fashion-mnist"]
SUGGESTED = {"backbone.name": BACKBONES, "data.name": DATASETS}
LABELS = {
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
        "prune.normalise": "Normalise",
        "prune.scope": "Scope",
    },
    "Training": {
        "train.epochs": "Epochs per cycle",
        "train.lr": "Learning rate",
        "train.batch_size": "Batch size",
        "seed": "Seed",
    },
}
HELP = {
    "backbone.name": "`demo` is the bundled small Swin. Any timm model name can be typed.",
    "data.name": "A known dataset, or type `folder:` and the path of a folder with one subfolder of images per class.",
    "data.shots": "Training images per class; empty: all of them.",
    "adapter.sigma_0": "Token width over neurons when adapters are put in: 8 gives a layer of width 96 twelve neurons.",
    "prune.sigma_target": "Pruning goes on until the compression is this high.",
    "prune.rho": "Share of the neurons that every cut removes, between 0 and 1.",
    "prune.scope": "global: all layers compete, and some may lose their adapter. local: every layer keeps its share.",
    "seed": "Same seed, same numbers.",
    "method": "mimi prunes; adapter, linear and full are what it is compared with.",
}


def main() -> None:
    common.through_app()
    st.title("A run of your own", anchor=False)
    preset = st.segmented_control(
        "Start from", list(PRESETS), default="demo", required=True, key="preset", bind="query-params"
    )
    st.caption(PRESET_HELP[preset])
    values, more = fields(preset)
    try:
        config = make_config(values, preset=preset, sets=more)
    except ConfigError as error:
        st.error(common.plain(str(error)), icon=":material/error:")
        return
    st.markdown(f":material/timeline: {common.plain(plan(config))}")
    act(config)
    as_text(config, preset)


def fields(preset: str) -> tuple[dict[str, Any], list[str]]:
    """The form: nested values of the main settings, and `a.b=value` lines for all others."""
    base, known = make_config(preset=preset), settings()
    values: dict[str, Any] = {}
    for column, (title, labels) in zip(st.columns(3, gap="large"), LABELS.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            for path, label in labels.items():
                values[path] = field(known[path], label, value_at(base, path), preset)
    with st.expander("All other settings", icon=":material/tune:"):
        typed = st.text_area(
            "One a line, as section.key=value",
            placeholder="adapter.placement=parallel\ntrain.weight_decay=0.01",
            key=f"{preset}.more",
        )
        st.code(settings_text(), language=None, height=300)
    return nested(values), [line.strip() for line in typed.splitlines() if line.strip()]


def field(setting: Setting, label: str, value: Any, preset: str) -> Any:
    """One widget, without limits of its own: RunConfig knows what is allowed and says so. Every preset has its own."""
    common_arguments = {"key": f"{preset}.{setting.path}", "help": HELP.get(setting.path, setting.help) or None}
    if setting.path in SUGGESTED:
        options = list(dict.fromkeys([value, *SUGGESTED[setting.path]]))
        return st.selectbox(label, options, accept_new_options=True, **common_arguments)
    if setting.kind == "choice":
        return st.selectbox(label, setting.choices, index=setting.choices.index(value), **common_arguments)
    if setting.kind == "integer":
        return st.number_input(label, value=value, step=1, placeholder="all", **common_arguments)
    if setting.kind == "number":
        return st.number_input(label, value=float(value), step=None, format="%g", **common_arguments)
    return st.text_input(label, value=value, **common_arguments)


def act(config: RunConfig) -> None:
    with st.container(horizontal=True):
        start = st.button("Launch", type="primary", icon=":material/rocket_launch:")
        ask = st.button(
            "Check before launch",
            icon=":material/fact_check:",
            help="Reads the data, finds the adapter sites, times a few steps. In another process; nothing starts.",
        )
    if start:
        launch(config)
    if ask:
        with st.spinner("Checking: reading the data, building the model, timing a few steps …", show_time=True):
            st.session_state["checked"] = (config, check(config))
    checked = st.session_state.get("checked")
    if checked and checked[0] == config:
        report(checked[1])


def launch(config: RunConfig) -> None:
    try:
        run_id = control.submit(common.user_store(), config)
    except MimiError as error:
        st.error(common.plain(str(error)), icon=":material/error:")
        return
    st.switch_page(common.MONITOR, query_params={"run": run_id})


def report(found: CheckReport) -> None:
    with st.container(border=True):
        if not found.ok:
            st.error(f"This would fail: {common.plain(found.error or 'no reason given')}", icon=":material/error:")
            return
        st.success("This will run.", icon=":material/check_circle:")
        for warning in found.warnings:
            st.warning(common.plain(warning), icon=":material/warning:")
        facts = {
            "Adapter sites": f"{found.sites:,}",
            "Neurons at start": f"{found.initial_neurons:,}",
            "Expected time": words.duration(found.seconds) if found.seconds is not None else "unknown",
            "Memory": words.size(found.memory_bytes) if found.memory_bytes is not None else "unknown",
            "Images per second": f"{found.images_per_second:,.0f}" if found.images_per_second else "unknown",
            " / ".join(found.split_sizes).capitalize() or "Images": " / ".join(map(str, found.split_sizes.values()))
            or "unknown",
        }
        for column, (label, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
            column.metric(common.plain(label), common.plain(value))
        if found.cycles:
            st.dataframe(
                [cycle.model_dump() for cycle in found.cycles],
                hide_index=True,
                width="content",
                column_config={
                    "cycle": "Cut",
                    "neurons": st.column_config.NumberColumn("Neurons", format="localized"),
                    "adapter_parameters": st.column_config.NumberColumn("Adapter parameters", format="localized"),
                    "trained_parameters": st.column_config.NumberColumn("Trained parameters", format="localized"),
                },
            )


def as_text(config: RunConfig, preset: str) -> None:
    changes = differences(config, make_config(preset=preset))
    command = [
        "python",
        "-m",
        "mimi_core",
        "run",
        "--preset",
        preset,
        *(part for c in changes for part in ("--set", c)),
    ]
    st.markdown("**The same from the command line**")
    st.code(shlex.join(command), language="bash", wrap_lines=True)
    with st.expander("The whole config", icon=":material/description:"):
        st.code(to_yaml(config), language="yaml")


main()
