"""Predict: the same test images from cut to cut, where a model changes its mind, and any image through every cycle."""

import hashlib
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from mimi_core.analysis.common import words
from mimi_core.analysis.predictions import figures as gallery_figures
from mimi_core.analysis.predictions import likeness
from mimi_core.analysis.predictions import tables as gallery
from mimi_core.analysis.predictions.tables import SHOWS, GalleryPredictions, Show
from mimi_core.data.decode import Content, read_thumbnail
from mimi_core.errors import MimiError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.gallery import Prediction, gallery_path, predictions_path, saved_files
from mimi_core.runs.jobs import job as jobs
from mimi_core.runs.status import ENDED
from pages.widgets import address, refresh, stores, waiting
from pages.widgets.menu import Page, through_app
from pages.widgets.run_picker import pick_run, run_makes_cuts
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

PAGE = Page(title="Predict", icon=":material/image_search:", order=60)
TIMEOUT_SECONDS = 180.0
MOST_MEGABYTES = 25
PICTURE_PIXELS = 150
LIKE_PIXELS, MOST_LIKE = 48, 10
"""Images of the run beside a picture of one's own: how wide, and how many."""
PICTURE = "picture"
PICTURES = ["jpg", "jpeg", "png", "webp"]


def main() -> None:
    through_app()
    stored = pick_run(stores.all_runs(), "widths", suits=run_makes_cuts)
    if stored is None:
        return
    live = stored.run.phase not in ENDED
    st.fragment(show, run_every=refresh.ONE_RUN if live else None)(stored)
    st.divider()
    own_image(stored, stored.store.state(stored.run.id))


# --- the gallery ------------------------------------------------------------------------------------------------------


def show(stored: StoredRun) -> None:
    state = stored.store.state(stored.run.id)
    try:
        seen, urls = _seen(str(stored.run.folder), _stamp(stored.run.folder, state), state)
    except MimiError as error:
        nothing_yet(stored, state, str(error))
        return
    cells = gallery.cells_table(seen.probabilities, seen.cycles, seen.gallery.label.tolist(), seen.class_names)
    images = gallery.images_table(cells)
    st.title(gallery.title(images, seen.cycles), anchor=False)
    st.markdown(gallery.sentence(images, cells, state.total_cuts))
    for problem in seen.problems:
        st.warning(f"One column is missing: {plain(problem)}.", icon=":material/broken_image:")
    rows = gallery.chosen(images, pick_show(seen, images))
    if not rows:
        st.info("No image is like that.")
        return
    pictures, some = gallery.pictures_table(seen, rows, urls), cells[cells["image"].isin(rows)]
    wide = gallery_figures.grid_width(some, pictures) > gallery_figures.WIDE
    if wide:
        left, (about, right) = st.container(), st.columns([2, 3], gap="large")
    else:
        left, right = st.columns([3, 2], gap="large")
        about = right.container()
    with about:
        image = pick_image(seen, rows)
        told(
            seen.gallery.images[image],
            f"True class **{plain(gallery.clipped(seen.class_names[seen.gallery.label[image]], 80))}**",
            plain(gallery.course_in_words(seen.probabilities[:, image], seen.cycles, seen.class_names)),
        )
    with right:
        label = int(seen.gallery.label[image])
        shares = gallery.shares_table(seen.probabilities[:, image], seen.cycles, seen.class_names, label)
        probabilities(shares, "shares", 640 if wide else 400)
    with left:
        grid(seen, some, pictures, image)


def pick_show(seen: GalleryPredictions, images: pd.DataFrame) -> Show:
    """Which images, kept in the URL as `show`: those that flip, unless there are none or the URL says otherwise."""
    choices = gallery.choices(images, len(seen.cycles))
    wanted = asked_image(seen, list(images.index))
    flips = gallery.chosen(images, "flips")
    usual: Show = "flips" if flips and (wanted is None or wanted in flips) else "all"
    chosen = address.one_of("show", choices, usual)
    st.segmented_control(
        "Images",
        list(choices),
        format_func=lambda choice: f"{SHOWS[choice]} · {choices[choice]}",
        required=True,
        label_visibility="collapsed",
        **chosen.control,
    )
    return chosen.value


def pick_image(seen: GalleryPredictions, rows: list[int]) -> int:
    """Which image is looked at, kept in the URL as `image`, its number in the test split."""
    numbers = {int(seen.gallery.index[row]): row for row in rows}
    chosen = address.one_of("image", numbers, int(seen.gallery.index[rows[0]]))
    st.selectbox(
        "Image",
        list(numbers),
        format_func=lambda number: f"Test image {number} · {seen.name(numbers[number])}",
        label_visibility="collapsed",
        filter_mode="contains",
        **chosen.control,
    )
    return numbers[chosen.value]


def asked_image(seen: GalleryPredictions, rows: list[int]) -> int | None:
    """The row that the URL names, if it is one of these."""
    asked = st.query_params.get("image", "")
    return next((row for row in rows if str(seen.gallery.index[row]) == asked), None)


def grid(seen: GalleryPredictions, cells: pd.DataFrame, pictures: pd.DataFrame, image: int) -> None:
    heads = [f"{count} of {len(seen.gallery.index)} right" for count in seen.right()]

    def picked() -> None:
        clicked = st.session_state["gallery"].selection.get(gallery_figures.PICKED) or []
        number = clicked[0].get("image") if isinstance(clicked, list) and clicked else None
        if number in set(pictures["image"]):
            address.tell({"image": str(int(seen.gallery.index[number]))})

    st.vega_lite_chart(
        gallery_figures.grid_figure(cells, pictures, heads, dark=is_dark(), picked=image),
        width="stretch",
        key="gallery",
        on_select=picked,
        selection_mode=gallery_figures.PICKED,
        alt=f"What each of {len(seen.cycles)} cycles predicts for {len(pictures)} test images.",
    )
    st.caption(
        "A row is a test image with its true class; a column is a cycle, at the end of its training: what it predicts "
        "and, the stronger the colour, how likely it finds that. ✓ right, ✕ wrong; a bar at the left of a cell says "
        "that the prediction is not that of the cycle before. Click a row to look at it. The images are a fixed draw "
        "of the test split, too few to tell accuracies by; Monitor and Widths have those of the whole split."
    )


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def told(picture: np.ndarray | str, what: str, more: str) -> None:
    """A picture and what is said about it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.image(picture, width=PICTURE_PIXELS)
        with st.container():
            st.markdown(what)
            st.caption(more)


def probabilities(shares: pd.DataFrame, key: str, width: int) -> None:
    """The chart of one image; it is about so many pixels wide."""
    st.vega_lite_chart(
        gallery_figures.shares_figure(shares, width=width),
        width="stretch",
        key=key,
        alt="Probabilities of the classes, cycle by cycle",
    )


def nothing_yet(stored: StoredRun, state: RunState, why: str) -> None:
    if stored.run.phase in ENDED or gallery_path(stored.run.folder).exists():
        st.title("No predictions to show", anchor=False)
        st.error(f"{plain(why[:1].upper() + why[1:])}.", icon=":material/broken_image:")
        return
    st.title("No predictions yet", anchor=False)
    st.info("They come when the training before the first cut is done.", icon="spinner")
    st.skeleton(300)


@st.cache_data(max_entries=8, show_spinner=False)
def _seen(folder: str, stamp: Hashable, _state: RunState) -> tuple[GalleryPredictions, list[str]]:
    """The gallery and its pictures as addresses; read again when one of the files has changed."""
    seen = gallery.read_predictions(Path(folder), _state)
    return seen, [gallery.data_uri(image) for image in seen.gallery.images]


def _stamp(run: Path, state: RunState) -> tuple[tuple[int, int] | None, ...]:
    paths = [gallery_path(run), *(predictions_path(run, cycle) for cycle in range(len(state.cuts) + 1))]
    stamps: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            file = path.stat()
            stamps.append((file.st_mtime_ns, file.st_size))
        except OSError:
            stamps.append(None)
    return tuple(stamps)


# --- an image of your own ---------------------------------------------------------------------------------------------


def own_image(stored: StoredRun, state: RunState) -> None:
    """Any picture through every saved cycle, in a process of its own."""
    st.subheader("An image of your own", anchor=False)
    saved = saved_files(stored.run.folder, len(state.cuts))
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
        st.caption(f"{words.count(len(saved), 'saved cycle')} will be asked, on this machine. Nothing leaves it.")
        return
    content = file.getvalue()
    if problem := _no_picture(file.name, content):
        st.error(f"{plain(problem)}.", icon=":material/broken_image:")
        return
    key = "predict", str(stored.run.folder), tuple(saved), hashlib.sha256(content).hexdigest()
    job = waiting.jobs().get(key)
    if job is None or job.state not in ("running", "done"):
        if job is not None and not now:
            why = (jobs.answer(job).error or "").replace(str(job.folder / PICTURE), file.name)
            waiting.complain(job, why)
        slot = st.empty()
        if not now and not slot.button("Ask the models", icon=":material/play_arrow:"):
            return
        slot.empty()
        job = ask(key, stored, content)
    if job is not None and job.state == "running":
        waiting.wait_for(key, "Loading the backbone, then asking every cycle")
    elif job is not None:
        answered(jobs.answer(job), _images(stored, state))


def ask(key: Hashable, stored: StoredRun, content: bytes) -> jobs.Job | None:
    def prepare(folder: Path) -> list[str]:
        (folder / PICTURE).write_bytes(content)
        runs = str(stored.store.directory.resolve())
        return ["predict", stored.run.id, str(folder / PICTURE), "--runs", runs, "--json"]

    try:
        return waiting.jobs().start(key, prepare, TIMEOUT_SECONDS)
    except MimiError as error:
        st.error(f"{plain(str(error))}.", icon=":material/error:")
        return None


@st.cache_data(max_entries=16, show_spinner=False)
def _no_picture(name: str, content: bytes) -> str:
    """Why these bytes are no picture; empty when they are one. Told before anything is loaded."""
    try:
        read_thumbnail(Content(content, name), LIKE_PIXELS)
    except MimiError as error:
        return str(error)
    return ""


def _images(stored: StoredRun, state: RunState) -> GalleryPredictions | None:
    """The gallery, if it can be read."""
    try:
        return _seen(str(stored.run.folder), _stamp(stored.run.folder, state), state)[0]
    except MimiError:
        return None


def what_they_know(seen: GalleryPredictions, prediction: Prediction) -> None:
    """Some images of the run beside the picture, and whether it is far from all of them."""
    images = seen.gallery.images
    st.caption("What the run's images look like: some of its test images, which nobody trained on.")
    some = np.linspace(0, len(images) - 1, min(MOST_LIKE, len(images))).astype(int)
    with st.container(horizontal=True, gap="xsmall"):
        for row in some:
            st.image(images[row], width=LIKE_PIXELS)
    if prediction.seen and (told := likeness.unlike(likeness.as_seen(prediction.seen, images.shape[1]), images)):
        st.warning(plain(told), icon=":material/compare:")


def answered(prediction: Prediction, seen: GalleryPredictions | None) -> None:
    good = [one for one in prediction.cycles if not one.error]
    for one in prediction.cycles:
        if one.error:
            st.warning(f"Cycle {one.cycle} cannot answer: {plain(one.error)}.", icon=":material/broken_image:")
    if not good:
        return
    cycles, said = [one.cycle for one in good], np.array([one.probabilities for one in good])
    cells = gallery.cells_table(said[:, None], cycles, [None], prediction.class_names)
    left, right = st.columns([3, 2], gap="large")
    with left:
        told(
            gallery.png_uri(prediction.seen),
            plain(gallery.course_in_words(said, cycles, prediction.class_names)),
            f"The picture as the models saw it: {prediction.image_size} × {prediction.image_size} pixels, without a "
            "crop, as in training. Its class is one of those of the run, whatever it shows.",
        )
        if seen is not None and len(seen.gallery.images):
            what_they_know(seen, prediction)
        alone = pd.DataFrame({"image": [0], "url": [""], "truth": [""]})
        st.vega_lite_chart(
            gallery_figures.grid_figure(cells, alone, dark=is_dark()),
            width="stretch",
            key="own",
            alt="What every cycle predicts for the picture",
        )
    with right:
        probabilities(gallery.shares_table(said, cycles, prediction.class_names, None), "own_shares", 400)


if __name__ == "__main__":
    main()
