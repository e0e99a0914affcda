"""What the pages share: the stores, the run that is looked at, and how untrusted text is shown. Not a page itself."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mimi_core.analysis.common.theme import Scale, colour_scale
from mimi_core.errors import MimiError, ResourceError
from mimi_core.resources import EXAMPLES
from mimi_core.runs.queue.dispatcher import ensure_dispatcher, queued
from mimi_core.runs.status import ENDED
from mimi_core.runs.store import RunSummary, Store

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "assets" / "study"
HOME, LAUNCH, RUNS, MONITOR = "pages/home.py", "pages/launch.py", "pages/runs.py", "pages/monitor.py"
WIDTHS, WHY, PREDICT = "pages/widths.py", "pages/why.py", "pages/predict.py"
ABLATIONS, TRADE_OFF, REPORT = "pages/ablations.py", "pages/trade_off.py", "pages/report.py"
NAVIGATION = {
    HOME: ("Home", ":material/home:"),
    LAUNCH: ("Launch", ":material/rocket_launch:"),
    RUNS: ("Runs", ":material/list:"),
    MONITOR: ("Monitor", ":material/monitoring:"),
    WIDTHS: ("Widths", ":material/stacked_bar_chart:"),
    WHY: ("Why", ":material/psychology_alt:"),
    PREDICT: ("Predict", ":material/image_search:"),
    ABLATIONS: ("Ablations", ":material/science:"),
    TRADE_OFF: ("Trade-off", ":material/balance:"),
    REPORT: ("Report", ":material/description:"),
}
"""File -> title and icon of every page, in the order of the menu; the first is what the bare address shows."""
CHART = {"displayModeBar": False, "responsive": True}

_BADGES = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "finished": ("green", ":material/check_circle:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "failed": ("red", ":material/error:"),
    "died": ("red", ":material/heart_broken:"),
    "broken": ("red", ":material/broken_image:"),
}
_LINKLIKE = re.compile(r"://|@|www(?=\.)")
_MARKDOWN = re.compile(r"([!-/:-@\[-`{-~])")


@dataclass(frozen=True)
class Found:
    """A run and the store that it is in. Examples come with the program and are never changed."""

    run: RunSummary
    store: Store
    example: bool

    @property
    def link(self) -> dict[str, str]:
        return {"run": self.run.id}


def navigation(icons: bool = True) -> list[st.Page]:
    """Every page of the app. app.py runs the one that is asked for."""
    first = next(iter(NAVIGATION))
    return [
        st.Page(file, title=title, icon=icon if icons else None, default=file == first)
        for file, (title, icon) in NAVIGATION.items()
    ]


def through_app() -> None:
    """Make sure that app.py ran first.

    When a link to a page is the first request that a fresh server sees, Streamlit runs the page's file by itself.
    Its first `st.navigation` ends that mode for the whole server; the rerun goes through app.py, to the same page.
    """
    if "through_app" not in st.session_state:
        # Without icons: a browser would fetch a page's from a server of Google's, until app.py sets the tab's own.
        st.navigation(navigation(icons=False), position="hidden")
        st.rerun()


@st.cache_resource
def _store(directory: str) -> Store:
    return Store(directory)


def user_store() -> Store:
    store = _store(os.environ.get("MIMI_RUNS") or str(ROOT / "runs"))
    _wake_queue(str(store.directory))
    return store


@st.cache_resource
def _wake_queue(directory: str) -> None:
    """Once per server: runs that were waiting when the machine went down are started now."""
    with contextlib.suppress(OSError, MimiError):  # a folder that cannot be used is said where it is listed
        if queued(_store(directory)):
            ensure_dispatcher(Path(directory))


def all_runs() -> list[Found]:
    """The user's runs, newest first, then the examples."""
    mine, examples = user_store(), _store(str(EXAMPLES))
    try:
        own = mine.list()
    except ResourceError as error:
        st.error(f"Your runs: {plain(str(error))}.")
        own = []
    return [Found(run, mine, False) for run in own] + [Found(run, examples, True) for run in examples.list()]


def study_runs() -> list[Found]:
    """The runs behind docs/findings.md that have finished. They come with the program, without adapters and scores."""
    study = _store(str(STUDY))
    return [Found(run, study, True) for run in study.list() if run.phase == "finished"]


def pick_run(
    runs: list[Found], other_page: str, label: str, icon: str, suits: Callable[[RunSummary], bool] = bool
) -> Found | None:
    """Draw the choice of a run, kept in the URL as `run`, and a link to another page about it.

    Args:
        suits: what the page is about; the newest such run is shown while nobody has chosen one.

    Returns:
        The run, or None when there is none at all; the page then already says what to do.
    """
    known = {found.run.id: found for found in runs}
    if not known:
        no_runs()
        return None
    asked = st.query_params.get("run")
    if asked is not None and asked not in known:
        st.warning(
            f"There is no run {plain(repr(asked[:80]))} here. It may have been deleted, or be in another folder."
        )
    suiting = next((found.run.id for found in runs if suits(found.run)), None)
    candidates = (asked, st.session_state.get("last_run"), suiting, next(iter(known)))
    st.session_state["pick_run"] = next(run_id for run_id in candidates if run_id in known)
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.selectbox(
            "Run",
            list(known),
            format_func=lambda run_id: run_title(known[run_id]),
            key="pick_run",
            on_change=lambda: st.query_params.update(run=st.session_state["pick_run"]),
            label_visibility="collapsed",
            filter_mode="contains",
        )
        st.page_link(other_page, label=label, icon=icon, query_params={"run": chosen})
    st.session_state["last_run"] = st.query_params["run"] = chosen
    return known[chosen]


def makes_cuts(run: RunSummary) -> bool:
    """Whether there are, or will be, cuts to look at."""
    return run.cycles > 0 and run.phase != "broken"


def no_runs() -> None:
    """The page of a first visit without any example."""
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader("No runs yet", text_alignment="center")
        st.markdown("Start one, and its widths appear here as they shrink.", text_alignment="center")
        st.page_link(LAUNCH, label="Run the demo", icon=":material/play_arrow:")


def run_title(found: Found) -> str:
    """One line for a list of runs. Plain text."""
    run = found.run
    what = "example" if found.example else run.phase if run.phase in ENDED else "in progress"
    when = time.strftime("%d %b %Y %H:%M", time.localtime(run.created))
    return " · ".join([run.title, run.data, run.backbone, what, when])


def phase_badge(phase: str, example: bool = False) -> None:
    if example:
        st.badge("example", icon=":material/school:", color="violet")
        return
    colour, icon = _BADGES.get(phase, ("blue", ":material/autorenew:"))
    st.badge(phase, icon=icon, color=colour)  # type: ignore[arg-type]


def plain(text: str) -> str:
    """Untrusted text, for where Streamlit reads Markdown: shown as written, never as links, images or code."""
    unlinked = _LINKLIKE.sub("\\g<0>\u2060", " ".join(text.split()))  # an invisible joiner where a link would start
    return _MARKDOWN.sub(r"\\\1", unlinked)


def scale() -> Scale:
    """The colour scale that fits the page's theme."""
    return colour_scale(st.context.theme.type)
