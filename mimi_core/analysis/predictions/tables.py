"""The gallery: the same test images from cut to cut, and where a model changes its mind. Tables and words, no torch."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from PIL import Image

from mimi_core.analysis.common.words import count, listed
from mimi_core.errors import RunError
from mimi_core.runs.events import RunState
from mimi_core.runs.formats.gallery import Gallery, predicted_cycles, read_gallery, read_probabilities

Show = Literal["flips", "wrong", "lost", "won", "all"]
SHOWS: dict[Show, str] = {
    "flips": "Flips",
    "wrong": "Wrong at the end",
    "lost": "Lost by pruning",
    "won": "Won by pruning",
    "all": "All",
}
"""What can be shown, and its name."""
TOP_CLASSES = 6
"""So many classes have a colour of their own in the chart of one image; the others are added up."""
OTHERS = "all others"


@dataclass(frozen=True, eq=False)
class GalleryPredictions:
    """A gallery with what every cycle said about it.

    Attributes:
        cycles: those whose predictions could be read, rising.
        probabilities: (cycles, n, classes)
        problems: one line for each cycle whose predictions could not be read.
    """

    gallery: Gallery
    class_names: list[str]
    cycles: list[int]
    probabilities: np.ndarray
    problems: list[str]

    def name(self, image: int) -> str:
        """The true class, short."""
        return clipped(self.class_names[self.gallery.label[image]])

    def right(self) -> list[int]:
        """How many images each cycle gets right."""
        return [int(n) for n in (self.probabilities.argmax(2) == self.gallery.label).sum(1)]


def read_predictions(run: Path, state: RunState) -> GalleryPredictions:
    """The gallery of a run and the predictions of all cycles that are done.

    Raises:
        RunError: there is nothing that could be shown.
    """
    names = state.started.class_names if state.started else []
    gallery = read_gallery(run)
    if not names or gallery.label.max() >= len(names):
        raise RunError("the gallery of test images names classes that the run does not have")
    read: dict[int, np.ndarray] = {}
    problems = []
    for cycle in predicted_cycles(run, len(state.cuts)):
        try:
            read[cycle] = read_probabilities(run, cycle, gallery, len(names))
        except RunError as error:
            problems.append(str(error))
    if not read:
        raise RunError(problems[0] if problems else "the run has not come to the end of a cycle yet")
    return GalleryPredictions(gallery, names, list(read), np.stack(list(read.values())), problems)


# --- tables -----------------------------------------------------------------------------------------------------------


def cells_table(
    probabilities: np.ndarray, cycles: Sequence[int], labels: Sequence[int | None], names: Sequence[str]
) -> pd.DataFrame:
    """One row for an image and a cycle.

    Args:
        probabilities: (cycles, n, classes)
        labels: (n,) true classes; None where nobody knows.
        names: of the classes

    Returns:
        image (0 .. n-1), cycle, predicted, label (its short name), confidence 0..1, right (None: unknown), flipped:
        whether the cycle before said something else.
    """
    predicted = probabilities.argmax(2)
    confidence = np.take_along_axis(probabilities, predicted[..., None], 2)[..., 0]
    flipped = np.zeros(predicted.shape, bool)
    flipped[1:] = predicted[1:] != predicted[:-1]
    images = predicted.shape[1]
    table = pd.DataFrame(
        {
            "image": np.tile(np.arange(images), len(cycles)),
            "cycle": np.repeat(np.asarray(cycles, int), images),
            "predicted": predicted.ravel(),
            "label": [clipped(names[c]) for c in predicted.ravel()],
            "confidence": confidence.ravel(),
            "flipped": flipped.ravel(),
        }
    )
    truth = [labels[image] for image in table["image"]]
    right = [None if t is None else t == p for t, p in zip(truth, table["predicted"], strict=True)]
    return table.assign(right=pd.array(right, dtype="boolean"))


def pictures_table(seen: GalleryPredictions, rows: Sequence[int], urls: Sequence[str]) -> pd.DataFrame:
    """image, url, truth (the true class in short), of the images to show."""
    return pd.DataFrame(
        {"image": rows, "url": [urls[row] for row in rows], "truth": [seen.name(row) for row in rows]},
    )


def images_table(cells: pd.DataFrame) -> pd.DataFrame:
    """One row for an image, by number: flips (how many), first_flip (cycle, 0: never), and how it went for it.

    Columns begins, ends: right at the first, at the last cycle; lost, won; steady: right all the way.
    """
    groups = cells.sort_values("cycle").groupby("image", sort=True)
    flips = cells[cells["flipped"]].groupby("image")["cycle"]
    table = pd.DataFrame(
        {
            "begins": groups["right"].first().astype(bool),
            "ends": groups["right"].last().astype(bool),
            "steady": groups["right"].all().astype(bool),
            "flips": groups["flipped"].sum().astype(int),
        }
    )
    table["first_flip"] = flips.min().reindex(table.index, fill_value=0).astype(int)
    return table.assign(lost=table["begins"] & ~table["ends"], won=~table["begins"] & table["ends"])


def chosen(images: pd.DataFrame, show: Show) -> list[int]:
    """The images to show, those that changed most first."""
    masks = {
        "flips": images["flips"] > 0,
        "wrong": ~images["ends"],
        "lost": images["lost"],
        "won": images["won"],
        "all": images["flips"] >= 0,
    }
    some = images[masks[show]]
    if show != "all":
        some = some.sort_values(["flips", "first_flip"], ascending=[False, True], kind="stable")
    return [int(image) for image in some.index]


def choices(images: pd.DataFrame, cycles: int) -> dict[Show, int]:
    """What can be shown and how many images that is; of one cycle alone, only what it can tell."""
    shows = get_args(Show) if cycles > 1 else ("wrong", "all")
    return {show: len(chosen(images, show)) for show in shows}


def shares_table(
    probabilities: np.ndarray, cycles: Sequence[int], names: Sequence[str], truth: int | None
) -> pd.DataFrame:
    """What the models say about one image: the classes that matter, the rest added up.

    Args:
        probabilities: (cycles, classes)
        truth: the true class, which always matters; None where nobody knows.

    Returns:
        cycle, label, probability, kind ("truth", "other class", "rest"); for each cycle truth first, then classes that
        were on top, the earliest first, then the most likely ones, then the rest. Labels differ from each other.
    """
    known = [] if truth is None else [truth]
    likely = np.argsort(-probabilities.mean(0), kind="stable")
    kept = list(dict.fromkeys(int(c) for c in (*known, *probabilities.argmax(1), *likely)))[:TOP_CLASSES]
    labels = distinct_labels([names[c] for c in kept])
    shares = {
        label: ("truth" if c == truth else "other class", probabilities[:, c])
        for label, c in zip(labels, kept, strict=True)
    }
    if len(kept) < len(names):
        shares[OTHERS] = ("rest", (1 - probabilities[:, kept].sum(1)).clip(0))
    rows = [
        (cycle, label, float(values[row]), kind)
        for row, cycle in enumerate(cycles)
        for label, (kind, values) in shares.items()
    ]
    return pd.DataFrame(rows, columns=["cycle", "label", "probability", "kind"])


# --- words ------------------------------------------------------------------------------------------------------------


def title(images: pd.DataFrame, cycles: Sequence[int]) -> str:
    """What to know first. Plain text."""
    total = count(len(images), "test image")
    if len(cycles) == 1:
        return f"{int(images['ends'].sum())} of {total} are right"
    flips = int((images["flips"] > 0).sum())
    if not flips:
        return f"No prediction flips: all {total} keep theirs"
    return f"The prediction flips for {flips} of {total}"


def sentence(images: pd.DataFrame, cells: pd.DataFrame, cuts: int) -> str:
    """How it went from start to end, and which cuts changed it. Plain text.

    Args:
        cuts: how many the run makes.
    """
    total = count(len(images), "test image")
    if cells["cycle"].nunique() == 1:
        return "No cut can be compared with it yet." if cuts else "The run makes no cuts that could change it."
    steady = int(images["steady"].sum())
    parts = [f"Of {total}, {steady} {'is' if steady == 1 else 'are'} right from start to end"]
    never = int((~cells.groupby("image")["right"].any()).sum())
    if never:
        parts.append(f"{never} never")
    changes = cuts_table(cells)
    lost, won = (changes[changes[kind] > 0] for kind in ("lost", "won"))
    back = " back" if changes["won"].sum() == changes["back"].sum() else ""
    said = [f"{_cuts(lost)} lost {lost['lost'].sum()}"] if len(lost) else []
    said += [f"{_cuts(won)} won {won['won'].sum()}{back}"] if len(won) else []
    told = "; ".join(said) or "no cut changed that"
    return f"{' and '.join(parts)}. {told[0].upper()}{told[1:]}."


def course_in_words(probabilities: np.ndarray, cycles: Sequence[int], names: Sequence[str]) -> str:
    """How the predictions for one image went, from its (cycles, classes). Plain text."""
    said = probabilities.argmax(1)
    first = clipped(names[said[0]], 40)
    changes = [
        f"{clipped(names[after], 40)} from cut {cycle} on"
        for before, after, cycle in zip(said, said[1:], cycles[1:], strict=False)
        if before != after
    ]
    if not changes:
        return f"Taken for {first}" + (" in every cycle." if len(cycles) > 1 else ".")
    return f"Taken for {first} at the start, for {listed(changes)}."


def cuts_table(cells: pd.DataFrame) -> pd.DataFrame:
    """One row for a cycle after the first: images that it lost (they were right the cycle before) and won.

    Column back: those of the won ones that had been right at some time.
    """
    right = cells.pivot(index="cycle", columns="image", values="right").sort_index().astype(bool)
    all_ = right.to_numpy()
    before, now, ever = all_[:-1], all_[1:], np.maximum.accumulate(all_, axis=0)[:-1]
    counts = {"lost": before & ~now, "won": ~before & now, "back": ever & ~before & now}
    return pd.DataFrame({"cycle": right.index[1:]} | {name: mask.sum(1) for name, mask in counts.items()})


def _cuts(some: pd.DataFrame) -> str:
    numbers = [str(cycle) for cycle in some["cycle"]]
    return f"cut{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


def distinct_labels(labels: Sequence[str]) -> list[str]:
    """Short labels that can be told apart in a chart, also where names are empty or the same."""
    short = [clipped(label) for label in labels]
    return short if len(set(short)) == len(short) else [f"{i} {label}" for i, label in enumerate(short, start=1)]


def clipped(name: str, most: int = 18) -> str:
    """A class name for a small place."""
    name = " ".join(name.split()) or "(no name)"
    return name if len(name) <= most else f"{name[: most - 1]}…"


# --- pictures ---------------------------------------------------------------------------------------------------------


def data_uri(image: np.ndarray) -> str:
    """A picture (e, e, 3) uint8 as a PNG in an address."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return png_uri(base64.b64encode(file.getvalue()).decode())


def png_uri(content: str) -> str:
    """A PNG in base64 as an address."""
    return f"data:image/png;base64,{content}"
