"""Training curves of a run over all its cycles."""

from typing import Any

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
    broken = _broken_at_cuts(epochs)
    traces = [
        _line(broken, "accuracy", "training images", "y"),
        _line(broken, "loss", "training loss", "y2").update(showlegend=False),
        _points(evaluations, "trained", "val", "val, after training", "circle-open", GAIN),
        _points(evaluations, "trained", "test", "test, after training", "circle", GAIN),
        _points(evaluations, "cut", "val", "val, right after a cut", "triangle-down-open", LOST),
        _points(evaluations, "cut", "test", "test, right after a cut", "triangle-down", LOST),
    ]
    cuts = {cycle: step - 0.5 for cycle, step in epochs.groupby("cycle")["step"].min().items() if cycle}
    axis = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "tickfont": {"size": 11, "color": MUTED}}
    layout = {
        "height": HEIGHT,
        "margin": {"l": 46, "r": 8, "t": 22, "b": 76},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "keep",
        "hovermode": "closest",
        "xaxis": {
            **axis,
            "range": [0.5, max(total_steps, 1) + 0.8],
            "anchor": "y2",
            "title": {"text": "epoch", "font": {"size": 12, "color": MUTED}, "standoff": 6},
            "showgrid": False,
        },
        "yaxis": {
            **axis,
            "domain": [0.42, 1],
            "tickformat": ".0%",
            "nticks": 6,
            "range": None if len(epochs) else [0, 1],
        },
        "yaxis2": {**axis, "domain": [0, 0.32], "nticks": 5, "range": None if len(epochs) else [0, 2.5]},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": -0.16,
            "yanchor": "top",
            "font": {"size": 12},
            "bgcolor": "rgba(0,0,0,0)",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "shapes": [_cut_line(step) for step in cuts.values()],
        "annotations": [
            *(_text(f"cut {cycle}", step, 1, "x", "center", 11, MUTED) for cycle, step in cuts.items()),
            _text("accuracy", 0, 1, "paper", "left", 12, None, shift=-46),
            _text("training loss", 0, 0.33, "paper", "left", 12, None, shift=-46),
        ],
    }
    return go.Figure(traces, layout)


def _broken_at_cuts(epochs: pd.DataFrame) -> pd.DataFrame:
    """An empty row after every cycle, so that one line can have gaps."""
    ends = epochs.groupby("cycle")["step"].max() + 0.5
    gaps = pd.DataFrame({"step": ends.to_numpy(dtype=float)})
    return pd.concat([epochs, gaps]).sort_values("step") if len(epochs) else epochs


def _cut_line(step: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": step,
        "x1": step,
        "y0": 0,
        "y1": 1,
        "line": {"color": MUTED, "width": 1, "dash": "dot"},
    }


def _text(
    text: str, x: float, y: float, xref: str, anchor: str, size: int, colour: str | None, shift: int = 0
) -> dict[str, Any]:
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": xref,
        "yref": "paper",
        "xanchor": anchor,
        "yanchor": "bottom",
        "xshift": shift,
        "showarrow": False,
        "font": {"size": size, "color": colour},
    }


def _line(epochs: pd.DataFrame, column: str, name: str, axis: str) -> go.Scatter:
    shown = "%{y:.1%}" if column == "accuracy" else "%{y:.3f}"
    return go.Scatter(
        x=epochs["step"],
        y=epochs[column],
        name=name,
        yaxis=axis,
        mode="lines+markers",
        line={"color": SECOND, "width": 1.8},
        marker={"size": 3},
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
