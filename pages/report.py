"""Report: a run or a group of runs as one HTML file to keep, print and send; and the trained model to take along."""

import base64
import re
from collections.abc import Callable

import streamlit as st

from mimi_core.analysis.common.words import count
from mimi_core.analysis.report import group_report, run_report
from mimi_core.errors import MimiError
from pages.widgets import address, stores
from pages.widgets.exports import exports
from pages.widgets.menu import Page, through_app
from pages.widgets.run_picker import pick_run
from pages.widgets.stores import StoredRun
from pages.widgets.text import distinct, plain

PAGE = Page(title="Report", icon=":material/description:", order=90)
RUN, GROUP = "One run", "A group"
PREVIEW_PIXELS = 1000


def main() -> None:
    through_app()
    runs = stores.all_runs()
    groups = group_sizes(runs)
    st.title("Report", anchor=False)
    if about_group(groups):
        of_group(groups)
    else:
        of_run(runs)


def group_sizes(runs: list[StoredRun]) -> dict[str, int]:
    """Name of every group, newest first -> number of its runs."""
    sizes: dict[str, int] = {}
    for stored in runs:
        if stored.run.group and not stored.example:
            sizes[stored.run.group] = sizes.get(stored.run.group, 0) + 1
    return sizes


def about_group(groups: dict[str, int]) -> bool:
    """One run or a whole group; `group` in the URL says which."""
    asked = "group" in st.query_params
    if not groups and not asked:
        return False
    to_group: address.Params = {"run": None, "group": next(iter(groups), "")}
    about = address.bound(
        "about", GROUP if asked else RUN, lambda chosen: to_group if chosen == GROUP else {"group": None}
    )
    st.segmented_control("About", [RUN, GROUP], required=True, label_visibility="collapsed", **about.control)
    return asked


def of_run(runs: list[StoredRun]) -> None:
    stored = pick_run(runs, "widths")
    if stored is None:
        return
    report, model = st.tabs(["Report", "Trained model"])
    with report:
        offer(lambda: run_report(stored.store, stored.run.id), stored.run.id)
    with model:
        exports(stored)


def of_group(groups: dict[str, int]) -> None:
    asked = st.query_params["group"]
    if asked not in groups:
        st.warning(f"There is no group {plain(repr(asked[:80]))} here. Runs join one by their setting `group`.")
        if not groups:
            return
    chosen = address.one_of("group", groups, next(iter(groups)))
    st.selectbox(
        "Group",
        list(groups),
        format_func=distinct(groups, lambda name: f"{name} · {count(groups[name], 'run')}").__getitem__,
        label_visibility="collapsed",
        filter_mode="contains",
        **chosen.control,
    )
    group = st.query_params["group"] = chosen.value
    offer(lambda: group_report(stores.user_store(), group), f"group-{group}")


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
        st.error(plain(str(error)), icon=":material/broken_image:")
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


if __name__ == "__main__":
    main()
