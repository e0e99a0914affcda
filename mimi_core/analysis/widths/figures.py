"""The widths figure: the heatmap of all cycles, the bars of one cycle beside it, and the accuracies below it."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.common import words
from mimi_core.analysis.common.labels import cycle_name, escape_html
from mimi_core.analysis.common.tables import Mode
from mimi_core.analysis.common.theme import GAIN, GRID, LOST, MUTED, Scale
from mimi_core.analysis.common.words import compact
from mimi_core.analysis.widths.grid import MODE_NAMES, Rows, grid_of, rows_of
from mimi_core.analysis.widths.heatmap import (
    FOOT,
    HEAD,
    cells_trace,
    heatmap_trace,
    layout_of,
    neurons_left,
    numbers_traces,
    vanished_traces,
)

PANEL_GAP, PANEL = 26, 150
"""Pixels between the heatmap and the accuracies, and for the accuracies."""
RIGHT = 0.765
"""Where the bars begin, as a share of the width."""


def widths_figure(
    widths: pd.DataFrame,
    cycles: pd.DataFrame,
    scale: Scale,
    *,
    cycle: int,
    cuts: int,
    mode: Mode = "share",
    playing: bool = False,
) -> go.Figure:
    """Heatmap of all cycles, bars of `cycle` beside it, accuracies below it.

    All of it can be clicked: `customdata` is the number of a layer, or -1, and a cut, as in `cells_trace`.

    Args:
        widths: a `widths_table`, filtered as wanted; not empty.
        cycles: the `cycles_table` of the same run.
        cuts: K, so that a run that is going on keeps its columns in place.
        playing: draw nothing yet of the cycles after `cycle`; the axes stay.
    """
    rows = rows_of(widths)
    seen = widths[widths["cycle"] <= cycle] if playing else widths
    told = cycles[cycles["cycle"] <= cycle] if playing else cycles
    body = rows.height * rows.pixels
    height = HEAD + body + PANEL_GAP + PANEL + FOOT
    inner = height - HEAD - FOOT
    split, foot = 1 - body / inner, PANEL / inner
    layout = layout_of(rows, cuts, neurons_left(told), height=height, x=(0, 0.74), y=(split, 1))
    layout["shapes"].append(_frame(cycle))
    layout["annotations"].append(_bars_title(cycle, mode))
    layout["xaxis2"] = {
        "domain": [RIGHT, 1],
        "anchor": "y",
        "range": [0, 1.25 * max(float(widths[mode].max()), 1e-9)],  # of all cycles, so that bars are seen to shrink
        "visible": False,
        "fixedrange": True,
    }
    layout["yaxis2"] = {
        "domain": [0, foot],
        "anchor": "x",
        "tickformat": ".0%",
        "gridcolor": GRID,
        "zeroline": False,
        "nticks": 5,
        "range": _padded(cycles),
        "title": {"text": "test accuracy", "font": {"size": 12, "color": MUTED}, "standoff": 6},
        "fixedrange": True,
    }
    layout["legend"] = {
        "x": RIGHT,
        "y": foot,
        "xanchor": "left",
        "yanchor": "top",
        "font": {"size": 12},
        "bgcolor": "rgba(0,0,0,0)",
        "itemclick": False,
        "itemdoubleclick": False,
    }
    grid = grid_of(seen, rows, scale, mode, cuts)
    heatmap = heatmap_trace(grid, rows).update(colorbar=_COLOUR_BAR)
    heatmap.colorbar.title.text = MODE_NAMES[mode]
    beside = [_bars(seen, rows, mode, cycle), *_accuracies(told)]
    drawn = [heatmap, *numbers_traces(grid, rows), *vanished_traces(seen, rows), *beside]
    return go.Figure([*drawn, cells_trace(seen, rows)], layout)


_COLOUR_BAR = {
    "orientation": "h",
    "x": RIGHT,
    "xanchor": "left",
    "len": 0.225,
    "y": 0,
    "yanchor": "bottom",
    "ypad": 0,
    "xpad": 0,
    "thickness": 10,
    "outlinewidth": 0,
    "tickfont": {"size": 11, "color": MUTED},
    "ticklabeloverflow": "allow",
    "title": {"side": "top", "font": {"size": 12}},
}


def _frame(cycle: int) -> dict[str, Any]:
    """Around the column and the accuracies of the cycle that the bars are about."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": cycle - 0.5,
        "x1": cycle + 0.5,
        "y0": 0,
        "y1": 1,
        "line": {"width": 2, "color": MUTED},
        "fillcolor": "rgba(0,0,0,0)",
    }


def _bars_title(cycle: int, mode: Mode) -> dict[str, Any]:
    return {
        "text": f"<b>{cycle_name(cycle)}</b><br>{MODE_NAMES[mode]}",
        "xref": "paper",
        "yref": "paper",
        "x": RIGHT,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "align": "left",
        "showarrow": False,
        "font": {"size": 12},
    }


def _bars(widths: pd.DataFrame, rows: Rows, mode: Mode, cycle: int) -> go.Bar:
    now = widths[widths["cycle"] == cycle].set_index("site").reindex(rows.sites)
    text = [
        "" if row.gone else words.percent(row.share, 0) if mode == "share" else compact(getattr(row, mode))
        for row in now.itertuples()
    ]
    return go.Bar(
        x=now[mode],
        y=rows.centres,
        orientation="h",
        xaxis="x2",
        width=0.62,
        marker={
            "color": rows.colours,
            "opacity": [1.0 if p == "attn" else 0.55 for p in now["position"]],
            "line": {"width": 0},
        },
        text=text,
        textposition="outside",
        constraintext="none",
        textfont={"size": 11 if rows.pixels >= 18 else 9, "color": MUTED},
        cliponaxis=False,
        customdata=np.array([(order, max(1, cycle)) for order in now["order"]], dtype=object),
        hovertext=[escape_html(label) for label in rows.labels],
        hovertemplate="%{hovertext}: %{text}<extra></extra>",
        showlegend=False,
    )


def _accuracies(cycles: pd.DataFrame) -> list[go.Scatter]:
    """Down with every cut, up again with training: one zigzag line, with the two kinds of points on it."""
    cut = cycles.dropna(subset=["cut"])
    after = cycles.dropna(subset=["after"])
    points = sorted(
        [(k - 0.2, a) for k, a in zip(cut["cycle"], cut["cut"], strict=True)]
        + [(k + 0.2 * (k > 0), a) for k, a in zip(after["cycle"], after["after"], strict=True)]
    )
    labelled = "+text" if len(cycles) <= 9 else ""
    common = {"yaxis": "y2", "textfont": {"size": 11, "color": MUTED}, "cliponaxis": False}
    return [
        go.Scatter(
            x=[x for x, _ in points],
            y=[a for _, a in points],
            mode="lines",
            line={"color": MUTED, "width": 1.2},
            hoverinfo="skip",
            showlegend=False,
            yaxis="y2",
        ),
        go.Scatter(
            x=after["cycle"] + 0.2 * (after["cycle"] > 0),
            y=after["after"],
            name="after training",
            mode=f"markers{labelled}",
            text=[words.points(a) for a in after["after"]],
            textposition="top center",
            customdata=_cuts(after),
            marker={"size": 9, "color": GAIN},
            hovertemplate="after training: %{text} %<extra></extra>",
            **common,
        ),
        go.Scatter(
            x=cut["cycle"] - 0.2,
            y=cut["cut"],
            name="right after the cut",
            mode=f"markers{labelled}",
            text=[words.points(a) for a in cut["cut"]],
            textposition="bottom center",
            customdata=_cuts(cut),
            marker={"size": 9, "symbol": "triangle-down", "color": LOST},
            hovertemplate="right after the cut: %{text} %<extra></extra>",
            showlegend=not cut.empty,
            **common,
        ),
    ]


def _cuts(cycles: pd.DataFrame) -> np.ndarray:
    return np.array([(-1, max(1, cycle)) for cycle in cycles["cycle"]], dtype=object)


def _padded(cycles: pd.DataFrame) -> list[float] | None:
    """The range of all accuracies, with room for the numbers above and below."""
    values = cycles[["before", "cut", "after"]].stack()
    if values.empty:
        return None
    room = max(0.22 * (values.max() - values.min()), 0.01)
    return [values.min() - room, values.max() + room]
