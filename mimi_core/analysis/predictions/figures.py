"""Images against cycles, and one image's probabilities. Class names are data, never code or HTML.

The charts are Vega-Lite's own dictionaries: Altair's objects would take longer than all the rest of the page.
"""

from collections.abc import Sequence

import pandas as pd

from mimi_core.analysis.common.charts import BARE, Chart, axis, finished
from mimi_core.analysis.common.labels import cycle_name
from mimi_core.analysis.common.theme import GAIN, LOST, MUTED, PAGES, SECOND, STAGE_COLOURS

PICKED = "picked"
"""Name of the selection: which image was clicked."""
RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"
SIGNS = {RIGHT: "✓ ", WRONG: "✕ ", UNKNOWN: ""}
WIDE, MOST_WIDE = 720, 1240
"""Pixels from which on the grid needs the whole page, and from which on it leaves the numbers out."""
_LETTER = 7.4
"""Pixels of a letter, about."""
_VERDICTS = {"domain": [RIGHT, WRONG, UNKNOWN], "range": [GAIN, LOST, SECOND]}
_OTHER_CLASSES = (LOST, SECOND, STAGE_COLOURS[0], STAGE_COLOURS[4], STAGE_COLOURS[3], STAGE_COLOURS[5])


def _columns(cycles: Sequence[int]) -> list[str]:
    """Names of the cycles."""
    if list(cycles) == [0]:
        return ["after training"]
    return [cycle_name(cycle) for cycle in cycles]


def row_height(rows: int) -> int:
    """Pixels of a row of the grid: tall enough to see the picture, lower when there are many."""
    return 40 if rows <= 16 else 32


def grid_width(cells: pd.DataFrame, pictures: pd.DataFrame) -> float:
    """Pixels that the grid needs to show all its words."""
    return _left(pictures) + cells["cycle"].nunique() * (_LETTER * int(cells["label"].str.len().max()) + 72)


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
        pictures: a `pictures_table`, in the order of the rows; url and truth may be empty.
        heads: the second line of every column's head, if there is one.
        dark: whether the page is: the one thing that Streamlit does not tell a chart's words.
        picked: the image that is looked at.
    """
    order, cycles = [int(image) for image in pictures["image"]], sorted(int(c) for c in cells["cycle"].unique())
    columns = _columns(cycles)
    if heads:
        columns = [f"{column}\n{head}" for column, head in zip(columns, heads, strict=True)]
    row, left, ink = row_height(len(order)), _left(pictures), PAGES["dark" if dark else "light"]["ink"]
    edge, roomy = round(row * 0.86), grid_width(cells, pictures) <= MOST_WIDE
    y = {
        "field": "image", "type": "ordinal", "sort": order, "axis": None,
        "scale": {"paddingInner": 0.12, "paddingOuter": 0.06},
    }  # fmt: skip
    x = {
        "field": "column", "type": "ordinal", "sort": columns, "title": None,
        "scale": {"paddingInner": 0.04, "paddingOuter": 0.02},
        "axis": {
            "orient": "top", **BARE, "labelAngle": 0, "labelOverlap": True,
            "labelPadding": 22 if heads else 6, "labelLineHeight": 15, "labelExpr": "split(datum.label, '\\n')",
        },
    }  # fmt: skip
    verdict = {"field": "verdict", "type": "nominal", "scale": _VERDICTS, "legend": None}
    hand = {"cursor": "pointer"}

    def told(field: str, band: int, **mark: object) -> Chart:
        where = {"y": y, "x": {**x, "bandPosition": band}}
        return {"mark": {"type": "text", **hand, **mark}, "encoding": where | {"text": {"field": field}}}

    boxes = {
        "params": [{"name": PICKED, "select": {"type": "point", "fields": ["image"], "on": "click"}}],
        "mark": {"type": "rect", "cornerRadius": 4, **hand},
        "encoding": {
            "y": y,
            "x": x,
            "color": verdict,
            "opacity": {
                "field": "confidence", "type": "quantitative", "legend": None,
                "scale": {"domain": [0, 1], "range": [0.08, 0.5]},
            },
            "tooltip": [
                {"field": "label", "title": "predicted"},
                {"field": "confidence", "type": "quantitative", "title": "probability", "format": ".1%"},
                {"field": "verdict", "title": "that is"},
            ],
        },
    }  # fmt: skip
    changed = {
        "transform": [{"filter": "datum.flipped"}],
        "mark": {"type": "tick", "orient": "vertical", "thickness": 4, "size": edge, **hand},
        "encoding": {"y": y, "x": {**x, "bandPosition": 0}, "color": verdict},
    }
    limit = {} if roomy else {"limit": (MOST_WIDE - left) / len(cycles) - 16}
    words = told("told", 0, align="left", dx=10, fontSize=13, color=ink, **limit)
    sure = told("sure", 1, align="right", dx=-8, fontSize=11, color=ink, opacity=0.7)
    images = {
        "mark": {"type": "image", "width": edge, "height": edge, "align": "left"},
        "encoding": {"y": y, "x": {"value": 6 - left}, "url": {"field": "url"}},
    }
    truth = {
        "mark": {"type": "text", "align": "left", "fontSize": 13, "fontWeight": "bold", "color": ink},
        "encoding": {"y": y, "x": {"value": edge + 16 - left}, "text": {"field": "truth"}},
    }
    frame = {
        "transform": [{"filter": {"field": "image", "equal": -1 if picked is None else picked}}],
        "mark": {"type": "rect", "filled": False, "stroke": MUTED, "strokeWidth": 2, "cornerRadius": 6},
        "encoding": {"y": y, "x": {"value": 1 - left}, "x2": {"value": "width"}},
    }
    layers = [boxes, changed, words, *([sure] if roomy else [])]
    said = cells["right"].map({True: RIGHT, False: WRONG}).fillna(UNKNOWN)
    shown = cells.assign(
        column=cells["cycle"].map(dict(zip(cycles, columns, strict=True))),
        verdict=said,
        told=said.map(SIGNS) + cells["label"],
        sure=(100 * cells["confidence"]).round().astype(int).astype(str) + " %",
    )[["image", "column", "label", "verdict", "told", "sure", "confidence", "flipped"]]
    sides = {"data": _values(pictures[["image", "url", "truth"]]), "layer": [images, truth, frame]}
    cells_layer = {"data": _values(shown), "layer": layers}
    return finished([cells_layer, *([sides] if left > _NO_SIDE else [])], None, row * len(order), right=4)


def shares_figure(shares: pd.DataFrame, *, width: int, height: int = 260) -> Chart:
    """The probabilities of the leading classes, cycle by cycle: a bar of 100 % each.

    Args:
        shares: a `shares_table`; the true class stands at the bottom, in the colour of what is right.
        width: pixels that the chart gets, about; words that are too long for their bar are cut.
    """
    kinds = dict(zip(shares["label"], shares["kind"], strict=True))
    known = "truth" in kinds.values()
    palette = iter(_OTHER_CLASSES if known else (SECOND, LOST, *_OTHER_CLASSES[2:]))
    colours = [GAIN if kind == "truth" else MUTED if kind == "rest" else next(palette) for kind in kinds.values()]
    cycles = sorted(int(cycle) for cycle in shares["cycle"].unique())
    names = _columns(cycles)
    ends = shares.groupby("cycle")["probability"].cumsum()
    shown = shares.assign(
        column=shares["cycle"].map(dict(zip(cycles, names, strict=True))), end=ends, start=ends - shares["probability"]
    )
    shown = shown.assign(middle=(shown["start"] + shown["end"]) / 2)
    x = {
        "field": "column", "type": "ordinal", "sort": names, "title": None,
        "axis": {"labelAngle": 0, **BARE},
    }  # fmt: skip
    scale = {"domain": [0, 1], "nice": False}
    bars = {
        "mark": {"type": "bar", "stroke": None},
        "encoding": {
            "x": x,
            "y": {
                "field": "start", "type": "quantitative", "title": "probability", "scale": scale,
                "axis": axis(format="%", tickCount=5),
            },
            "y2": {"field": "end"},
            "color": {
                "field": "label", "type": "nominal", "scale": {"domain": list(kinds), "range": colours},
                "legend": {"title": None, "orient": "bottom", "columns": 4, "symbolType": "square"},
            },
            "tooltip": [
                {"field": "column", "title": "cycle"},
                {"field": "label", "title": "class"},
                {"field": "probability", "type": "quantitative", "format": ".1%"},
            ],
        },
    }  # fmt: skip
    inside = {
        "transform": [{"filter": "datum.probability > 0.14 && datum.kind != 'rest'"}],
        "mark": {
            "type": "text", "color": "white", "fontSize": 12, "fontWeight": "bold",
            "limit": 0.75 * (width - 60) / len(names),
        },
        "encoding": {
            "x": x,
            "y": {"field": "middle", "type": "quantitative", "scale": scale},
            "text": {"field": "label"},
        },
    }  # fmt: skip
    return finished([{"data": _values(shown.drop(columns="cycle")), "layer": [bars, inside]}], None, height, right=4)


_NO_SIDE = 4


def _left(pictures: pd.DataFrame) -> int:
    """Pixels left of the cells, for the picture and its true class."""
    if not pictures["url"].any():
        return _NO_SIDE
    return round(row_height(len(pictures)) + 32 + _LETTER * int(pictures["truth"].str.len().max()))


def _values(table: pd.DataFrame) -> Chart:
    return {"values": table.to_dict("records")}
