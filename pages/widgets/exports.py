"""One cycle of a run to take along: an adapter pack, or the whole model as ONNX."""

from collections.abc import Hashable
from pathlib import Path

import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.gallery import SavedCycle, saved_files
from mimi_core.runs.jobs.job import Job
from pages.widgets import address, waiting
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

TIMEOUT_SECONDS = {"pack": 300.0, "onnx": 900.0}
ENDINGS = {"pack": "zip", "onnx": "onnx"}


def exports(stored: StoredRun) -> None:
    """Draw the choice of a cycle, and for it what can be had. Not to be called from within a fragment."""
    state = stored.store.state(stored.run.id)
    st.subheader("Take a model along", anchor=False)
    saved = saved_files(stored.run.folder, len(state.cuts))
    if not saved:
        st.markdown("The run has not saved a cycle yet.")
        return
    chosen = pick_cycle(saved, state)
    pack, onnx = st.columns(2, gap="large")
    with pack:
        st.markdown("**Adapter pack**")
        st.caption(
            f"What was trained, about {size(chosen.size)}, with settings, classes and preprocessing. The "
            "backbone is named in it and not included. `mimi_core.export.load_pack` makes the model of it again."
        )
        offer(stored, chosen, "pack", "Make the pack")
    with onnx:
        st.markdown("**ONNX**")
        st.caption(
            "The whole model in one file for other programs: normalisation, backbone, the adapters that are left, the "
            "head. It is run with onnxruntime and handed out only if it gives the same logits."
        )
        offer(stored, chosen, "onnx", "Export to ONNX")


def pick_cycle(saved: list[SavedCycle], state: RunState) -> SavedCycle:
    """Which cycle, kept in the URL as `cycle`: the last, unless the URL says otherwise."""
    known = {str(one.cycle): one for one in saved}
    chosen = address.one_of("cycle", known, str(saved[-1].cycle))
    if len(saved) > 1:
        st.selectbox(
            "Cycle",
            list(known),
            format_func=lambda cycle: title(int(cycle), state),
            width=420,
            **chosen.control,
        )
    return known[chosen.value]


def title(cycle: int, state: RunState) -> str:
    """A cycle in one line. Plain text."""
    widths, accuracy = state.widths[cycle], state.accuracy(cycle)
    parts = ["At the start" if cycle == 0 else f"After cut {cycle}"]
    if widths:
        left = sum(1 for width in widths.values() if width)
        parts.append(f"{words.count(sum(widths.values()), 'neuron')} in {words.count(left, 'layer')}")
    if accuracy is not None:
        parts.append(words.percent(accuracy))
    return " · ".join(parts)


def size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def offer(stored: StoredRun, chosen: SavedCycle, kind: str, label: str) -> None:
    """A button that makes the file, then what is going on, then the file."""
    key = (kind, str(stored.run.folder), chosen)
    name = f"{stored.run.id}-cycle{chosen.cycle}.{ENDINGS[kind]}"
    job = waiting.jobs().get(key)
    if job is None or job.state not in ("running", "done"):
        if job is not None:
            waiting.complain(job, job.complaint())
        slot = st.empty()
        if not slot.button(
            label if job is None else "Try again", icon=":material/deployed_code:", key=f"make_{kind} {name}"
        ):
            return
        slot.empty()
        job = make(key, stored, chosen.cycle, kind)
    if job is not None and job.state == "running":
        waiting.wait_for(key, "Building the model and writing the file")
    elif job is not None:
        file = job.folder / kind
        with st.container(horizontal=True, vertical_alignment="center"):
            st.download_button(
                "Download",
                file.read_bytes,
                file_name=name,
                icon=":material/download:",
                on_click="ignore",
                key=f"download_{kind} {name}",
            )
            st.caption(f"{name} · {size(file.stat().st_size)}")


def make(key: Hashable, stored: StoredRun, cycle: int, kind: str) -> Job | None:
    runs = str(stored.store.directory.resolve())

    def prepare(folder: Path) -> list[str]:
        return ["export", stored.run.id, "--runs", runs, "--cycle", str(cycle), f"--{kind}", str(folder / kind)]

    try:
        return waiting.jobs().start(key, prepare, TIMEOUT_SECONDS[kind])
    except MimiError as error:
        st.error(f"{plain(str(error))}.", icon=":material/error:")
        return None
