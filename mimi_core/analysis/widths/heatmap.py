"""Layer x cycle as one heatmap: the picture that the widths pages are built around."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.common.labels import cycle_name, escape_html
from mimi_core.analysis.common.tables import Mode
from mimi_core.analysis.common.theme import DARK_TEXT, LIGHT_TEXT, LOST, MUTED, Scale, takes_dark_text
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.widths.grid import Grid, Rows, grid_of, rows_of

HEAD, FOOT = 46, 30
"""Pixels above the rows, for the columns' titles, and below everything."""


def heatmap_figure(
    widths: pd.DataFrame, cycles: pd.DataFrame, scale: Scale, *, cuts: int, mode: Mode = "share", smallest: int = 13
) -> go.Figure:
    """The heatmap alone, for side by side and for a run that is going on. Arguments as for `widths_figure`.

    Args:
        smallest: least pixels of a row; below twelve the layers are drawn without names and numbers.
    """
    rows = rows_of(widths, smallest)
    grid = grid_of(widths, rows, scale, mode, cuts)
    lines, crosses = vanished_traces(widths, rows)
    layout = layout_of(rows, cuts, neurons_left(cycles), height=HEAD + rows.height * rows.pixels + 8)
    heatmap = heatmap_trace(grid, rows).update(showscale=False)
    seen = [heatmap, *numbers_traces(grid, rows), lines, crosses.update(showlegend=False)]
    return go.Figure([*seen, cells_trace(widths, rows)], layout)


def heatmap_trace(grid: Grid, rows: Rows) -> go.Heatmap:
    z, edges = [], [0.0]
    for centre, heights in zip(rows.centres, grid.heights, strict=True):
        if centre - 0.5 > edges[-1]:  # groups are set apart by a row of nothing: the rows need not be even
            z.append(np.full_like(heights, np.nan))
            edges.append(centre - 0.5)
        z.append(heights)
        edges.append(centre + 0.5)
    return go.Heatmap(
        x=np.arange(grid.heights.shape[1] + 1) - 0.5,
        y=edges,
        z=np.array(z),
        zmin=0,
        zmax=1,
        hoverinfo="skip",
        colorscale=grid.scale,
        colorbar={"tickvals": list(grid.ticks), "ticktext": list(grid.ticks.values())},
        xgap=2,
        ygap=2 if rows.pixels >= 18 else 1 if rows.pixels >= 9 else 0.5,
    )


def numbers_traces(grid: Grid, rows: Rows) -> list[go.Scatter]:
    """The numbers in the cells, where there is room: dark on light colours, light on dark ones."""
    if not rows.named or grid.heights.shape[1] > 15:
        return []
    dark = takes_dark_text(grid.scale, np.nan_to_num(grid.heights))
    traces = []
    for colour, here in ((DARK_TEXT, dark), (LIGHT_TEXT, ~dark)):
        layers, columns = np.nonzero(here & (grid.text != ""))
        traces.append(
            go.Scatter(
                x=columns,
                y=np.asarray(rows.centres)[layers],
                text=grid.text[layers, columns],
                mode="text",
                textfont={"size": 12 if rows.pixels >= 18 else 10, "color": colour},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    return traces


def cells_trace(widths: pd.DataFrame, rows: Rows) -> go.Bar:
    """What a pointer finds in the cells of a `widths_table`, with a column `worth` (see `worth.with_worth`) or without.

    `customdata` of a cell is the layer's number, its `order`, and the cut that the cell is about: the one that made it,
    the first for the start, and for a layer that is gone the one that took it.
    """
    columns = ["site", "label", "order", "cycle", "neurons", "share", "parameters", "worth"]
    cells = widths[[column for column in columns if column in widths]].to_dict("records")
    fatal = dict(zip(*widths.loc[widths["vanished"], ["site", "cycle"]].to_numpy().T, strict=True))
    starts = {cell["site"]: cell["neurons"] for cell in cells if cell["cycle"] == 0}
    about = [(cell["order"], max(1, min(cell["cycle"], fatal.get(cell["site"], cell["cycle"])))) for cell in cells]
    return cover(widths, rows, [_hover(cell, starts[cell["site"]]) for cell in cells], about)


def cover(cells: pd.DataFrame, rows: Rows, hovers: list[str], customdata: Sequence[tuple[int, ...]] = ()) -> go.Bar:
    """Nothing to see, but to point at: a bar over every cell, because the cells of a heatmap cannot be clicked."""
    centres = dict(zip(rows.sites, rows.centres, strict=True))
    return go.Bar(
        x=cells["cycle"],
        y=np.ones(len(cells)),
        base=[centres[site] - 0.5 for site in cells["site"]],
        width=1,
        customdata=np.array(customdata, dtype=object) if customdata else None,
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        showlegend=False,
    )


def vanished_traces(widths: pd.DataFrame, rows: Rows) -> tuple[go.Scatter, go.Scatter]:
    """A cross where an adapter vanished and a line to the right of it: nothing comes back."""
    done = int(widths["cycle"].max())
    centres = dict(zip(rows.sites, rows.centres, strict=True))
    lost = widths[widths["vanished"]]
    x: list[float | None] = []
    y: list[float | None] = []
    for site, cycle in zip(lost["site"], lost["cycle"], strict=True):
        x += [cycle, done + 0.46, None]
        y += [centres[site], centres[site], None]
    line = go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": LOST, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )
    crosses = go.Scatter(
        x=lost["cycle"],
        y=[centres[site] for site in lost["site"]],
        mode="markers",
        name="adapter removed",
        marker={
            "symbol": "x",
            "size": 9 if rows.pixels >= 18 else 7 if rows.named else 5,
            "color": LOST,
            "opacity": 1,
        },
        hoverinfo="skip",
        showlegend=not lost.empty,
    )
    return line, crosses


def neurons_left(cycles: pd.DataFrame) -> list[str]:
    return [f"{neurons:,}" for neurons in cycles["neurons"]]


def layout_of(
    rows: Rows,
    cuts: int,
    heads: list[str],
    *,
    height: float,
    what: str = "neurons left",
    x: tuple[float, float] = (0, 1),
    y: tuple[float, float] = (0, 1),
) -> dict[str, Any]:
    """The layout of a heatmap that fills the part of the figure from `x[0]`, `y[0]` to `x[1]`, `y[1]` (0..1).

    Args:
        heads: under the titles of the columns, for the cycles that are done.
        what: these are.
    """
    titles = [f"<b>{cycle_name(k)}</b><br>{head}" for k, head in enumerate(heads)]
    titles += [f"{cycle_name(k)}<br> " for k in range(len(heads), cuts + 1)]
    bare = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    stages = rows.spans() if len(set(rows.groups)) > 1 else []
    return {
        "height": round(height),
        "margin": {"l": 118, "r": 8, "t": HEAD, "b": FOOT if y[0] else 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"align": "left"},
        "barmode": "overlay",
        "dragmode": False,
        "uirevision": "keep",
        "xaxis": {
            **bare,
            "domain": x,
            "anchor": "y",
            "side": "top",
            "range": [-0.5, cuts + 0.5],
            "tickvals": list(range(cuts + 1)),
            "ticktext": titles,
            "tickfont": {"size": 12},
        },
        "yaxis": {
            **bare,
            "domain": y,
            "range": [rows.height, 0],
            "tickvals": rows.centres,
            "ticktext": [escape_html(label) if rows.named else "" for label in rows.labels],
            "tickfont": {"size": 12 if rows.pixels >= 18 else 10},
        },
        "shapes": [_bracket(*stage) for stage in stages],
        "annotations": [{**_CORNER, "text": f"<br>{what}"}, *(_stage_name(*stage) for stage in stages)],
    }


_CORNER = {
    "xref": "paper",
    "yref": "paper",
    "x": 0,
    "xshift": -6,
    "y": 1,
    "yshift": 3,
    "xanchor": "right",
    "yanchor": "bottom",
    "showarrow": False,
    "font": {"size": 11, "color": MUTED},
}


def _bracket(_group: str, colour: str, top: float, bottom: float) -> dict[str, Any]:
    """A coloured line left of the names of a stage's layers."""
    return {
        "type": "line",
        "xref": "paper",
        "yref": "y",
        "xsizemode": "pixel",
        "xanchor": 0,
        "x0": -90,
        "x1": -90,
        "y0": top + 0.06,
        "y1": bottom - 0.06,
        "line": {"color": colour, "width": 4},
    }


def _stage_name(group: str, colour: str, top: float, bottom: float) -> dict[str, Any]:
    """Beside the bracket, upright."""
    return {
        "text": escape_html(group),
        "xref": "paper",
        "yref": "y",
        "x": 0,
        "xanchor": "center",
        "xshift": -104,
        "y": (top + bottom) / 2,
        "textangle": -90,
        "showarrow": False,
        "font": {"size": 12, "color": colour},
    }


def _hover(cell: Mapping[Any, Any], start: int) -> str:
    where = f"<b>{escape_html(cell['label'])}</b>, {cycle_name(cell['cycle'])}<br>"
    if not cell["neurons"]:
        told = escape_html(cell.get("worth", "")).replace("; ", "<br>")
        return f"{where}no adapter: again the frozen original{f'<br>{told}' if told else ''}"
    share, parameters = percent(cell["share"], 0), cell["parameters"]
    return f"{where}{cell['neurons']:,} of {start:,} neurons ({share})<br>{parameters:,} parameters"
