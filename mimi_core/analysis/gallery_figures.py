"""Images against cycles, and one image's probabilities. Class names are data, never code or HTML."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from mimi_core.analysis.labels import STAGE_COLOURS
from mimi_core.analysis.theme import GAIN, LOST, MUTED, SECOND

Chart = alt.LayerChart
PICKED = "picked"
"""Name of the selection: which image was clicked."""
RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"
VERDICTS = alt.Scale(domain=[RIGHT, WRONG, UNKNOWN], range=[GAIN, LOST, SECOND])
SIGNS = {RIGHT: "✓", WRONG: "✕", UNKNOWN: ""}
WIDE = 720
"""From so many pixels on, the grid needs the whole page."""
_WIDEST = 1240
_INK = {False: "#1f2430", True: "#e6e9ef"}
_LETTER = 7.4
"""Pixels of a letter, about."""
_OTHER_CLASSES = (LOST, SECOND, STAGE_COLOURS[0], STAGE_COLOURS[4], STAGE_COLOURS[3], STAGE_COLOURS[5])
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
_HIDDEN = alt.Axis(title=None, labels=False, ticks=False, domain=False)


def cycle_name(cycle: int) -> str:
    return "start" if cycle == 0 else f"cut {cycle}"


def row_height(rows: int) -> int:
    """Pixels of a row of the grid: tall enough to see the picture, lower when there are many."""
    return 40 if rows <= 16 else 32


def grid_width(cells: pd.DataFrame, pictures: pd.DataFrame) -> float:
    """Pixels that the grid needs to show all its words."""
    return _left(pictures) + cells["cycle"].nunique() * (_LETTER * int(cells["label"].str.len().max()) + 72)


def _left(pictures: pd.DataFrame) -> int:
    """Pixels left of the cells, for the picture and its true class."""
    if not pictures["url"].any():
        return 4
    return round(row_height(len(pictures)) + 32 + _LETTER * int(pictures["truth"].str.len().max()))


def grid_figure(
    cells: pd.DataFrame,
    pictures: pd.DataFrame,
    heads: Sequence[str] | None = None,
    *,
    dark: bool,
    picked: int | None = None,
) -> Chart:
    """Images (rows) against cycles (columns): what each cycle predicted, how sure it was, and whether that is right.

    Args:
        cells: a `cells_table` of the rows to show.
        pictures: image, url, truth (text), in the order of the rows; url and truth may be empty.
        heads: the second line of every column's head, if there is one.
        dark: whether the page is: the one thing that Streamlit does not tell a chart's words.
        picked: the image that is looked at.
    """
    order, cycles = [int(i) for i in pictures["image"]], sorted(int(c) for c in cells["cycle"].unique())
    row, left = row_height(len(order)), _left(pictures)
    ink = _INK[dark]
    roomy = grid_width(cells, pictures) <= _WIDEST
    columns = [cycle_name(cycle) for cycle in cycles]
    if heads:
        columns = [f"{column}\n{head}" for column, head in zip(columns, heads, strict=True)]
    verdict = cells["right"].map({True: RIGHT, False: WRONG}).fillna(UNKNOWN)
    shown = cells.assign(
        column=cells["cycle"].map(dict(zip(cycles, columns, strict=True))),
        verdict=verdict,
        told=verdict.map(SIGNS) + " " + cells["label"],
        sure=(100 * cells["confidence"]).round().astype(int).astype(str) + " %",
    )[["image", "column", "label", "verdict", "told", "sure", "confidence", "flipped"]]
    y = alt.Y("image:O", sort=order, axis=_HIDDEN, scale=alt.Scale(paddingInner=0.12, paddingOuter=0.06))
    x = alt.X(
        "column:O",
        sort=columns,
        scale=alt.Scale(paddingInner=0.04, paddingOuter=0.02),
        axis=alt.Axis(
            title=None, orient="top", domain=False, ticks=False, labelAngle=0, labelOverlap=True,
            labelPadding=22 if heads else 6, labelExpr="split(datum.label, '\\n')", labelLineHeight=15,
        ),
    )  # fmt: skip
    base = alt.Chart(shown).encode(y=y, x=x)
    boxes = base.mark_rect(cornerRadius=4, cursor="pointer").encode(
        color=alt.Color("verdict:N", scale=VERDICTS, legend=None),
        opacity=alt.Opacity("confidence:Q", scale=alt.Scale(domain=[0, 1], range=[0.08, 0.5]), legend=None),
        tooltip=[
            alt.Tooltip("label:N", title="predicted"),
            alt.Tooltip("confidence:Q", title="probability", format=".1%"),
            alt.Tooltip("verdict:N", title="that is"),
        ],
    )
    boxes = boxes.add_params(alt.selection_point(name=PICKED, fields=["image"], on="click", empty=False))
    # A bar at the left edge of a cell whose prediction is not that of the cell before.
    changed = (
        base.transform_filter("datum.flipped")
        .mark_tick(orient="vertical", thickness=4, size=row * 0.86, cursor="pointer")
        .encode(x=alt.X("column:O", sort=columns, bandPosition=0), color=alt.Color("verdict:N", scale=VERDICTS))
    )
    limit = alt.Undefined if roomy else (_WIDEST - left) / len(cycles) - 16
    words = base.mark_text(align="left", dx=10, fontSize=13, cursor="pointer", limit=limit, color=ink).encode(
        x=alt.X("column:O", sort=columns, bandPosition=0), text="told:N"
    )
    sure = base.mark_text(align="right", dx=-8, fontSize=11, color=ink, opacity=0.7, cursor="pointer").encode(
        x=alt.X("column:O", sort=columns, bandPosition=1), text="sure:N"
    )
    side = alt.Chart(pictures[["image", "url", "truth"]]).encode(y=y)
    edge = round(row * 0.86)
    images = side.mark_image(width=edge, height=edge, align="left").encode(x=alt.value(6 - left), url="url:N")
    truth = side.mark_text(align="left", fontSize=13, fontWeight="bold", color=ink).encode(
        x=alt.value(edge + 16 - left), text="truth:N"
    )
    layers = [boxes, changed, words, *([sure] if roomy else []), images, truth]
    if picked in order:
        one = pictures[pictures["image"] == picked][["image"]]
        frame = alt.Chart(one).mark_rect(filled=False, stroke=MUTED, strokeWidth=2, cornerRadius=6)
        layers.append(frame.encode(y=y, x=alt.value(1 - left), x2=alt.value("width")))
    return _finished(layers, row * len(order))


def shares_figure(shares: pd.DataFrame, *, height: int = 260) -> Chart:
    """The probabilities of the leading classes, cycle by cycle: a bar of 100 % each.

    Args:
        shares: a `shares_table`; the true class stands at the bottom, in the colour of what is right.
    """
    kinds = dict(zip(shares["label"], shares["kind"], strict=True))
    order = list(kinds)
    known = "truth" in kinds.values()
    palette = iter(_OTHER_CLASSES if known else (SECOND, LOST, *_OTHER_CLASSES[2:]))
    colours = [GAIN if kind == "truth" else MUTED if kind == "rest" else next(palette) for kind in kinds.values()]
    names = [cycle_name(int(cycle)) for cycle in sorted(shares["cycle"].unique())]
    place = {label: number for number, label in enumerate(order)}
    shown = shares.assign(column=shares["cycle"].map(cycle_name), place=shares["label"].map(place)).sort_values(
        ["cycle", "place"]
    )
    ends = shown.groupby("cycle")["probability"].cumsum()
    shown = shown.assign(end=ends, start=ends - shown["probability"])
    shown = shown.assign(middle=(shown["start"] + shown["end"]) / 2)
    base = alt.Chart(shown[["column", "label", "probability", "start", "end", "middle"]]).encode(
        x=alt.X("column:O", sort=names, title=None, axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
    )
    scale = alt.Scale(domain=[0, 1], nice=False)
    bars = base.mark_bar(stroke=None).encode(
        y=alt.Y("start:Q", title="probability", scale=scale, axis=alt.Axis(format="%", tickCount=5, domain=False)),
        y2="end:Q",
        color=alt.Color(
            "label:N",
            scale=alt.Scale(domain=order, range=colours),
            legend=alt.Legend(title=None, orient="bottom", columns=4, symbolType="square"),
        ),
        tooltip=[
            alt.Tooltip("column:O", title="cycle"),
            alt.Tooltip("label:N", title="class"),
            alt.Tooltip("probability:Q", format=".1%"),
        ],
    )
    inside = (
        base.transform_filter("datum.probability > 0.14")
        .mark_text(color="white", fontSize=12, fontWeight="bold", clip=True)
        .encode(y=alt.Y("middle:Q", scale=scale), text="label:N")
    )
    return _finished([bars, inside], height)


def _finished(layers: Sequence[alt.Chart], height: int) -> Chart:
    padding = {"left": 4, "top": 4, "right": 4, "bottom": 4}
    return alt.layer(*layers).properties(height=height, padding=padding, autosize=_FIT).configure_view(stroke=None)
