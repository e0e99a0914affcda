"""The dataset of a run before it starts: what it holds, and images of one's own from a zip."""

from typing import TYPE_CHECKING

import streamlit as st

from mimi_core.analysis.common.words import count, listed
from mimi_core.analysis.launch.figures import balance_figure, samples_figure
from mimi_core.config import DataConfig
from mimi_core.data import missing
from mimi_core.data.intake.preview import Preview, preview, stamp
from mimi_core.data.unused import in_words
from mimi_core.errors import MimiError
from pages.widgets import acting, gate, stores
from pages.widgets.text import plain

if TYPE_CHECKING:
    from mimi_core.data.intake.upload import Upload

ROWS = 10
"""Classes shown at once."""
_ERROR, _UPLOADED = "dataset/error", "dataset/uploaded"
LAYOUT = """
- a folder for each class with its images in it: `cat/1.jpg`, `dog/2.jpg`
- or `train`, `val` and `test` with such folders in each; what is missing is drawn from the training images

Folders around these do not matter, and what is no image is left out.
"""


def show(config: DataConfig, errors: "st.delta_generator.DeltaGenerator") -> None:
    """Sizes, samples, class balance, and what to beware of.

    Args:
        errors: where to say that the dataset cannot be used.
    """
    _about_the_upload(config)
    if lacking := _lacking(config):
        errors.warning(f"The data: {plain(lacking)}", icon=":material/cloud_download:")
        return
    first = st.session_state.get(f"dataset/page/{config.name}", 1) - 1
    with st.spinner("Looking at the images …", show_time=True):
        images = _look(config.model_dump_json(), stamp(config), first * ROWS)
    if isinstance(images, str):
        errors.error(f"The data: {plain(images)}", icon=":material/image_not_supported:")
        if st.button("Look again", icon=":material/refresh:"):
            _look.clear()
            st.rerun()
        return
    st.markdown(_in_words(images))
    for remark in images.remarks:
        st.warning(plain(remark), icon=":material/warning:")
    pages = -(-len(images.class_names) // ROWS)
    if pages > 1:
        st.pagination(pages, key=f"dataset/page/{config.name}")
    shown = list(images.class_names[first * ROWS : (first + 1) * ROWS])
    samples, balance = st.columns([3, 4], gap="medium")
    samples.vega_lite_chart(
        spec=samples_figure(images, shown),
        width="content",
        key="dataset/samples",
        alt=f"Some training images of each of the classes {', '.join(shown)}",
    )
    balance.vega_lite_chart(
        spec=balance_figure(images, shown),
        width="stretch",
        key="dataset/balance",
        alt=f"Numbers of training, validation and test images of the classes {', '.join(shown)}",
    )
    st.caption(
        "A row is a class: some of its training images, and how many images there are to train on, to choose by and to "
        "test on. Only the images shown were opened; a run opens all of them before it starts."
    )


def upload() -> str | None:
    """The way to send a zip. Returns what data.name has to be, once, when a new dataset is there."""
    label, icon = "Your own images", ":material/add_photo_alternate:"
    if why := gate.refusal("launch"):
        st.button(label, icon=icon, help=why, disabled=True)
        return None
    with st.popover(label, icon=icon, help="Send a zip of images"):
        st.markdown(f"A zip of up to {st.get_option('server.maxUploadSize')} MB with{LAYOUT}")
        st.caption(
            f"It is unpacked into a folder of its own in {plain(str(stores.datasets_folder()))}, on the machine that "
            "runs this app, and stays there until somebody deletes it."
        )
        file = st.file_uploader("A zip of images", type="zip", key="dataset/zip", label_visibility="collapsed")
        if file is None:
            st.session_state.pop(_ERROR, None)
            return None
        known: tuple[str, str] | None = st.session_state.get(_ERROR)
        uploaded: tuple[str, Upload] | None = st.session_state.get(_UPLOADED)
        if known and known[0] == file.file_id:
            st.error(f"{plain(file.name)}: {plain(known[1])}", icon=":material/error:")
            return None
        if uploaded and uploaded[0] == file.file_id:
            st.success("Unpacked. The form is set to it.", icon=":material/check_circle:")
            return None
        bar = st.progress(0.0, "Unpacking …")

        def tell(done: int, of: int) -> None:
            bar.progress(done / of, _step(done, of))

        try:
            made = acting.unpack(file, file.name, tell)
        except MimiError as error:
            st.session_state[_ERROR] = (file.file_id, str(error))
            st.rerun()
        st.session_state[_UPLOADED] = (file.file_id, made)
        return made.dataset


def made_to_fit(config: DataConfig, name: str) -> DataConfig:
    """The same with another dataset; with all of its images where a class has fewer than `shots`."""
    other = config.model_copy(update={"name": name, "path": None})
    fewest = min(preview(other.model_copy(update={"shots": None}), classes=0).counts["train"])
    return other if other.shots is None or other.shots <= fewest else other.model_copy(update={"shots": None})


def _lacking(config: DataConfig) -> str | None:
    """What is missing of a dataset that is known by name, and how to get it."""
    try:
        return missing(config)
    except MimiError:  # an unknown name, which a look at it says
        return None


@st.cache_data(max_entries=32, ttl=60, show_spinner=False)
def _look(section: str, files: tuple[int, ...], first_class: int) -> Preview | str:
    """The preview, or why there is none; for a minute also when nobody saw a file change."""
    try:
        return preview(DataConfig.model_validate_json(section), first_class, ROWS)
    except MimiError as error:
        return str(error)


def _in_words(images: Preview) -> str:
    parts = [count(images.total(split), f"{word} image") for split, word in _WORDS.items()]
    widths, heights = zip(*[sample.size for sample in images.samples], strict=True) if images.samples else ((0,), (0,))
    sizes = sorted({f"{min(widths)} × {min(heights)}", f"{max(widths)} × {max(heights)}"}, key=len)
    size = f" of {' to '.join(sizes)} pixels" if images.samples else ""
    grey = ", grey" if images.grey else ""
    return f"{len(images.class_names):,} classes; {listed(parts)}{size}{grey}."


_WORDS = {"train": "training", "val": "validation", "test": "test"}


def _step(done: int, of: int) -> str:
    return f"Unpacking: {done:,} of {of // 2:,}" if done <= of // 2 else f"Checking: {done - of // 2:,} of {of // 2:,}"


def _about_the_upload(config: DataConfig) -> None:
    """What was made of the zip, for as long as the form shows it."""
    _, made = st.session_state.get(_UPLOADED, (None, None))
    if made is None or made.dataset != config.name:
        return
    said = [f"Your zip: {count(made.images, 'image')} unpacked to {plain(str(made.path))}, on this app's machine."]
    said += [plain(sentence) for sentence in in_words(made.unused)]
    st.markdown(f":material/folder_zip: {' '.join(said)}")
    if made.doubtful:
        st.warning(
            f"The zip does not say in which letters its names are written: {plain(repr(made.doubtful))} may be "
            "misread. If it is, make the zip with a program that writes UTF-8, such as 7-Zip.",
            icon=":material/translate:",
        )
    if made.unreadable:
        more = f", and {len(made.unreadable) - 1} more" if len(made.unreadable) > 1 else ""
        st.warning(
            f"{count(len(made.unreadable), 'image')} left out that cannot be read: {plain(made.unreadable[0])}{more}",
            icon=":material/broken_image:",
        )
