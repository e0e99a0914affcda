"""Layer x cycle as one heatmap: the picture that the widths pages are built around."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.labels import escape_html
from mimi_core.analysis.tables import Mode
from mimi_core.analysis.theme import LOST, MUTED, Scale
from mimi_core.analysis.words import compact

MODE_NAMES: dict[Mode, str] = {
    "share": "share of the initial width",
    "neurons": "neurons",
    "parameters": "adapter parameters",
}
HEAD, FOOT = 46, 30
"""Pixels above the rows, for the columns' titles, and below everything."""
STAGE_GAP = 0.45
"""Height of the gap between two stages, in rows."""


@dataclass(frozen=True)
class Rows:
    """Where the layers are on the vertical axis, first layer on top; stages are set apart."""

    sites: list[str]
    labels: list[str]
    groups: list[str]
    colours: list[str]
    centres: list[float]
    height: float
    """Of all rows, gaps included, in rows."""
    pixels: int
    """Of one row: generous for few layers, still readable for a hundred."""

    @property
    def named(self) -> bool:
        """Whether there is room for a layer's name and its numbers."""
        return self.pixels >= 12

    def spans(self) -> list[tuple[str, str, float, float]]:
        """Group, colour, top and bottom of every run of rows of one group."""
        found: list[tuple[str, str, float, float]] = []
        for group, colour, centre in zip(self.groups, self.colours, self.centres, strict=True):
            if found and found[-1][0] == group:
                found[-1] = (group, colour, found[-1][2], centre + 0.5)
            else:
                found.append((group, colour, centre - 0.5, centre + 0.5))
        return found


def heatmap_figure(
    widths: pd.DataFrame, cycles: pd.DataFrame, scale: Scale, *, cuts: int, mode: Mode = "share", smallest: int = 13
) -> go.Figure:
    """The heatmap alone, for side by side and for a run that is going on. Arguments as for `widths_figure`.

    Args:
        smallest: least pixels of a row; below twelve the layers are drawn without names and numbers.
    """
    rows = rows_of(widths, smallest)
    heatmap = heatmap_trace(widths, rows, scale, mode, cuts).update(showscale=False)
    lines, crosses = vanished_traces(widths, rows)
    layout = layout_of(rows, cuts, cycles, x=(0, 1), y=(0, 1), height=HEAD + rows.height * rows.pixels + 8)
    return go.Figure([heatmap, lines, crosses.update(showlegend=False)], layout)


def rows_of(widths: pd.DataFrame, smallest: int = 13) -> Rows:
    layers = widths.drop_duplicates("site").sort_values("order")
    groups = list(layers["group"])
    changes = np.cumsum([0, *(a != b for a, b in pairwise(groups))])
    centres = [float(i + 0.5 + STAGE_GAP * change) for i, change in enumerate(changes)]
    return Rows(
        sites=list(layers["site"]),
        labels=[escape_html(label) for label in layers["label"]],
        groups=groups,
        colours=list(layers["colour"]),
        centres=centres,
        height=centres[-1] + 0.5,
        pixels=int(np.clip(round(560 / len(layers)), smallest, 30)),
    )


def cycle_name(cycle: int) -> str:
    return f"cut {cycle}" if cycle else "start"


def heatmap_trace(widths: pd.DataFrame, rows: Rows, scale: Scale, mode: Mode, cuts: int) -> go.Heatmap:
    """One trace. Stages are set apart by rows of NaN: the bricks have edges of their own, so rows need not be even."""
    values, neurons, shares, parameters = (
        _grid(widths, rows, column, cuts).astype(float) for column in (mode, "neurons", "share", "parameters")
    )
    shown = values if mode == "parameters" else neurons
    text = np.vectorize(lambda v: "" if np.isnan(v) or v == 0 else compact(v))(shown)
    hover = np.empty(values.shape, dtype=object)
    for i, label in enumerate(rows.labels):
        for k in range(cuts + 1):
            hover[i, k] = _hover(label, k, neurons[i], shares[i, k], parameters[i, k])
    z, cells, hovers, edges = [], [], [], [0.0]
    for i, centre in enumerate(rows.centres):
        if centre - 0.5 > edges[-1]:
            z.append([np.nan] * (cuts + 1))
            cells.append([""] * (cuts + 1))
            hovers.append([""] * (cuts + 1))
            edges.append(centre - 0.5)
        # The square root lets few neurons be told from fewer: most of a run happens at the low end.
        z.append([np.sqrt(v) if v > 0 else np.nan for v in values[i]])
        cells.append(list(text[i]))
        hovers.append(list(hover[i]))
        edges.append(centre + 0.5)
    top = 1.0 if mode == "share" else max(1.0, float(np.nanmax(values)))
    ticks = [0.01, 0.1, 0.25, 0.5, 1.0] if mode == "share" else _ticks(top)
    return go.Heatmap(
        x=np.arange(cuts + 2) - 0.5,
        y=edges,
        z=z,
        zmin=0,
        zmax=top**0.5,
        text=cells,
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        hoverongaps=False,
        texttemplate="%{text}" if rows.named and cuts <= 14 else None,
        textfont={"size": 12 if rows.pixels >= 18 else 10},
        colorscale=scale,
        colorbar={
            "tickvals": [t**0.5 for t in ticks],
            "ticktext": [f"{100 * t:g}%" if mode == "share" else compact(t) for t in ticks],
        },
        xgap=2,
        ygap=2 if rows.pixels >= 18 else 1 if rows.pixels >= 9 else 0.5,
        showlegend=False,
    )


def vanished_traces(widths: pd.DataFrame, rows: Rows) -> tuple[go.Scatter, go.Scatter]:
    """A cross where an adapter vanished and a line to the right of it: nothing comes back."""
    done = int(widths["cycle"].max())
    centres = dict(zip(rows.sites, rows.centres, strict=True))
    labels = dict(zip(rows.sites, rows.labels, strict=True))
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
        text=[
            f"<b>{labels[site]}</b><br>lost its adapter at cut {cycle}"
            for site, cycle in zip(lost["site"], lost["cycle"], strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=not lost.empty,
    )
    return line, crosses


def layout_of(
    rows: Rows, cuts: int, cycles: pd.DataFrame, *, x: tuple[float, float], y: tuple[float, float], height: float
) -> dict[str, Any]:
    """The layout of a heatmap that fills the part of the figure from `x[0]`, `y[0]` to `x[1]`, `y[1]` (0..1)."""
    neurons = dict(zip(cycles["cycle"], cycles["neurons"], strict=True))
    titles = [
        f"<b>{cycle_name(k)}</b><br>{neurons[k]:,}" if k in neurons else f"{cycle_name(k)}<br> "
        for k in range(cuts + 1)
    ]
    bare = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    stages = rows.spans() if len(set(rows.groups)) > 1 else []
    return {
        "height": round(height),
        "margin": {"l": 118, "r": 8, "t": HEAD, "b": FOOT if y[0] else 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"align": "left"},
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
            "ticktext": rows.labels if rows.named else [""] * len(rows.labels),
            "tickfont": {"size": 12 if rows.pixels >= 18 else 10},
        },
        "shapes": [_bracket(*stage) for stage in stages],
        "annotations": [_NEURONS_LEFT, *(_stage_name(*stage) for stage in stages)],
    }


_NEURONS_LEFT = {
    "text": "<br>neurons left",
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


def _grid(widths: pd.DataFrame, rows: Rows, column: str, cuts: int) -> np.ndarray:
    """(layers, cuts + 1) values of a column; NaN where the run has not been yet."""
    return (
        widths.pivot(index="site", columns="cycle", values=column)
        .reindex(index=rows.sites, columns=range(cuts + 1))
        .to_numpy()
    )


def _hover(label: str, cycle: int, neurons: np.ndarray, share: float, parameters: float) -> str:
    if np.isnan(neurons[cycle]):
        return ""
    return (
        f"<b>{label}</b>, {cycle_name(cycle)}<br>"
        f"{neurons[cycle]:.0f} of {neurons[0]:.0f} neurons ({100 * share:.0f} %)<br>{parameters:,.0f} parameters"
    )


def _ticks(top: float) -> list[float]:
    """A few round values up to `top`, spread evenly to the eye on a square-root axis."""
    values = [top * part for part in (0.02, 0.15, 0.45, 1.0)]
    return sorted({float(f"{value:.1g}") if value < top else top for value in values if value >= 1} | {top})
