"""The widths figures: layer x cycle as one heatmap, with the bars of one cycle and the accuracies on the same axes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.labels import escape_html
from mimi_core.analysis.sentences import compact
from mimi_core.analysis.tables import Mode
from mimi_core.analysis.theme import Theme, colour_scale

MODE_NAMES: dict[Mode, str] = {
    "share": "share of the initial width",
    "neurons": "neurons",
    "parameters": "adapter parameters",
}
STAGE_GAP = 0.45
"""Height of the gap between two stages, in rows."""
HEAD, FOOT, PANEL_GAP, PANEL = 46, 30, 26, 150
"""Pixels: column titles, space below, between the panels, the accuracy panel."""


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


def widths_figure(
    widths: pd.DataFrame, cycles: pd.DataFrame, theme: Theme, *, cycle: int, cuts: int, mode: Mode = "share"
) -> go.Figure:
    """Heatmap of all cycles, bars of `cycle` beside it, accuracies below it.

    Args:
        widths: a `widths_table`, filtered as wanted; not empty.
        cycles: the `cycles_table` of the same run.
        cuts: K, so that a run that is going on keeps its columns in place.
    """
    rows = _rows(widths)
    body = rows.height * rows.pixels
    height = HEAD + body + PANEL_GAP + PANEL + FOOT
    inner = height - HEAD - FOOT
    split, foot = 1 - body / inner, PANEL / inner
    figure = go.Figure([_heatmap(widths, rows, theme, mode, cuts), *_vanished(widths, rows, theme)])
    figure.add_traces(_bars(widths, rows, theme, mode, cycle))
    figure.add_traces(_accuracies(cycles, theme))
    _layout(figure, rows, theme, cuts, cycles, (0.0, 0.74), (split, 1.0), height)
    figure.update_layout(
        xaxis2={
            "domain": [0.765, 1.0],
            "anchor": "y",
            "side": "top",
            "range": [0, 1.25 * max(float(widths.loc[widths["cycle"] == cycle, mode].max()), 1e-9)],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "ticks": "",
            "fixedrange": True,
        },
        yaxis2={
            "domain": [0.0, foot],
            "anchor": "x",
            "tickformat": ".0%",
            "gridcolor": theme.grid,
            "zeroline": False,
            "nticks": 5,
            "range": _padded(cycles),
            "title": {"text": "test accuracy", "font": {"size": 12, "color": theme.muted}, "standoff": 6},
            "fixedrange": True,
        },
        legend={
            "x": 0.77,
            "y": foot,
            "xanchor": "left",
            "yanchor": "top",
            "font": {"size": 12, "color": theme.text},
            "bgcolor": "rgba(0,0,0,0)",
            "itemclick": False,
            "itemdoubleclick": False,
        },
    )
    figure.update_traces(
        colorbar={
            "orientation": "h",
            "x": 0.77,
            "xanchor": "left",
            "len": 0.225,
            "y": 0,
            "yanchor": "bottom",
            "ypad": 0,
            "xpad": 0,
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11, "color": theme.muted},
            "ticklabeloverflow": "allow",
            "title": {"text": f"colour: {MODE_NAMES[mode]}", "side": "top", "font": {"size": 12, "color": theme.text}},
        },
        selector={"type": "heatmap"},
    )
    figure.add_annotation(
        text=f"<b>{_cycle_name(cycle)}</b><br>{MODE_NAMES[mode]}",
        xref="paper",
        yref="paper",
        x=0.765,
        y=1,
        xanchor="left",
        yanchor="bottom",
        align="left",
        showarrow=False,
        font={"size": 12, "color": theme.text},
    )
    figure.add_shape(
        type="rect",
        xref="x",
        yref="paper",
        x0=cycle - 0.5,
        x1=cycle + 0.5,
        y0=0,
        y1=1,
        line={"width": 1.5, "color": theme.text},
        fillcolor="rgba(0,0,0,0)",
    )
    return figure


def heatmap_figure(
    widths: pd.DataFrame, cycles: pd.DataFrame, theme: Theme, *, cuts: int, mode: Mode = "share", smallest: int = 13
) -> go.Figure:
    """The heatmap alone, for side by side and for a run that is going on. Arguments as for `widths_figure`.

    Args:
        smallest: least pixels of a row; below twelve the layers are drawn without names and numbers.
    """
    rows = _rows(widths, smallest)
    figure = go.Figure([_heatmap(widths, rows, theme, mode, cuts), *_vanished(widths, rows, theme)])
    _layout(figure, rows, theme, cuts, cycles, (0.0, 1.0), (0.0, 1.0), HEAD + rows.height * rows.pixels + 8)
    figure.update_traces(showscale=False, selector={"type": "heatmap"})
    return figure.update_traces(showlegend=False)


# --- rows and columns ------------------------------------------------------------------------------------------------


def _rows(widths: pd.DataFrame, smallest: int = 13) -> Rows:
    layers = widths.drop_duplicates("site").sort_values("order")
    groups = list(layers["group"])
    changes = np.cumsum([0, *(a != b for a, b in zip(groups, groups[1:], strict=False))])
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


def _cycle_name(cycle: int) -> str:
    return f"cut {cycle}" if cycle else "start"


def _grid(widths: pd.DataFrame, rows: Rows, column: str, cuts: int) -> np.ndarray:
    """(layers, cuts + 1) values of a column; NaN where the run has not been yet."""
    return (
        widths.pivot(index="site", columns="cycle", values=column)
        .reindex(index=rows.sites, columns=range(cuts + 1))
        .to_numpy()
    )


def _heatmap(widths: pd.DataFrame, rows: Rows, theme: Theme, mode: Mode, cuts: int) -> go.Heatmap:
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
        colorscale=colour_scale(theme),
        colorbar={
            "tickvals": [t**0.5 for t in ticks],
            "ticktext": [f"{100 * t:g}%" if mode == "share" else compact(t) for t in ticks],
        },
        xgap=2,
        ygap=2 if rows.pixels >= 18 else 1 if rows.pixels >= 9 else 0.5,
        showlegend=False,
    )


def _hover(label: str, cycle: int, neurons: np.ndarray, share: float, parameters: float) -> str:
    if np.isnan(neurons[cycle]):
        return ""
    return (
        f"<b>{label}</b>, {_cycle_name(cycle)}<br>"
        f"{neurons[cycle]:.0f} of {neurons[0]:.0f} neurons ({100 * share:.0f} %)<br>{parameters:,.0f} parameters"
    )


def _ticks(top: float) -> list[float]:
    """A few round values up to `top`, spread evenly to the eye on a square-root axis."""
    values = [top * part for part in (0.02, 0.15, 0.45, 1.0)]
    return sorted({float(f"{value:.1g}") if value < top else top for value in values if value >= 1} | {top})


def _vanished(widths: pd.DataFrame, rows: Rows, theme: Theme) -> list[go.Scatter]:
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
        line={"color": theme.lost, "width": 1, "dash": "dot"},
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
            "color": theme.lost,
            "opacity": 1,
        },
        text=[
            f"<b>{labels[site]}</b><br>lost its adapter at cut {cycle}"
            for site, cycle in zip(lost["site"], lost["cycle"], strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=not lost.empty,
    )
    return [line, crosses]


def _bars(widths: pd.DataFrame, rows: Rows, theme: Theme, mode: Mode, cycle: int) -> go.Bar:
    now = widths[widths["cycle"] == cycle].set_index("site").reindex(rows.sites)
    text = [
        "" if row.gone else f"{100 * row.share:.0f}%" if mode == "share" else compact(getattr(row, mode))
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
        textfont={"size": 11 if rows.pixels >= 18 else 9, "color": theme.muted},
        cliponaxis=False,
        customdata=rows.labels,
        hovertemplate="%{customdata}: %{text}<extra></extra>",
        showlegend=False,
    )


def _accuracies(cycles: pd.DataFrame, theme: Theme) -> list[go.Scatter]:
    """Down with every cut, up again with training: one zigzag line, with the two kinds of points on it."""
    cut = cycles.dropna(subset=["cut"])
    after = cycles.dropna(subset=["after"])
    points = sorted(
        [(k - 0.2, a) for k, a in zip(cut["cycle"], cut["cut"], strict=True)]
        + [(k + 0.2 * (k > 0), a) for k, a in zip(after["cycle"], after["after"], strict=True)]
    )
    labelled = "+text" if len(cycles) <= 9 else ""
    common = {"yaxis": "y2", "textfont": {"size": 11, "color": theme.muted}, "cliponaxis": False}
    return [
        go.Scatter(
            x=[x for x, _ in points],
            y=[a for _, a in points],
            mode="lines",
            line={"color": theme.muted, "width": 1.2},
            hoverinfo="skip",
            showlegend=False,
            yaxis="y2",
        ),
        go.Scatter(
            x=after["cycle"] + 0.2 * (after["cycle"] > 0),
            y=after["after"],
            name="after training",
            mode=f"markers{labelled}",
            text=[f"{100 * a:.1f}" for a in after["after"]],
            textposition="top center",
            marker={"size": 9, "color": theme.gain},
            hovertemplate="after training: %{y:.1%}<extra></extra>",
            **common,
        ),
        go.Scatter(
            x=cut["cycle"] - 0.2,
            y=cut["cut"],
            name="right after the cut",
            mode=f"markers{labelled}",
            text=[f"{100 * a:.1f}" for a in cut["cut"]],
            textposition="bottom center",
            marker={"size": 9, "symbol": "triangle-down", "color": theme.lost},
            hovertemplate="right after the cut: %{y:.1%}<extra></extra>",
            showlegend=not cut.empty,
            **common,
        ),
    ]


def _padded(cycles: pd.DataFrame) -> list[float] | None:
    """The range of all accuracies, with room for the numbers above and below."""
    values = cycles[["before", "cut", "after"]].stack()
    if values.empty:
        return None
    room = max(0.22 * (values.max() - values.min()), 0.01)
    return [values.min() - room, values.max() + room]


def _layout(
    figure: go.Figure,
    rows: Rows,
    theme: Theme,
    cuts: int,
    cycles: pd.DataFrame,
    x_domain: tuple[float, float],
    y_domain: tuple[float, float],
    height: float,
) -> None:
    neurons = dict(zip(cycles["cycle"], cycles["neurons"], strict=True))
    titles = [
        f"<b>{_cycle_name(k)}</b><br>{neurons[k]:,}" if k in neurons else f"{_cycle_name(k)}<br> "
        for k in range(cuts + 1)
    ]
    font = 12 if rows.pixels >= 18 else 10
    figure.update_layout(
        height=round(height),
        margin={"l": 118, "r": 8, "t": HEAD, "b": FOOT if y_domain[0] else 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
        uirevision="keep",
        xaxis={
            "domain": x_domain,
            "anchor": "y",
            "side": "top",
            "range": [-0.5, cuts + 0.5],
            "tickvals": list(range(cuts + 1)),
            "ticktext": titles,
            "tickfont": {"size": 12, "color": theme.text},
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
            "fixedrange": True,
        },
        yaxis={
            "domain": y_domain,
            "range": [rows.height, 0],
            "tickvals": rows.centres,
            "ticktext": rows.labels if rows.named else [""] * len(rows.labels),
            "tickfont": {"size": font, "color": theme.text},
            "showgrid": False,
            "zeroline": False,
            "ticks": "",
            "fixedrange": True,
        },
    )
    figure.add_annotation(
        text="<br>neurons left",
        xref="paper",
        yref="paper",
        x=0,
        xshift=-6,
        y=1,
        yshift=3,
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 11, "color": theme.muted},
    )
    if len(set(rows.groups)) > 1:
        _stage_marks(figure, rows)


def _stage_marks(figure: go.Figure, rows: Rows) -> None:
    """A coloured bracket with the stage's name, left of the layers' names."""
    for group, colour, top, bottom in rows.spans():
        figure.add_shape(
            type="line",
            xref="paper",
            yref="y",
            xsizemode="pixel",
            xanchor=0,
            x0=-90,
            x1=-90,
            y0=top + 0.06,
            y1=bottom - 0.06,
            line={"color": colour, "width": 4},
        )
        figure.add_annotation(
            text=escape_html(group),
            xref="paper",
            yref="y",
            x=0,
            xanchor="center",
            xshift=-104,
            y=(top + bottom) / 2,
            textangle=-90,
            showarrow=False,
            font={"size": 12, "color": colour},
        )
