"""Sweep: a question, or settings of one's own that vary, times seeds; what is there already is not run again."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.config import RunConfig, differences, make_config
from mimi_core.config.settings import Setting, settings, value_at
from mimi_core.errors import ConfigError, MimiError
from mimi_core.runs.queue.slots import slots
from mimi_core.sweeps import estimate, matching
from mimi_core.sweeps.estimate import Kind, Pace
from mimi_core.sweeps.matching import Planned
from mimi_core.sweeps.questions import QUESTIONS
from mimi_core.sweeps.sweep import Sweep, assignment, expand, make_sweep, to_yaml
from pages.widgets import acting, gate, stores
from pages.widgets.launch_form import keep_form
from pages.widgets.menu import link_to
from pages.widgets.text import plain

OWN = "my own"
OF_THE_SWEEP = ("name", "group", "seed")
"""Settings that are not the base's to say."""


def sweep_builder(preset: str, config: RunConfig, blocked: str | None = None) -> None:
    """Draw everything from the question to the button.

    Args:
        preset: the one that the form starts from.
        config: what the form says; all runs share it but for what varies.
        blocked: why none of it can be started.
    """
    st.caption(
        "A sweep asks one question: some settings vary, each under several seeds, and everything else is as above. "
        "Its runs form a group. What has finished is never run again, so more seeds can be added later."
    )
    question = st.selectbox("Question", [*QUESTIONS, OWN], key="question", bind="query-params")
    st.markdown(f"**{QUESTIONS[question]['question'] if question in QUESTIONS else 'What do you want to compare?'}**")
    sets = _choices(question, config)
    if question == OWN and not any(line.startswith("grid.") for line in sets):
        st.info("Choose at least one setting that varies.", icon=":material/tune:")
        return
    base = [f"base.{line}" for line in _differences(config, preset)]
    try:
        sweep = make_sweep(None, None if question == OWN else question, [f"preset={preset}", *base, *sets])
        configs = expand(sweep)
    except ConfigError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    try:
        _plan_and_act(sweep, configs, blocked)
    except MimiError as error:
        st.error(plain(str(error)), icon=":material/error:")
    _as_text(sweep, question, [*([] if preset == _preset_of(question) else [f"preset={preset}"]), *base, *sets])


def _choices(question: str, config: RunConfig) -> list[str]:
    """The widgets of one question. Returns what they say, as `--set` would have it, where it is not the default."""
    own = question == OWN
    known = QUESTIONS.get(question, {})
    sets: list[str] = []
    if own:
        fields = {path: setting for path, setting in settings().items() if path not in OF_THE_SWEEP}
        varying = st.multiselect(
            "What varies", list(fields), placeholder="Choose settings", key="vary", bind="query-params"
        )
        sets += [f"grid.{path}=[{_values(fields[path], value_at(config, path))}]" for path in varying]
    else:
        st.caption(f"Compares {plain(_varies(known))}")
    name, seeds, switches = st.columns([3, 1, 3], gap="medium", vertical_alignment="bottom")
    suggested = question if not own else "-".join(path.rpartition(".")[2] for path in varying)[:80] or "my-sweep"
    group = name.text_input(
        "Name of the group", suggested, key=f"sweep.{suggested}.name", help="Runs are found again by it."
    )
    count = seeds.number_input(
        "Seeds", 1, None, 3, key="sweep.seeds", help="How many: 0, 1, 2 .. Three is the least for an interval."
    )
    with switches:
        for flag, label in (
            ("equal_epochs", "The same number of epochs in all"),
            ("own_images", "Every seed draws its own images"),
        ):
            default = bool(known.get(flag, False))
            chosen = st.toggle(
                label, default, key=f"sweep.{question}.{flag}", help=Sweep.model_fields[flag].description
            )
            sets += [f"{flag}={str(chosen).lower()}"] if chosen != default else []
    sets += [assignment("name", group)] if own or group != question else []
    return [*sets, f"seeds={count}"] if own or count != known["seeds"] else sets


def _values(setting: Setting, value: Any) -> str:
    """The values that one setting takes in turn, as typed or chosen; at first the one of the form."""
    key = f"sweep.{setting.path}"
    if setting.kind in ("choice", "switch"):
        options = setting.choices or ("true", "false")
        return ", ".join(st.multiselect(setting.path, options, list(options), key=key, help=setting.help or None))
    shown = "null" if value is None else str(value)
    return st.text_input(f"{setting.path}, values separated by commas", shown, key=key, help=setting.help or None)


def _varies(known: Mapping[str, Any]) -> str:
    """What a question compares, in a line."""
    parts = [f"{path}: {', '.join(map(str, values))}" for path, values in known.get("grid", {}).items()]
    cases = ", ".join(case["name"] for case in known.get("cases", []))
    return "; ".join(filter(None, [*parts, cases]))


def _differences(config: RunConfig, preset: str) -> list[str]:
    """`prune.rho=0.3` for everything that the form changed."""
    changes = differences(config, make_config(preset=preset))
    return [change for change in changes if change.partition("=")[0] not in OF_THE_SWEEP]


def _preset_of(question: str) -> str | None:
    return QUESTIONS.get(question, {}).get("preset")


def _plan_and_act(sweep: Sweep, configs: Sequence[RunConfig], blocked: str | None) -> None:
    store = stores.user_store()
    planned = matching.compare(store, configs)
    paces = _known_paces(planned)
    todo = [p for p in planned if p.is_to_start()]
    _numbers(planned, todo, paces)
    if others := matching.others(store, planned):
        st.caption(
            f"The group already holds {words.count(others, 'run')} of other settings. "
            "They will be compared with these; another name keeps them apart."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        start = gate.button(
            f"Queue {words.count(len(todo), 'run')}" if todo else "Nothing to queue",
            "launch",
            blocked=blocked,
            type="primary",
            icon=":material/rocket_launch:",
            disabled=not todo,
            on_click=keep_form,
        )
        failed = [p for p in planned if p.phase == "failed"]
        again = bool(failed) and gate.button(
            f"Try {len(failed)} failed again", "launch", blocked=blocked, icon=":material/replay:", on_click=keep_form
        )
        unknown = estimate.unknown_kinds(planned, paces, retry_failed=again)
        ask = bool(unknown) and gate.button(
            "Check and estimate",
            "launch",
            blocked=blocked,
            icon=":material/fact_check:",
            help="Builds each kind of run that never finished here, and times a few steps. Nothing starts.",
            on_click=keep_form,
        )
        if any(p.run for p in planned):
            _links(sweep.name)
    try:
        if start or again:
            acting.check_sweep(configs, again)
        if (start or again or ask) and not _check(unknown):
            return
        if start or again:
            acting.queue_sweep(configs, again)
    except MimiError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if start or again:
        st.toast(f"{words.count(len(todo) + again * len(failed), 'run')} queued", icon=":material/hourglass_empty:")
    if start or again or ask:
        st.rerun()
    _list_of(planned, paces)


def _known_paces(planned: Sequence[Planned]) -> dict[Kind, Pace]:
    """From the store, or else from a check that was asked for in this tab."""
    kinds = {estimate.kind(p.config) for p in planned}
    return {**st.session_state.get("sweep_paces", {}), **estimate.measured(stores.user_store(), kinds)}


def _check(unknown: Sequence[RunConfig]) -> bool:
    """Whether every kind of run can run; its pace is kept. Says what cannot, and why."""
    paces, fits = st.session_state.setdefault("sweep_paces", {}), True
    with st.spinner(f"Checking {words.count(len(unknown), 'kind')} of run: data, model, a few steps …", show_time=True):
        reports = acting.check_and_wait(unknown)
    for config, report in zip(unknown, reports, strict=True):
        if report.ok:
            paces[estimate.kind(config)] = estimate.checked(config, report)
        else:
            fits = False
            st.error(
                f"{plain(config.name)} would fail: {plain(report.error or 'no reason given')}",
                icon=":material/error:",
            )
    return fits


def _numbers(planned: Sequence[Planned], todo: Sequence[Planned], paces: Mapping[Kind, Pace]) -> None:
    at_once = _at_once()
    seconds = estimate.seconds_left(todo, paces, at_once)
    going = sum(not p.has_ended for p in planned)
    facts = {
        "Runs": f"{len(planned):,}",
        "Finished": f"{sum(p.phase == 'finished' for p in planned):,}",
        "Waiting or running": f"{going:,}",
        "To start": f"{len(todo):,}",
        "Expected time": "unknown" if seconds is None else words.duration(seconds) if todo else "–",
    }
    for column, (label, value) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(label, value)
    if not todo:
        return
    if seconds is None:
        st.caption("No run of every kind has finished here yet, so the time is not known: check for an estimate.")
    else:
        st.caption(
            f"Expected by {estimate.source_in_words((p.config for p in todo), paces)}; "
            f"{words.count(at_once, 'run')} at a time."
        )


@st.cache_data
def _at_once() -> int:
    """Runs at a time; asking for the GPUs takes a process."""
    return len(slots())


def _links(group: str) -> None:
    for page, label in (("runs", "The runs"), ("ablations", "Compare them")):
        link_to(page, label, query={"group": group})


def _list_of(planned: Sequence[Planned], paces: Mapping[Kind, Pace]) -> None:
    """A row for every case, a column for every seed, and in the cells how far that run is."""
    rows: dict[str, dict[str, str]] = {}
    for p in planned:
        rows.setdefault(p.config.name, {"Case": p.config.name})[f"seed {p.config.seed}"] = _state(p)
        seconds = estimate.seconds_of(p.config, paces)
        rows[p.config.name]["Time of a run"] = "unknown" if seconds is None else words.duration(seconds)
    order = ["Case", *(f"seed {seed}" for seed in dict.fromkeys(p.config.seed for p in planned)), "Time of a run"]
    st.caption("How far every run is. A finished one shows its test accuracy.")
    height: int | Literal["content"] = "content" if len(rows) <= 12 else 450
    st.dataframe(list(rows.values()), column_order=order, hide_index=True, width="content", height=height)


def _state(planned: Planned) -> str:
    run, phase = planned.run, planned.phase
    if run is None:
        return "to start"
    if phase == "finished":
        return "finished" if run.accuracy is None else words.percent(run.accuracy)
    if phase == "queued":
        return "waiting"
    return (
        f"{phase}, to resume"
        if planned.is_to_start()
        else phase
        if planned.has_ended
        else f"at {words.percent(run.progress, 0)}"
    )


def _as_text(sweep: Sweep, question: str, sets: Sequence[str]) -> None:
    which = [] if question == OWN else ["--preset", question]
    command = ["python", "-m", "mimi_core", "sweep", *which, *(part for line in sets for part in ("--set", line))]
    st.markdown("**The same from the command line**")
    st.code(shlex.join(command), language="bash", wrap_lines=True)
    with st.expander("As a file, for `sweep FILE`", icon=":material/description:"):
        st.code(to_yaml(sweep), language="yaml")
