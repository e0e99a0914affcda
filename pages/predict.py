"""Predict: the same test images from cut to cut, where a model changes its mind, and any image through every cycle."""

import hashlib
from collections.abc import Hashable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import streamlit as st
from altair.utils.schemapi import debug_mode

from mimi_core.analysis import gallery, gallery_figures, jobs
from mimi_core.analysis.gallery import SHOWS, Seen, Show
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.predictions import Prediction, gallery_path, predictions_path, saved_files
from mimi_core.runs.status import ENDED
from pages import common
from pages.parts.waiting import jobs as all_jobs
from pages.parts.waiting import waiting

LIVE_SECONDS = 3.0
TIMEOUT_SECONDS = 180.0
MOST_MEGABYTES = 25
PICTURE = "picture"
PICTURES = ["jpg", "jpeg", "png", "webp"]


def main() -> None:
    common.through_app()
    found = common.pick_run(common.all_runs(), common.WIDTHS, "Widths", ":material/stacked_bar_chart:")
    if found is None:
        return
    live = found.run.phase not in ENDED
    st.fragment(show, run_every=LIVE_SECONDS if live else None)(found)
    st.divider()
    own_image(found, found.store.state(found.run.id))


# --- the gallery ------------------------------------------------------------------------------------------------------


def show(found: common.Found) -> None:
    state = found.store.state(found.run.id)
    try:
        seen, urls = _seen(str(found.run.folder), _stamp(found.run.folder, state), state)
    except MimiError as error:
        nothing_yet(found, state, str(error))
        return
    cells = gallery.cells_table(seen.probabilities, seen.cycles, seen.gallery.label.tolist(), seen.class_names)
    images = gallery.images_table(cells)
    st.title(gallery.title(images, seen.cycles), anchor=False)
    st.markdown(gallery.sentence(images, cells, seen.cycles))
    for problem in seen.problems:
        st.warning(f"One column is missing: {common.plain(problem)}.", icon=":material/broken_image:")
    rows = gallery.chosen(images, pick_show(gallery.choices(images, len(seen.cycles))))
    if not rows:
        st.info("No image is like that.")
        return
    pictures, some = gallery.pictures_table(seen, rows, urls), cells[cells["image"].isin(rows)]
    if gallery_figures.grid_width(some, pictures) > gallery_figures.WIDE:
        left, right = st.container(), st.container()
    else:
        left, right = st.columns([3, 2], gap="large")
    with right:
        image = pick_image(seen, rows)
        detail(seen, image)
    with left:
        grid(seen, some, pictures, image)


def pick_show(choices: dict[Show, int]) -> Show:
    """Which images, kept in the URL as `show`: those that flip, if there are any, unless the URL says otherwise."""
    usual: Show = "flips" if choices.get("flips") else "all"
    asked = st.query_params.get("show", "")
    st.session_state["predict_show"] = asked if asked in choices else usual
    st.segmented_control(
        "Images",
        list(choices),
        format_func=lambda choice: f"{SHOWS[choice]} · {choices[choice]}",
        key="predict_show",
        on_change=lambda: st.query_params.update(show=st.session_state["predict_show"]),
        required=True,
        label_visibility="collapsed",
    )
    return cast(Show, st.session_state["predict_show"])


def pick_image(seen: Seen, rows: list[int]) -> int:
    """Which image is looked at, kept in the URL as `image`, its number in the test split."""
    numbers = {int(seen.gallery.index[row]): row for row in rows}
    asked = st.query_params.get("image", "")
    number = int(asked) if asked.isdecimal() and len(asked) < 12 else -1
    st.session_state["predict_image"] = number if number in numbers else next(iter(numbers))
    st.selectbox(
        "Image",
        list(numbers),
        format_func=lambda number: f"Test image {number} · {seen.name(numbers[number])}",
        key="predict_image",
        on_change=lambda: st.query_params.update(image=str(st.session_state["predict_image"])),
        label_visibility="collapsed",
        filter_mode="contains",
    )
    return numbers[st.session_state["predict_image"]]


def grid(seen: Seen, cells: pd.DataFrame, pictures: pd.DataFrame, image: int) -> None:
    heads = [f"{count} of {len(seen.gallery.index)} right" for count in seen.right()]

    def picked() -> None:
        clicked = st.session_state["gallery"].selection.get(gallery_figures.PICKED) or []
        number = clicked[0].get("image") if isinstance(clicked, list) and clicked else None
        if number in set(pictures["image"]):
            st.query_params["image"] = str(int(seen.gallery.index[number]))

    with debug_mode(False):
        st.altair_chart(
            gallery_figures.grid_figure(cells, pictures, heads, dark=is_dark(), picked=image),
            width="stretch",
            key="gallery",
            on_select=picked,
            selection_mode=gallery_figures.PICKED,
            alt=f"What each of {len(seen.cycles)} cycles predicts for {len(pictures)} test images.",
        )
    st.caption(
        "A row is a test image with its true class; a column is a cycle, at the end of its training: what it predicts "
        "and how likely it finds that. ✓ right, ✕ wrong; a bar at the left of a cell says that the prediction is not "
        "that of the cycle before. Click a row to look at it. The images are a fixed draw of the test split, too few "
        "to tell accuracies by; Monitor and Widths have those of the whole split."
    )


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def detail(seen: Seen, image: int) -> None:
    label = int(seen.gallery.label[image])
    picture, told = st.columns([1, 2], vertical_alignment="center")
    with picture:
        st.image(seen.gallery.images[image], width="stretch")
    with told:
        st.markdown(f"True class **{common.plain(gallery.clipped(seen.class_names[label], 80))}**")
        st.caption(common.plain(gallery.course(seen, image)))
    probabilities(gallery.shares_table(seen.probabilities[:, image], seen.cycles, seen.class_names, label), "shares")


def probabilities(shares: pd.DataFrame, key: str) -> None:
    with debug_mode(False):
        st.altair_chart(
            gallery_figures.shares_figure(shares),
            width="stretch",
            key=key,
            alt="Probabilities of the classes, cycle by cycle",
        )


def nothing_yet(found: common.Found, state: RunState, why: str) -> None:
    if found.run.phase in ENDED or gallery_path(found.run.folder).exists():
        st.title("No predictions to show", anchor=False)
        st.error(f"{common.plain(why[:1].upper() + why[1:])}.", icon=":material/broken_image:")
        return
    st.title("No predictions yet", anchor=False)
    st.info("They come when the training before the first cut is done.", icon="spinner")
    st.skeleton(300)


@st.cache_data(max_entries=8, show_spinner=False)
def _seen(folder: str, stamp: Hashable, _state: RunState) -> tuple[Seen, list[str]]:
    """The gallery and its pictures as addresses; read again when one of the files has changed."""
    seen = gallery.read_seen(Path(folder), _state)
    return seen, [gallery.data_uri(image) for image in seen.gallery.images]


def _stamp(run: Path, state: RunState) -> tuple[tuple[int, int] | None, ...]:
    paths = [gallery_path(run), *(predictions_path(run, cycle) for cycle in range(len(state.cuts) + 1))]
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            file = path.stat()
            found.append((file.st_mtime_ns, file.st_size))
        except OSError:
            found.append(None)
    return tuple(found)


# --- an image of your own ---------------------------------------------------------------------------------------------


def own_image(found: common.Found, state: RunState) -> None:
    """Any picture through every saved cycle, in a process of its own."""
    st.subheader("An image of your own", anchor=False)
    saved = saved_files(found.run.folder, len(state.cuts))
    if not saved:
        st.markdown("The run has not saved a cycle yet that could be asked.")
        return
    file = st.file_uploader(
        "A picture",
        type=PICTURES,
        max_upload_size=MOST_MEGABYTES,
        key="predict_file",
        on_change=lambda: st.session_state.update(predict_now=True),
        label_visibility="collapsed",
    )
    now = st.session_state.pop("predict_now", False)
    if file is None:
        st.caption(f"All {len(saved)} saved cycles are asked, on this machine. Nothing leaves it.")
        return
    content = file.getvalue()
    key = "predict", str(found.run.folder), tuple(saved), hashlib.sha256(content).hexdigest()
    job = all_jobs().get(key)
    if job is None or job.state not in ("running", "done"):
        if job is not None and not now:
            why = (jobs.answer(job).error or "").replace(str(job.folder / PICTURE), file.name)
            st.error(f"{common.plain(why)}.", icon=":material/error:")
        label = "Ask the models" if job is None else "Ask again"
        if not now and not st.button(label, icon=":material/play_arrow:"):
            return
        job = ask(key, found, content)
    if job is not None and job.state == "running":
        waiting(key, "Loading the backbone, then asking every cycle")
    elif job is not None:
        answered(jobs.answer(job))


def ask(key: Hashable, found: common.Found, content: bytes) -> jobs.Job | None:
    def prepare(folder: Path) -> list[str]:
        (folder / PICTURE).write_bytes(content)
        runs = str(found.store.directory.resolve())
        return ["predict", found.run.id, str(folder / PICTURE), "--runs", runs, "--json"]

    try:
        return all_jobs().start(key, prepare, TIMEOUT_SECONDS)
    except MimiError as error:
        st.error(f"{common.plain(str(error))}.", icon=":material/error:")
        return None


def answered(found: Prediction) -> None:
    good = [one for one in found.cycles if not one.error]
    for one in found.cycles:
        if one.error:
            st.warning(f"Cycle {one.cycle} cannot answer: {common.plain(one.error)}.", icon=":material/broken_image:")
    if not good:
        return
    cycles, said = [one.cycle for one in good], np.array([one.probabilities for one in good])
    cells = gallery.cells_table(said[:, None], cycles, [None], found.class_names)
    left, right = st.columns([3, 2], gap="large")
    with left:
        picture, told = st.columns([1, 3], vertical_alignment="center")
        with picture:
            st.image(gallery.png_uri(found.seen), width="stretch")
        with told:
            st.markdown(common.plain(gallery.verdict(cells, found.class_names)))
            st.caption(
                f"The picture as the models saw it: {found.image_size} × {found.image_size} pixels, without a crop, as "
                "in training. Its class is one of those of the run, whatever it shows."
            )
        alone = pd.DataFrame({"image": [0], "url": [""], "truth": [""]})
        with debug_mode(False):
            st.altair_chart(
                gallery_figures.grid_figure(cells, alone, dark=is_dark()),
                width="stretch",
                key="own",
                alt="What every cycle predicts for the picture",
            )
    with right:
        probabilities(gallery.shares_table(said, cycles, found.class_names, None), "own_shares")


main()
