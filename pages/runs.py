"""Runs: all of them in one table, what waits, and the same runs by setting, with means over seeds."""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ButtonColumnResult, ColumnConfig

from mimi_core.analysis.common.statistics import INTERVALS
from mimi_core.analysis.common.tables import in_percent
from mimi_core.analysis.common.words import count, percent
from mimi_core.analysis.overview.groups import Variant
from mimi_core.analysis.overview.runs_table import EXAMPLE, Filters, by_group, filtered, groups_table, runs_table
from mimi_core.config.methods import METHODS
from mimi_core.errors import MimiError
from mimi_core.runs.queue.dispatcher import queued
from mimi_core.runs.status import ENDED, ShownPhase
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import label_of as score_label
from pages.widgets import acting, gate, refresh, run_actions, stores
from pages.widgets.badge import phase_colour
from pages.widgets.menu import Page, link_to, switch_to, through_app
from pages.widgets.run_picker import no_runs
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

PAGE = Page(title="Runs", icon=":material/list:", order=20)
EVERY_RUN, OVER_SEEDS = "every run", "means over seeds"
STATES = (*get_args(get_args(ShownPhase)[0]), *get_args(get_args(ShownPhase)[1]), EXAMPLE)
MOST_ROWS, ROW_PIXELS = 17, 36


def main() -> None:
    through_app()
    run_actions.tell()
    runs = stores.all_runs()
    if not runs:
        no_runs()
        return
    st.title("Runs", anchor=False)
    wanted, view = controls(runs)
    queue(stores.user_store())
    if view == OVER_SEEDS:
        groups(matching(runs, wanted))
    else:
        listing(wanted)


def controls(runs: list[StoredRun]) -> tuple[Filters, str]:
    """Filters and view, kept in the URL as `q`, `state`, `method`, `group` and `view`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Search",
            key="q",
            bind="query-params",
            placeholder="words in title, id, group, data, backbone, score …",
            icon=":material/search:",
            live=True,
            max_chars=200,
        )
        states = st.multiselect("State", STATES, key="state", bind="query-params", placeholder="all", width=190)
        methods = st.multiselect(
            "Method", tuple(METHODS), key="method", bind="query-params", placeholder="all", width=190
        )
        named = sorted({stored.run.group for stored in runs if stored.run.group})
        group = st.selectbox("Group", named, index=None, key="group", bind="query-params", placeholder="all", width=190)
        view = st.segmented_control(
            "Show", [EVERY_RUN, OVER_SEEDS], default=EVERY_RUN, required=True, key="view", bind="query-params"
        )
    return Filters(text or "", states, methods, group), view or EVERY_RUN


def matching(runs: Sequence[StoredRun], wanted: Filters) -> list[StoredRun]:
    known = {stored.run.id: stored for stored in runs}
    return [known[run_id] for run_id in filtered(_table(runs), wanted)["id"]]


def _table(runs: Sequence[StoredRun]) -> pd.DataFrame:
    return runs_table((stored.run, stored.example) for stored in runs)


# --- every run ------------------------------------------------------------------------------------------------------


def listing(wanted: Filters) -> None:
    """The table, anew every few seconds while a run goes on; it stands still while rows are chosen."""
    members = matching(stores.all_runs(), wanted)
    if not members:
        st.info("No run passes these filters.", icon=":material/filter_alt_off:")
        return
    key = run_actions.key_of("runs", [one.run for one in members])
    rows = _rows(key)
    actions(_chosen(members, key))
    live = any(one.run.phase not in ENDED for one in members)
    st.fragment(_live_table, run_every=refresh.ONE_RUN if live and not rows else None)(
        wanted, key, rows, _waiting(members)
    )
    st.caption(
        "Accuracy is on the test images, of the last evaluation that followed training, never the best. σ is the "
        "compression now: token widths over neurons. *Gone*: adapters that lost their last neuron. A click on a "
        "column's name sorts."
    )


def _live_table(wanted: Filters, key: str, rows: list[int], waiting: int) -> None:
    members = matching(stores.all_runs(), wanted)
    if (
        run_actions.key_of("runs", [one.run for one in members]) != key
        or _rows(key) != rows
        or _waiting(members) != waiting
    ):
        st.rerun()  # runs have come or gone, were started or chosen: the rest of the page follows
    table(members, key)


def _waiting(members: Sequence[StoredRun]) -> int:
    return sum(one.run.phase == "queued" for one in members)


def table(members: Sequence[StoredRun], key: str) -> None:
    """Draw runs as rows to choose from, and to open by a click."""
    clicked = st.session_state.get(f"open-{key}")
    if clicked is not None and clicked["row"] < len(members):
        switch_to("monitor", members[clicked["row"]].link)
    shown = in_percent(_table(members), ["accuracy"])
    shown.insert(0, "open", ":material/open_in_full:")
    shown["score"] = (shown["score"].map(score_label) + " · " + shown["scope"]).str.strip(" ·")
    shown["state"] = [
        [f"{state} {percent(share, 0)}" if share == share else state]
        for state, share in zip(shown["state"], shown["share"], strict=True)
    ]
    st.dataframe(
        shown,
        key=key,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        height=_height(len(shown)),
        placeholder="–",
        column_order=(
            "open title state accuracy sigma neurons gone trained_parameters group method score data backbone "
            "seed created seconds id"
        ).split(),
        column_config=_columns(key, shown["state"]),
        alt=f"Table of {count(len(shown), 'run')}",
    )


def _columns(key: str, states: pd.Series) -> dict[str, ColumnConfig | ButtonColumnResult]:
    column, number = st.column_config, st.column_config.NumberColumn
    names = sorted({state for cell in states for state in cell})
    return {
        "open": column.ButtonColumn("", width=44, pinned=True, type="tertiary", key=f"open-{key}", help="Open"),
        "title": column.TextColumn("Title", width=190),
        "state": column.MultiselectColumn(
            "State", options=names, color=[phase_colour(name.split()[0]) for name in names], width=118
        ),
        "accuracy": number("Accuracy", format="%.1f %%", width=84),
        "sigma": number("σ", format="%.3g×", width=64, help="compression now: token widths over neurons"),
        "neurons": number("Neurons", format="localized", width=76, help="left in all adapters"),
        "gone": number("Gone", format="%d", width=60, help="adapters that lost their last neuron"),
        "trained_parameters": number("Trained", format="compact", width=78, help="parameters trained now, with head"),
        "group": column.TextColumn("Group", width=120),
        "method": column.TextColumn("Method", width=88),
        "score": column.TextColumn("Score · scope", width=120),
        "data": column.TextColumn("Data", width=90),
        "backbone": column.TextColumn("Backbone", width=110),
        "seed": number("Seed", format="%d", width=56),
        "created": column.DatetimeColumn("Created", format="D MMM YYYY HH:mm", width=136),
        "seconds": number("Took", format="%d s", width=70, help="time of the whole run"),
        "id": column.TextColumn("Id", width=250),
    }


def _height(rows: int, most: int = MOST_ROWS) -> int | Literal["content"]:
    return "content" if rows <= most else ROW_PIXELS * most


def _rows(key: str) -> list[int]:
    state = st.session_state.get(key)
    return list(state["selection"]["rows"]) if state else []


def _chosen(members: Sequence[StoredRun], key: str) -> list[StoredRun]:
    return [members[row] for row in _rows(key) if row < len(members)]


# --- what can be done to the chosen ones ----------------------------------------------------------------------------


def actions(chosen: list[StoredRun]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", height=44, border=False):
        if not chosen:
            st.caption("Choose rows, by the boxes on the left, to open, compare, stop, resume or delete them.")
            return
        st.markdown(f"**{count(len(chosen), 'run')} chosen**", width="content")
        links(chosen)  # all from the left: over the right end lies the table's own toolbar
        run_actions.buttons(chosen)


def links(chosen: list[StoredRun]) -> None:
    if len(chosen) == 1:
        for page in ("monitor", "widths", "why") if chosen[0].run.sites else ("monitor",):
            link_to(page, query=chosen[0].link)
    elif len(chosen) == 2 and all(stored.run.sites for stored in chosen):
        both = {"run": chosen[0].run.id, "with": chosen[1].run.id}
        link_to("widths", "Compare widths", icon=":material/compare:", query=both)


# --- the queue ------------------------------------------------------------------------------------------------------


def queue(store: Store) -> None:
    """What waits, in the order in which it will start."""
    try:
        order = queued(store)
    except MimiError:
        return  # told where the runs are listed
    if not order:
        return
    with st.expander(f"Queue: {count(len(order), 'run')} waiting", icon=":material/hourglass_empty:", expanded=True):
        runs = [store.summary(run_id) for run_id in order]
        moves: dict[str, Callable[[int], int]] = {
            "first": lambda row: 0,
            "up": lambda row: max(row - 1, 0),
            "down": lambda row: row + 1,
        }
        if gate.refusal("admin"):
            moves = {}
        keys = {name: run_actions.key_of(f"queue-{name}", runs) for name in moves}
        st.dataframe(
            {
                "place": list(range(1, len(runs) + 1)),
                "title": [run.title for run in runs],
                "group": [run.group for run in runs],
                "seed": [run.seed for run in runs],
                "first": [":material/vertical_align_top: First"] * len(runs),
                "up": [":material/arrow_upward: Up"] * len(runs),
                "down": [":material/arrow_downward: Down"] * len(runs),
                "id": [run.id for run in runs],
            },
            hide_index=True,
            height=_height(len(runs), most=6),
            column_order=("place", "title", "group", "seed", *moves, "id"),
            column_config={
                "place": st.column_config.NumberColumn("Place", width=60),
                "title": st.column_config.TextColumn("Title", width=240),
                "group": "Group",
                "seed": st.column_config.NumberColumn("Seed", format="%d", width=60),
                "id": "Id",
                **{
                    name: st.column_config.ButtonColumn("", type="tertiary", width=90, key=keys[name]) for name in moves
                },
            },
        )
        for name, place in moves.items():
            clicked = st.session_state.get(keys[name])
            if clicked is not None and clicked["row"] < len(order):
                with contextlib.suppress(MimiError):  # it has started meanwhile, and is no longer in the way
                    acting.move(store, order[clicked["row"]], place(clicked["row"]))
                st.rerun()


# --- by setting, over seeds -----------------------------------------------------------------------------------------


def groups(runs: list[StoredRun]) -> None:
    if not runs:
        st.info("No run passes these filters.", icon=":material/filter_alt_off:")
        return
    now = "\n".join(f"{one.run.id} {one.run.phase}" for one in runs)
    rows = _by_group(now, runs)
    shown = in_percent(groups_table(rows), ["accuracy", "low", "high"])
    key = f"groups-{hashlib.sha1(now.encode(), usedforsecurity=False).hexdigest()[:12]}"
    number = st.column_config.NumberColumn
    st.dataframe(
        shown,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        height=_height(len(shown)),
        placeholder="–",
        column_order=("group setting seeds accuracy low high sigma neurons gone trained_parameters states".split()),
        column_config={
            "group": st.column_config.TextColumn("Group", width=160),
            "setting": st.column_config.TextColumn("Setting", width=240, help="what differs within the group"),
            "seeds": number("Seeds", width=64, help="different ones of the finished runs"),
            "accuracy": number("Accuracy", format="%.1f %%", help="mean over the seeds"),
            "low": number("From", format="%.1f %%", width=72, help=f"of the {INTERVALS['t']}, within 0 and 100 %"),
            "high": number("To", format="%.1f %%", width=72),
            "sigma": number("σ", format="%.3g×", help="compression at the end, mean"),
            "neurons": number("Neurons", format="%.4g", help="left, mean"),
            "gone": number("Gone", format="%.3g", help="adapters that lost their last neuron, mean"),
            "trained_parameters": number("Trained", format="compact", help="parameters trained at the end, mean"),
            "states": st.column_config.TextColumn("Not finished", width=160),
        },
        alt=f"Table of {count(len(shown), 'setting')}",
    )
    st.caption(
        "A row is one setting: runs of a group that differ in title and seeds alone. The interval is Student's, over "
        "the seeds of the finished runs. Choose a row to see its runs."
    )
    chosen = _rows(key)
    if not chosen or chosen[0] >= len(rows):
        return
    group, variant = rows[chosen[0]]
    ids = {run.id for run in variant.runs}
    members = [one for one in runs if one.run.id in ids]
    st.subheader(plain(f"{group or 'No group'}: {variant.label}"), anchor=False)
    members_key = run_actions.key_of("members", [one.run for one in members])
    actions(_chosen(members, members_key))
    table(members, members_key)


@st.cache_data(max_entries=8, show_spinner="Reading the settings of all runs …")
def _by_group(now: str, _found: list[StoredRun]) -> list[tuple[str, Variant]]:
    """Kept while the same runs are in the same phases: configs do not change, nor does what has ended."""
    members = []
    for one in _found:
        with contextlib.suppress(MimiError):  # a broken run has no settings
            members.append((one.run, one.store.config(one.run.id)))
    return by_group(members)


if __name__ == "__main__":
    main()
