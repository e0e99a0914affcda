"""Report: a run or a group of runs as one HTML file to keep, print and send; and the trained model to take along."""

import base64
import re
from collections.abc import Callable

import streamlit as st

from mimi_core.analysis.common.words import count
from mimi_core.analysis.report import group_report, run_report
from mimi_core.errors import MimiError
from pages import common
from pages.widgets.exports import exports

PREVIEW_PIXELS = 1000


def main() -> None:
    common.through_app()
    runs = common.all_runs()
    groups = group_sizes(runs)
    st.title("Report", anchor=False)
    if about_group(groups):
        of_group(groups)
    else:
        of_run(runs)


def group_sizes(runs: list[common.Found]) -> dict[str, int]:
    """Name of every group, newest first -> number of its runs."""
    sizes: dict[str, int] = {}
    for found in runs:
        if found.run.group and not found.example:
            sizes[found.run.group] = sizes.get(found.run.group, 0) + 1
    return sizes


def about_group(groups: dict[str, int]) -> bool:
    """One run or a whole group; `group` in the URL says which."""
    asked = "group" in st.query_params
    if not groups and not asked:
        return False
    st.session_state["report_about"] = "A group" if asked else "One run"

    def changed() -> None:
        if st.session_state["report_about"] == "A group":
            st.query_params.pop("run", None)
            st.query_params["group"] = next(iter(groups), "")
        else:
            st.query_params.pop("group", None)

    st.segmented_control(
        "About", ["One run", "A group"], key="report_about", on_change=changed, required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return asked


def of_run(runs: list[common.Found]) -> None:
    widths, icon = common.NAVIGATION[common.WIDTHS]
    found = common.pick_run(runs, common.WIDTHS, widths, icon)
    if found is None:
        return
    report, model = st.tabs(["Report", "Trained model"])
    with report:
        offer(lambda: run_report(found.store, found.run.id), found.run.id)
    with model:
        exports(found)


def of_group(groups: dict[str, int]) -> None:
    asked = st.query_params["group"]
    if asked not in groups:
        st.warning(f"There is no group {common.plain(repr(asked[:80]))} here. Runs join one by their setting `group`.")
        if not groups:
            return
    st.session_state["report_group"] = asked if asked in groups else next(iter(groups))
    group = st.selectbox(
        "Group",
        list(groups),
        format_func=lambda name: f"{name} · {count(groups[name], 'run')}",
        key="report_group",
        on_change=lambda: st.query_params.update(group=st.session_state["report_group"]),
        label_visibility="collapsed",
        filter_mode="contains",
    )
    st.query_params["group"] = group
    offer(lambda: group_report(common.user_store(), group), f"group-{group}")


def offer(make: Callable[[], str], name: str) -> None:
    """The report to download, and what it looks like."""
    st.caption(
        "One HTML file with the finding, the numbers and the pictures: it holds no script and fetches nothing, so it "
        "can be mailed, archived and printed. It says what the files say now; of a run that goes on, until now."
    )
    try:
        with st.spinner("Writing the report …"):
            page = make()
    except MimiError as error:
        st.error(common.plain(str(error)), icon=":material/broken_image:")
        return
    content = page.encode()
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "report"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download",
            content,
            f"{slug}.html",
            "text/html",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(f"{slug}.html · {len(content) / 1000:,.0f} kB", width="content")
    # As a data URL it has an origin of its own and cannot reach this page, whatever it holds.
    preview = f"data:text/html;charset=utf-8;base64,{base64.b64encode(content).decode()}"
    with st.container(border=True):
        st.iframe(preview, height=PREVIEW_PIXELS, alt="The report as it looks in a browser")


main()
