"""Training curves of a run over all its cycles, as charts in Vega-Lite whose data comes apart from them.

A chart stays what it is while a run goes on, and only its table grows; so a page can add points without drawing the
chart anew, which would flash.
"""

import pandas as pd

from mimi_core.analysis.common.charts import BARE, Chart, finished
from mimi_core.analysis.common.tables import epochs_table, evaluations_table
from mimi_core.analysis.common.theme import GAIN, GRID, LOST, MUTED, SECOND
from mimi_core.budget import plan
from mimi_core.config import RunConfig
from mimi_core.runs.events import RunState

ACCURACY_HEIGHT, LOSS_HEIGHT = 250, 150
TRAINING, CUT = "training images", "cut"
_POINTS = {
    ("trained", "val"): ("val, after training", "circle", GAIN, "transparent"),
    ("trained", "test"): ("test, after training", "circle", GAIN, GAIN),
    ("cut", "val"): ("val, right after a cut", "triangle-down", LOST, "transparent"),
    ("cut", "test"): ("test, right after a cut", "triangle-down", LOST, LOST),
}
"""(stage, split) -> name, shape, colour, filling."""


def curves_table(state: RunState) -> pd.DataFrame:
    """What both charts show, one row per point: an epoch, an evaluation, or a cut.

    Columns: series (`TRAINING`, the name of an evaluation, or `CUT`), step (1, 2, .. over the whole run; a cut is
    between two epochs), cycle, accuracy (0..1 or NaN), loss (of training, or NaN), name (of a cut).
    """
    epochs, points = epochs_table(state), evaluations_table(state)
    names = [_POINTS[stage, split][0] for stage, split in zip(points["stage"], points["split"], strict=True)]
    cuts = epochs[epochs["cycle"] > 0].groupby("cycle", as_index=False)["step"].min()
    columns = ["series", "step", "cycle", "accuracy", "loss", "name"]
    parts = [
        epochs.assign(series=TRAINING, name=""),
        points.assign(series=names, loss=float("nan"), name=""),
        cuts.assign(series=CUT, step=cuts["step"] - 0.5, name=[f"cut {cycle}" for cycle in cuts["cycle"]]),
    ]
    table = pd.concat([part.reindex(columns=columns) for part in parts if len(part)] or [pd.DataFrame(columns=columns)])
    texts = ("series", "name")
    return table.astype({name: "str" if name in texts else "float" for name in columns}).reset_index(drop=True)


def accuracy_chart(steps: int, cuts: int, *, evaluated: bool = True) -> Chart:
    """Accuracy over the epochs; data is a `curves_table`.

    Args:
        steps: epochs of the whole run, so that the axis of a run that is going on stays where it is.
        cuts: that the run is going to make.
        evaluated: whether there are evaluations to draw: a layer without points has no extent, and Vega complains.
    """
    shown = [point for (stage, _), point in _POINTS.items() if stage == "trained" or cuts]
    names = [TRAINING, *(name for name, *_ in shown)]

    def scale(training: str, column: int) -> Chart:
        return {"domain": names, "range": [training, *(point[column] for point in shown)]}

    looks = {"orient": "bottom", "columns": 3, "labelLimit": 220, "symbolSize": 70, "symbolStrokeWidth": 1.6}
    legend = {"title": None, "values": names, **looks}
    series = {"field": "series", "type": "nominal"}
    y = _y("accuracy", "accuracy", ".0%")
    tooltip = [
        {**series, "title": "what"},
        {"field": "step", "type": "quantitative", "title": "epoch"},
        {"field": "accuracy", "type": "quantitative", "format": ".1%"},
    ]
    line = {
        "transform": [{"filter": {"field": "series", "equal": TRAINING}}],
        "mark": {"type": "line", "strokeWidth": 1.8},
        "encoding": {
            "x": _x(steps),
            "y": y,
            "detail": {"field": "cycle"},
            "stroke": {**series, "scale": scale(SECOND, 2), "legend": legend},
            "tooltip": tooltip,
        },
    }
    points = {
        "transform": [{"filter": {"field": "series", "oneOf": names[1:]}}],
        "mark": {"type": "point", "size": 70, "strokeWidth": 1.6, "opacity": 1},
        "encoding": {
            "x": _x(steps),
            "y": y,
            "stroke": {**series, "scale": scale(SECOND, 2), "legend": legend},
            "fill": {**series, "scale": scale("transparent", 3), "legend": legend},
            "shape": {**series, "scale": scale("stroke", 1), "legend": legend},
            "tooltip": tooltip,
        },
    }
    layers = [_rule(steps), _cut_name(steps), line, *([points] if evaluated else [])]
    return finished(layers, None, ACCURACY_HEIGHT, bottom=8)


def loss_chart(steps: int) -> Chart:
    """Training loss over the epochs; data and `steps` as in `accuracy_chart`."""
    line = {
        "transform": [{"filter": {"field": "series", "equal": TRAINING}}],
        "mark": {"type": "line", "strokeWidth": 1.8, "color": SECOND},
        "encoding": {
            "x": _x(steps, title="epoch"),
            "y": _y("loss", "training loss", ".3~g"),
            "detail": {"field": "cycle"},
            "tooltip": [
                {"field": "step", "type": "quantitative", "title": "epoch"},
                {"field": "loss", "type": "quantitative", "title": "training loss", "format": ".3f"},
            ],
        },
    }
    return finished([_rule(steps, title="epoch"), line], None, LOSS_HEIGHT, bottom=8)


def total_steps(state: RunState, config: RunConfig) -> int:
    """Epochs of the whole run. Cycles that are done count as they were: a branch's parent may have had others."""
    begun = max((e.cycle for e in state.epochs), default=0)
    done = sum(e.cycle < begun for e in state.epochs)
    neurons = sum(state.started.initial_widths.values()) if state.started else None
    return max(done + sum(plan(config, neurons).epochs[begun:]), len(state.epochs))


def _rule(steps: int, title: str | None = None) -> Chart:
    """A line at every cut."""
    mark = {"type": "rule", "color": MUTED, "strokeDash": [2, 3]}
    return {"transform": [_ONLY_CUTS], "mark": mark, "encoding": {"x": _x(steps, title)}}


def _cut_name(steps: int) -> Chart:
    mark = {"type": "text", "color": MUTED, "baseline": "bottom", "dy": -4, "fontSize": 11}
    place = {"x": _x(steps), "y": {"value": 0}}
    return {"transform": [_ONLY_CUTS], "mark": mark, "encoding": {**place, "text": {"field": "name"}}}


def _x(steps: int, title: str | None = None) -> Chart:
    return {
        "field": "step",
        "type": "quantitative",
        "scale": {"domain": [0.5, max(steps, 1) + 0.5], "nice": False},
        "axis": {"title": title, "titleColor": MUTED, "grid": False, "tickMinStep": 1, "format": "d", **_LOOKS},
    }


def _y(field: str, title: str, form: str) -> Chart:
    axis = {"title": title, "titleColor": MUTED, "format": form, "tickCount": 5, "minExtent": 42, "maxExtent": 42}
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": False},
        "axis": {**axis, "gridColor": GRID, **_LOOKS},
    }


_ONLY_CUTS = {"filter": {"field": "series", "equal": CUT}}
_LOOKS = {**BARE, "labelColor": MUTED}
