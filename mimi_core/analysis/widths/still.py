"""What the heatmaps of Widths show, in Vega-Lite: for reports and findings, which hold no script.

Colours are classes, see `common.static`; the cells are those of `grid`, which the pages draw with Plotly.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mimi_core.analysis.common import svg, theme
from mimi_core.analysis.common.charts import Chart, finished, layer, nominal, number
from mimi_core.analysis.common.labels import cycle_name
from mimi_core.analysis.common.static import INK, MARK, QUIET
from mimi_core.analysis.common.theme import LOST, colour_scale
from mimi_core.analysis.widths.grid import Rows, grid_of, rows_of

NAMES = 124
"""Pixels left of a heatmap of widths, for the names of layers."""
WIDEST_CELL, ROOMY = 96.0, 30.0
"""Pixels; in a roomy column there is room for its name and numbers."""
SETTINGS, LOW = 190, 26
"""Pixels left of a heatmap of settings, for their names, and the height of a row of it."""
_CROSS = "M-1,-1L1,1M1,-1L-1,1"


def widths_chart(widths: pd.DataFrame, cycles: pd.DataFrame, *, cuts: int, most: int) -> tuple[Chart, int]:
    """Layers from top to bottom, the start and every cut from left to right; a cross where an adapter went.

    Args:
        widths: a `widths_table`.
        cycles: its `cycles_table`.
        cuts: of the whole run, so that a run that is going on shows what is to come.
        most: pixels that it may be wide.

    Returns:
        The chart and its width in pixels.
    """
    rows = rows_of(widths)
    grid = grid_of(widths, rows, colour_scale("light"), "share", cuts)
    cell = min(WIDEST_CELL, (most - NAMES - 2) / (cuts + 1))
    numbered = rows.named and cell >= ROOMY
    height = round(rows.height * rows.pixels)
    cells = [
        _cell((k, k + 1), (centre - 0.5, centre + 0.5), float(grid.heights[i, k]) ** 2, grid.text[i, k])
        for i, centre in enumerate(rows.centres)
        for k in range(cuts + 1)
        if k >= len(cycles) or not np.isnan(grid.heights[i, k])
    ]
    centres = dict(zip(rows.sites, rows.centres, strict=True))
    lost = widths.loc[widths["vanished"], ["site", "cycle"]]
    crosses = pd.DataFrame({"x": lost["cycle"] + 0.5, "y": lost["site"].map(centres), "end": len(cycles)}, dtype=float)
    names = pd.DataFrame({"name": rows.labels, "y": rows.centres})
    scales = _x(cuts + 1), _y(rows.height)
    drawn = [
        *_cells(scales, 2 if rows.pixels >= 18 else 1, 11 if rows.pixels >= 16 else 9, numbered),
        layer("crosses", _dotted(), x=scales[0], x2={"field": "end"}, y=scales[1]),
        _crosses(scales, 4.0 if rows.pixels >= 18 else 2.8),
        layer("names", _beside(11 if rows.pixels >= 16 else 9.5, 92, INK), y=scales[1], text=nominal("name")),
        *_heads(scales[0], cell >= ROOMY),
        *(_stages(scales[1]) if len(set(rows.groups)) > 1 else []),
    ]
    heads = pd.DataFrame(
        [
            (k + 0.5, cycle_name(k) if cell >= ROOMY else str(k), f"{left:,}" if left >= 0 else "")
            for k, left in enumerate([*cycles["neurons"], *[-1] * (cuts + 1 - len(cycles))])
            if cell >= ROOMY or k % 5 == 0
        ],
        columns=["x", "name", "left"],
    )
    tables = {
        "cells": _table(cells),
        "crosses": crosses,
        "names": names,
        "heads": heads,
        "stages": _spans(rows),
        "corner": pd.DataFrame([{}]),
    }
    chart = finished(drawn, tables, height) | {"padding": 2}
    return chart, round(NAMES + 2 + cell * (cuts + 1))


def kept_chart(table: pd.DataFrame, width: int) -> Chart:
    """One row for each setting, one column for each layer: in how many of the runs the adapter was there at the end.

    Args:
        table: one row per setting and layer, layers from the input on; columns row (name of the setting), label,
            group, survived, runs (so many of so many runs kept the adapter). The layers of all rows are the same.
        width: of the chart, in pixels.
    """
    rows = list(dict.fromkeys(table["row"]))
    columns = table[table["row"] == rows[0]]
    starts, length = svg.places(list(columns["group"]))
    cell = (width - SETTINGS - 4) / length
    named = cell >= 13
    cells, crosses = [], []
    for y, row in enumerate(rows):
        here = table[table["row"] == row]
        for at, survived, runs in zip(starts, here["survived"], here["runs"], strict=True):
            if survived:  # the steps are even, as on Widths
                cells.append(_cell((at, at + 1), (y, y + 1), (survived / runs) ** 2, str(survived)))
            elif runs:
                crosses.append((at + 0.5, y + 0.5))
    names = pd.DataFrame({"name": rows, "y": np.arange(len(rows)) + 0.5})
    heads = pd.DataFrame({"x": [at + 0.5 for at in starts], "name": list(columns["label"])})
    stages = pd.DataFrame({"group": list(columns["group"]), "x": starts}).drop_duplicates("group")
    scales = _x(length), _y(len(rows))
    steep: Chart = {"type": "text", "angle": 300, "align": "left", "baseline": "middle", "dy": -4, "dx": 4}
    above: Chart = {"type": "text", "align": "left", "baseline": "bottom", "dy": -6, "fontSize": 11, "color": QUIET}
    column = layer("heads", steep | {"fontSize": 10.5}, x=scales[0], y={"value": 0}, text=nominal("name"))
    stage = layer("stages", above, x=scales[0], y={"value": 0}, text=nominal("group"))
    drawn = [
        *_cells(scales, 2, 10.5, cell >= 16),
        _crosses(scales, min(4.0, cell * 0.3)),
        layer("names", _beside(12, SETTINGS - 16, INK), y=scales[1], text=nominal("name")),
        column if named else stage,
    ]
    tables = {
        "cells": _table(cells),
        "crosses": pd.DataFrame(crosses, columns=["x", "y"], dtype=float),
        "names": names,
        **({"heads": heads} if named else {"stages": stages}),
    }
    return finished(drawn, tables, LOW * len(rows)) | {"padding": 2}


# --- parts ------------------------------------------------------------------------------------------------------------

Cell = tuple[float, float, float, float, str, str, str]


def _cell(x: tuple[float, float], y: tuple[float, float], share: float, text: str) -> Cell:
    """From where to where, and how dark for a share 0..1; NaN: still to come."""
    level = None if np.isnan(share) else theme.level(share)
    colours = (f"{MARK}to-come", INK) if level is None else (f"{MARK}c{level}", f"{MARK}n{level}")
    return (*x, *y, *colours, text)


def _table(cells: Sequence[Cell]) -> pd.DataFrame:
    columns = ["x", "x2", "y", "y2", "colour", "ink", "text"]
    return pd.DataFrame(sorted(cells, key=lambda cell: cell[4]), columns=columns).assign(
        middle=lambda t: (t["x"] + t["x2"]) / 2, centre=lambda t: (t["y"] + t["y2"]) / 2
    )


def _x(length: float) -> Chart:
    return number("x", axis=None, scale={"domain": [0, length], "nice": False, "zero": False})


def _y(length: float) -> Chart:
    return number("y", axis=None, scale={"domain": [length, 0], "nice": False, "zero": False})


def _as_told(field: str) -> Chart:
    """A colour that the table holds."""
    return nominal(field, scale=None, legend=None)


def _cells(scales: tuple[Chart, Chart], gap: int, size: float, numbered: bool) -> list[Chart]:
    x, y = scales
    shape: Chart = {"type": "rect", "x2Offset": -gap, "y2Offset": -gap}
    text: Chart = {"type": "text", "fontSize": size, "dx": -gap / 2, "dy": -gap / 2}
    edges = {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"field": "y2"}}
    middle = {"x": x | {"field": "middle"}, "y": y | {"field": "centre"}}
    cells = layer("cells", shape, **edges, color=_as_told("colour"))
    return [cells, *([layer("cells", text, **middle, text=nominal("text"), color=_as_told("ink"))] if numbered else [])]


def _crosses(scales: tuple[Chart, Chart], arm: float) -> Chart:
    looks: Chart = {
        "type": "point",
        "shape": _CROSS,
        "size": 4 * arm**2,
        "stroke": LOST,
        "strokeWidth": 2,
        "opacity": 1,
    }
    return layer("crosses", looks | {"strokeCap": "round", "xOffset": -1, "yOffset": -1}, x=scales[0], y=scales[1])


def _dotted() -> Chart:
    return {"type": "rule", "color": LOST, "strokeWidth": 1, "strokeDash": [1, 3], "xOffset": 6, "yOffset": -1}


def _beside(size: float, most: float, colour: str) -> Chart:
    """Text left of the cells."""
    return {"type": "text", "x": 0, "dx": -8, "align": "right", "fontSize": size, "limit": most, "color": colour}


def _heads(x: Chart, roomy: bool) -> list[Chart]:
    name: Chart = {"type": "text", "baseline": "bottom", "dy": -20 if roomy else -6, "fontSize": 12 if roomy else 11}
    left: Chart = {"type": "text", "baseline": "bottom", "dy": -6, "fontSize": 11}
    corner = _beside(11, 92, QUIET) | {"baseline": "bottom", "dy": -6}
    return [
        layer("heads", name | ({"fontWeight": 600} if roomy else {}), x=x, y={"value": 0}, text=nominal("name")),
        *([layer("heads", left, x=x, y={"value": 0}, text=nominal("left"))] if roomy else []),
        layer("corner", corner, y={"value": 0}, text={"value": "neurons left" if roomy else "cut"}),
    ]


def _spans(rows: Rows) -> pd.DataFrame:
    spans = [(name, colour, top + 0.06, end - 0.06, (top + end) / 2) for name, colour, top, end in rows.spans()]
    return pd.DataFrame(spans, columns=["group", "colour", "y", "y2", "middle"])


def _stages(y: Chart) -> list[Chart]:
    """A coloured line and a name beside the layers of every stage."""
    line: Chart = {"type": "rule", "x": 18 - NAMES, "strokeWidth": 4}
    name: Chart = {"type": "text", "x": 8 - NAMES, "angle": 270, "baseline": "middle", "fontSize": 11}
    colour = _as_told("colour")
    return [
        layer("stages", line, y=y, y2={"field": "y2"}, color=colour),
        layer("stages", name, y=y | {"field": "middle"}, text=nominal("group"), color=colour),
    ]
