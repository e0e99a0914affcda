"""A dataset at a glance: samples and numbers of images, a row for each class. In Altair: names are data, never HTML."""

import base64

import altair as alt
import pandas as pd

from mimi_core.analysis.common.theme import GAIN, MUTED, SECOND
from mimi_core.data.intake.preview import EDGE, Preview

ROW = 44
"""Height of a class in pixels."""
COLUMN = 46
SPLITS = {"train": GAIN, "val": MUTED, "test": SECOND}


def counts_table(preview: Preview) -> pd.DataFrame:
    """Images by class and split: columns class, train, val, test; a row for each class, in the dataset's order."""
    return pd.DataFrame({"class": preview.class_names, **preview.counts})


def samples_figure(preview: Preview, classes: list[str]) -> alt.LayerChart:
    """A row of training images for each of `classes`."""
    rows = pd.DataFrame(
        [
            {
                "class": preview.class_names[sample.label],
                "place": place,
                "image": _uri(sample.png),
                "size": _by(sample.size),
            }
            for label in range(len(preview.class_names))
            for place, sample in enumerate(one for one in preview.samples if one.label == label)
        ],
        columns=["class", "place", "image", "size"],
    )
    places = max(1, rows["place"].nunique())
    small = all(max(sample.size) < EDGE for sample in preview.samples)
    images = (
        alt.Chart(rows)
        .mark_image(width=ROW - 6, height=ROW - 6, smooth=not small)  # pixels stay pixels where there are few
        .encode(
            x=alt.X("place:O", axis=None, scale=alt.Scale(domain=list(range(places)), padding=0)),
            y=_rows(classes, names=True),
            url="image:N",
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("size:N", title="pixels")],
        )
    )
    return _finished([images], len(classes)).properties(
        width=COLUMN * places, autosize="pad"
    )  # images keep their distance


def balance_figure(preview: Preview, classes: list[str]) -> alt.LayerChart:
    """How many images of each of `classes` a run trains on, chooses by, and is tested on."""
    table = counts_table(preview)
    table = table[table["class"].isin(classes)]
    told = [" + ".join(f"{n:,}" for n in row) for row in table[list(SPLITS)].itertuples(index=False)]
    long = table.melt("class", list(SPLITS), "split", "images").assign(
        order=lambda t: t["split"].map(list(SPLITS).index)
    )
    x = alt.X("images:Q", axis=None)
    bars = (
        alt.Chart(long)
        .mark_bar(height=ROW * 0.4)
        .encode(
            y=_rows(classes, names=False),
            x=x.stack("zero"),
            order="order:Q",
            color=alt.Color(
                "split:N",
                scale=alt.Scale(domain=list(SPLITS), range=list(SPLITS.values())),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("split:N"), alt.Tooltip("images:Q", format=",")],
        )
    )
    numbers = (
        alt.Chart(table.assign(told=told, images=table[list(SPLITS)].sum(axis=1)))
        .mark_text(align="left", dx=8, fontSize=11, color=MUTED)
        .encode(y=_rows(classes, names=False), x="images:Q", text="told:N")
    )
    as_wide_as_the_page = alt.AutoSizeParams(type="fit-x", contains="padding")  # and level with the images
    return _finished([bars, numbers], len(classes)).properties(autosize=as_wide_as_the_page)


def _rows(classes: list[str], names: bool) -> alt.Y:
    axis = alt.Axis(domain=False, ticks=False, labelLimit=150, labelFontSize=12) if names else None
    return alt.Y("class:N", title=None, scale=alt.Scale(type="band", domain=classes, padding=0), axis=axis)


def _finished(layers: list[alt.Chart], rows: int) -> alt.LayerChart:
    padding = {"left": 4, "top": 4, "right": 4, "bottom": 4}
    return alt.layer(*layers).properties(height=ROW * rows, padding=padding).configure_view(stroke=None)


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
