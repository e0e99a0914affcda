"""Launch: one run or a sweep from one form, looked at and checked before it starts."""

import re
import shlex

import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.analysis.launch.words import plan_in_words
from mimi_core.config import RunConfig, for_own_images, to_yaml
from mimi_core.config.settings import link
from mimi_core.data.catalogue import on_this_machine
from mimi_core.errors import MimiError
from mimi_core.runs.status import ENDED
from pages.widgets import acting, checks, dataset, dataset_choice, failure, gate, stores
from pages.widgets.launch_form import form, keep_form, open_with
from pages.widgets.menu import Page, switch_to, through_app
from pages.widgets.setting_words import in_words
from pages.widgets.sweep_builder import sweep_builder
from pages.widgets.text import plain

PAGE = Page(title="Launch", icon=":material/rocket_launch:", order=10)
KINDS = ("One run", "Sweep")
"""As the address has them, too: with a `format_func` it would have its words."""


def main() -> None:
    through_app()
    st.title("A run of your own", anchor=False)
    st.caption(
        "Choose where to start from, change what you like, and launch. The address of this page always says what the "
        "form says: whoever opens it sees the same form."
    )
    failed = failure.of_the_address()
    filled = form(on_this_machine(stores.datasets_folder()), failure.remarks(failed))
    failure.show(failed, filled.config)
    preset, config = filled.preset, filled.config
    if not filled.wrong:
        st.markdown(f":material/timeline: {plain(plan_in_words(config))}")
    problems = st.container()
    kind = st.segmented_control(
        "Launch",
        KINDS,
        default=KINDS[0],
        required=True,
        key="kind",
        bind="query-params",
        label_visibility="collapsed",
    )
    if kind == "Sweep":
        sweep_builder(preset, config, filled.wrong)
    else:
        one_run(preset, config, filled.wrong)
    the_data(preset, config, problems)


def one_run(preset: str, config: RunConfig, wrong: str | None) -> None:
    fails = (
        "The check says that this would fail. Change something, or check again." if checks.would_fail(config) else None
    )
    before = sum(not stored.example and stored.run.phase not in ENDED for stored in stores.all_runs())
    with st.container(horizontal=True, vertical_alignment="center"):
        if gate.button(
            "Launch",
            "launch",
            blocked=wrong or fails,
            type="primary",
            icon=":material/rocket_launch:",
            on_click=keep_form,
        ):
            launch(config)
        if gate.button(
            "Check before launch",
            "launch",
            blocked=wrong,
            icon=":material/fact_check:",
            help=checks.HELP,
            on_click=keep_form,
        ):
            checks.start(config)
        if wrong or fails:
            st.caption(f":material/block: {plain(wrong or fails or '')}")
        elif before:
            st.caption(f"{words.count(before, 'run')} under way or waiting: this one starts when a slot is free.")
    if wrong:
        return
    checks.show(config)
    as_text(preset, config)


def launch(config: RunConfig) -> None:
    try:
        run_id = acting.submit(config)
    except MimiError as error:
        st.error(in_words(str(error)), icon=":material/error:")
        return
    switch_to("monitor", {"run": run_id})


def as_text(preset: str, config: RunConfig) -> None:
    settings = [part for line in link(config, preset)["set"] for part in ("--set", line)]
    with st.expander("The same as a command, and as a file", icon=":material/terminal:"):
        command = ["python", "-m", "mimi_core", "run", "--preset", preset, *settings]
        st.code(shlex.join(command), language="bash", wrap_lines=True)
        text = to_yaml(config)
        st.download_button(
            "Download the config",
            text,
            file_name=f"{re.sub(r'[^a-z0-9]+', '-', config.name.lower()).strip('-')[:40] or 'config'}.yaml",
            mime="application/yaml",
            icon=":material/download:",
            on_click="ignore",
        )
        st.code(text, language="yaml", height=300)


def the_data(preset: str, config: RunConfig, problems: "st.delta_generator.DeltaGenerator") -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("The data", anchor=False)
        uploaded, other = dataset.upload(), dataset_choice.others()
    if gate.refusal("launch"):  # a dataset can be any folder of this machine
        st.caption("What the data look like is shown to who may launch.")
        return
    if uploaded or other:
        named = config.data.model_copy(update={"name": other, "path": None})
        data = dataset.made_to_fit(config.data, uploaded) if uploaded else named
        chosen = config.model_copy(update={"data": data})
        filled = link(for_own_images(chosen, preset) if uploaded else chosen, preset)
        open_with(preset, filled["set"])
        st.rerun()
    dataset.show(config.data, problems)


if __name__ == "__main__":
    main()
