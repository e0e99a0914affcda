"""Home: what this is, the demo with one click, and the runs and groups that there are."""

import contextlib
import time

import streamlit as st

from mimi_core.analysis.common.words import count, percent_interval
from mimi_core.analysis.overview import cards
from mimi_core.analysis.overview.groups import Member, Variant, variants
from mimi_core.config import make_config
from mimi_core.errors import MimiError
from mimi_core.runs.status import ENDED, FAILED
from pages.widgets import acting, drawing, gate, preset_words, refresh, stores
from pages.widgets.badge import phase_badge
from pages.widgets.menu import Page, link_to, pages, switch_to, through_app
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

PAGE = Page(title="Home", icon=":material/home:", order=0)
COLUMNS = 4
MOST_LIVE, MOST_RECENT, MOST_GROUPS, MOST_VARIANTS = 4, 8, 3, 5
GUIDE = stores.ROOT / "assets" / "guide"
STEPS = {
    "adapter.svg": (
        "1 · An adapter is a small bottleneck",
        "The backbone stays frozen. At every attention and every MLP sits an adapter: down to a few neurons, up again, "
        "and added to what the layer says. Only adapters and the classifier are trained.",
    ),
    "cut.svg": (
        "2 · A cut takes the least important neurons",
        "After training, every neuron gets a score, and the lowest of all go, half of them by default. The rest is "
        "trained again, until the next cut. A layer whose neurons all rank low loses its adapter altogether.",
    ),
    "look.svg": (
        "3 · Look at Widths, then ask Why",
        "Widths shows how many neurons every layer keeps, cut after cut: that is where this task needs adapting. Why "
        "shows the scores behind a cut, and what other settings would have taken.",
    ),
}


def main() -> None:
    through_app()
    runs = stores.all_runs()
    mine = [stored for stored in runs if not stored.example]
    examples = [stored for stored in runs if stored.example]
    hero(mine, examples)
    if not mine:
        guide(examples)
    live = [stored for stored in mine if stored.run.phase not in ENDED]
    if live:
        st.fragment(running, run_every=refresh.ONE_RUN)(live)
    recent([stored for stored in mine if stored.run.phase in ENDED and not stored.run.group], len(mine))
    groups(mine)
    if examples:
        st.subheader("Examples", anchor=False)
        st.caption("Finished runs that come with the program: the demo, with global and with local cuts.")
        grid(examples)
    if mine:
        guide(examples)


def hero(mine: list[StoredRun], examples: list[StoredRun]) -> None:
    """What this is, the first thing to do, and the last thing that was found."""
    left, right = st.columns([5, 4], gap="large", vertical_alignment="center")
    with left:
        st.title("Which layers need their adapters?", anchor=False)
        st.markdown(
            "MiMi Studio puts a small adapter at every layer of a frozen Vision Transformer, trains them, and removes "
            "the least important neurons, cut after cut. A layer whose neurons all rank low loses its adapter. "
            "Here you watch it happen, and see why."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            if gate.button("Run the demo", "launch", type="primary", icon=":material/play_arrow:"):
                run_demo()
            link_to("launch", "A run of your own")
        demo = make_config(preset="demo")
        st.caption(f"The demo: {preset_words.size(demo)}, {preset_words.demo_takes()}. Nothing is downloaded.")
    finished = [stored for stored in mine if stored.run.phase == "finished" and stored.run.cycle]
    if finished or examples:
        with right:
            finding((finished or examples)[0])


def run_demo() -> None:
    try:
        run_id = acting.submit(make_config(preset="demo"))
    except MimiError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    switch_to("monitor", {"run": run_id})


def finding(stored: StoredRun) -> None:
    """The newest result, in words and as a picture."""
    headline, story = cards.finding_so_far(stored.run, stored.store.state(stored.run.id))
    with st.container(border=True, gap="small"):
        st.caption("An example of what comes out" if stored.example else f"Found last: {plain(stored.run.title)}")
        st.markdown(f"**{plain(headline)}**")
        picture(stored, (560, 150))
        st.caption(
            "Left to right: the layers, input first. Top to bottom: the start and every cut. Colour: share of the "
            "neurons left. A dot: the cut that took the last one."
        )
        st.markdown(plain(story))
        link_to("widths", "See its widths", query=stored.link)


def running(live: list[StoredRun]) -> None:
    """Runs that are going on or waiting, from their files as they are now."""
    now = [StoredRun(stored.store.summary(stored.run.id), stored.store, False) for stored in live]
    if any(stored.run.phase in ENDED for stored in now):
        st.rerun()  # it belongs to another part of the page now
    st.subheader("Running now", anchor=False)
    first = sorted(now, key=lambda stored: (stored.run.phase == "queued", stored.run.created))
    grid(first[:MOST_LIVE])
    if len(now) > MOST_LIVE:
        st.caption(f"and {len(now) - MOST_LIVE:,} more, most of them waiting for a free slot")


def recent(alone: list[StoredRun], of_all: int) -> None:
    """The newest runs that have ended. Those of a group are told with their group."""
    if alone:
        st.subheader("Recent runs", anchor=False)
        grid(alone[:MOST_RECENT])
    if of_all > len(alone[:MOST_RECENT]):
        link_to("runs", f":primary[All {of_all:,} runs]")


def groups(mine: list[StoredRun]) -> None:
    """Runs that belong together, such as a sweep: their number, and what their settings reach."""
    members: dict[str, list[StoredRun]] = {}
    for stored in mine:
        if stored.run.group:
            members.setdefault(stored.run.group, []).append(stored)
    if not members:
        return
    st.subheader("Groups", anchor=False)
    newest = list(members.items())[:MOST_GROUPS]
    for place, (name, together) in zip(st.columns(MOST_GROUPS), newest, strict=False):
        with place:
            group(name, together)
    if len(members) > MOST_GROUPS:
        st.caption(f"and {count(len(members) - MOST_GROUPS, 'more group')}, older")


def group(name: str, members: list[StoredRun]) -> None:
    phases = [stored.run.phase for stored in members]
    states = {
        "finished": phases.count("finished"),
        "failed": sum(phase in FAILED for phase in phases),
        "stopped": phases.count("stopped"),
        "in progress": sum(phase not in ENDED for phase in phases),
    }
    with st.container(border=True, height="stretch", gap="small"):
        st.markdown(f"**{plain(name)}**")
        st.caption(
            f"{count(len(members), 'run')}: {', '.join(f'{n} {state}' for state, n in states.items() if n)}",
        )
        now = "\n".join(f"{stored.run.id} {stored.run.phase}" for stored in members)
        st.markdown(variants_table(_variants(str(members[0].store.directory), now, members)))
        with st.container(horizontal=True):
            for page in ("ablations", "runs", "report"):
                link_to(page, query={"group": name})


@st.cache_data(max_entries=16, show_spinner=False)
def _variants(directory: str, now: str, _members: list[StoredRun]) -> list[Variant]:
    """Kept while the group's runs are in the same phases: the config of a run never changes, nor do its results."""
    known: list[Member] = []
    for stored in _members:
        with contextlib.suppress(MimiError):  # a broken run is counted as one
            known.append((stored.run, stored.store.config(stored.run.id)))
    return variants(known)


def variants_table(settings: list[Variant]) -> str:
    """Markdown: what every setting reaches, with the interval over its seeds."""
    rows = ["| | seeds | accuracy |", "|---|--:|--:|"]
    for variant in settings[:MOST_VARIANTS]:
        reached = variant.accuracy
        rows.append(f"| {plain(clipped(variant.label, 36))} | {reached.n} | {percent_interval(reached)} |")
    if len(settings) > MOST_VARIANTS:
        rows.append(f"| and {len(settings) - MOST_VARIANTS} more | | |")
    return "\n".join(rows)


def grid(runs: list[StoredRun]) -> None:
    for first in range(0, len(runs), COLUMNS):
        for place, stored in zip(st.columns(COLUMNS), runs[first : first + COLUMNS], strict=False):
            with place:
                card(stored)


def card(stored: StoredRun) -> None:
    """A run at a glance, and the ways to more of it."""
    run = stored.run
    state = stored.store.state(run.id)
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap=None):
            st.markdown(f"**{plain(clipped(run.title, 22))}**", width="content")
            phase_badge(run.phase, stored.example)
        when = time.strftime("%d %b %H:%M", time.localtime(run.created))
        st.caption(" · ".join([plain(run.data), plain(run.backbone), when]))
        if not picture(stored):
            st.caption(plain(cards.why_no_picture(run, state)))
        known = cards.key_numbers(run, state)
        for place, (what, number) in zip(st.columns([3, 4, 4], gap="xsmall"), known.items(), strict=False):
            place.markdown(f"**{number}**  \n:small[:gray[{what}]]".replace(" of ", "\u00a0of\u00a0"))
        status = stored.store.status(run.id)
        if status and run.phase not in ENDED:
            st.progress(min(max(status.progress, 0.0), 1.0), text=plain(cards.doing(status)))
        st.space("stretch")
        with st.container(horizontal=True, gap=None):
            for page in ("widths", "why") if run.phase == "finished" and run.cycle else ("monitor",):
                link_to(page, query=stored.link)


def clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def picture(stored: StoredRun, size: tuple[int, int] = (300, 78)) -> bool:
    drawn = cards.rain_picture(stored.store.state(stored.run.id), drawing.scale(), size)
    if drawn:
        image, said = drawn
        st.image(image, width="stretch", alt=said)
    return drawn is not None


def guide(examples: list[StoredRun]) -> None:
    """For somebody who has never heard of adapters."""
    st.subheader("In two minutes", anchor=False)
    for place, (file, (title, text)) in zip(st.columns(len(STEPS), gap="medium"), STEPS.items(), strict=True):
        with place.container(border=True, height="stretch", gap="small"):
            st.image(str(GUIDE / file), width="stretch", alt="")
            st.markdown(f"**{title}**")
            st.markdown(text)
    if examples:
        with st.container(horizontal=True):
            for page in ("widths", "why"):
                link_to(page, f"{pages()[page].title} of an example", query=examples[0].link)


if __name__ == "__main__":
    main()
