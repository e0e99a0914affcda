"""Training curves of a run over all its cycles."""

import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.theme import GAIN, GRID, LOST, MUTED, SECOND

HEIGHT = 430


def curves_figure(epochs: pd.DataFrame, evaluations: pd.DataFrame, *, total_steps: int) -> go.Figure:
    """Accuracy above, training loss below, epochs of all cycles one after the other.

    Args:
        epochs: an `epochs_table`.
        evaluations: an `evaluations_table`.
        total_steps: epochs of the whole run, so that the axis of a run that is going on stays where it is.
    """
    figure = go.Figure()
    for cycle, part in epochs.groupby("cycle"):
        first = cycle == epochs["cycle"].min()
        figure.add_trace(_line(part, "accuracy", "training images", SECOND, "y", bool(first)))
        figure.add_trace(_line(part, "loss", "training loss", SECOND, "y2", False))
    for split, symbol, colour in (("val", "circle-open", GAIN), ("test", "circle", GAIN)):
        figure.add_trace(_points(evaluations, "trained", split, f"{split}, after training", symbol, colour))
    figure.add_trace(_points(evaluations, "cut", "val", "val, right after a cut", "triangle-down-open", LOST))
    figure.add_trace(_points(evaluations, "cut", "test", "test, right after a cut", "triangle-down", LOST))
    for cycle, step in epochs[epochs["cycle"] > 0].groupby("cycle")["step"].min().items():
        figure.add_vline(x=step - 0.5, line={"color": MUTED, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=f"cut {cycle}",
            x=step - 0.5,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": MUTED},
        )
    axis = {
        "gridcolor": GRID,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 11, "color": MUTED},
    }
    for name, top in (("accuracy", 1), ("training loss", 0.33)):
        figure.add_annotation(
            text=name,
            xref="paper",
            yref="paper",
            x=0,
            xshift=-46,
            y=top,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12},
        )
    return figure.update_layout(
        height=HEIGHT,
        margin={"l": 46, "r": 8, "t": 22, "b": 76},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        uirevision="keep",
        hovermode="closest",
        xaxis={
            **axis,
            "range": [0.5, max(total_steps, 1) + 0.8],
            "anchor": "y2",
            "title": {"text": "epoch", "font": {"size": 12, "color": MUTED}, "standoff": 6},
            "showgrid": False,
        },
        yaxis={**axis, "domain": [0.42, 1], "tickformat": ".0%", "nticks": 6},
        yaxis2={**axis, "domain": [0, 0.32], "nticks": 5},
        legend={
            "orientation": "h",
            "x": 0,
            "y": -0.16,
            "yanchor": "top",
            "font": {"size": 12},
            "bgcolor": "rgba(0,0,0,0)",
            "itemclick": False,
            "itemdoubleclick": False,
        },
    )


def _line(part: pd.DataFrame, column: str, name: str, colour: str, axis: str, legend: bool) -> go.Scatter:
    shown = "%{y:.1%}" if column == "accuracy" else "%{y:.3f}"
    return go.Scatter(
        x=part["step"],
        y=part[column],
        name=name,
        yaxis=axis,
        mode="lines+markers" if len(part) == 1 else "lines",
        line={"color": colour, "width": 1.8},
        marker={"size": 4},
        showlegend=legend,
        hovertemplate=f"epoch %{{x}}: {name} {shown}<extra></extra>",
    )


def _points(evaluations: pd.DataFrame, stage: str, split: str, name: str, symbol: str, colour: str) -> go.Scatter:
    part = evaluations[(evaluations["stage"] == stage) & (evaluations["split"] == split)]
    return go.Scatter(
        x=part["step"],
        y=part["accuracy"],
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1.5, "color": colour}},
        showlegend=not part.empty,
        hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
    )
