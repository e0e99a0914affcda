"""Accuracy against trained parameters, drawn: own runs with their intervals and paths, or published results."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log10
from typing import Any

import altair as alt
import pandas as pd

from mimi_core.analysis.series import FIT, accuracy_domain, axis, colour, interval_tips, shape, thinned
from mimi_core.analysis.theme import MUTED, SECOND
from mimi_core.analysis.trade_off import front_line
from mimi_core.analysis.words import percent

Chart = alt.LayerChart
_Accuracy = Callable[[str], alt.Y]
"""Column -> the one axis of accuracies that all layers share."""
HEIGHT = 460
MOST_NAMED = 8
"""So many settings have their names beside their points, and calm intervals; of more, the tooltip says which."""
_ASSUMED_WIDTH = 1000
"""Pixels of the plot, for keeping names apart; it may be wider or narrower."""
_PADDING = 56
"""Pixels between the outermost points and the frame."""
_LETTER, _LINE = 6.4, 15
"""Pixels of a letter and of a line of the names."""
_PLACES: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    "left": ({"align": "right", "dx": -10}, (-1, 0)),
    "above left": ({"align": "right", "dx": -5, "dy": -12}, (-1, -0.8)),
    "below right": ({"align": "left", "dx": 6, "dy": 12}, (0, 0.8)),
    "right": ({"align": "left", "dx": 10}, (0, 0)),
    "above": ({"align": "center", "dy": -15}, (-0.5, -1)),
    "below": ({"align": "center", "dy": 15}, (-0.5, 1)),
    "above right": ({"align": "left", "dx": 6, "dy": -12}, (0, -0.8)),
    "below left": ({"align": "right", "dx": -5, "dy": 12}, (-1, 0.8)),
}
"""Where a name can stand: how its mark is set, and where its box begins, in widths and lines.

The front leaves a point to the right and reaches it from below: the left comes first."""


def trade_off_figure(table: pd.DataFrame, points: pd.DataFrame, *, parameters: str) -> Chart:
    """Own runs: mean and interval of every setting and cycle, a line along the cuts, every run, and the front.

    Args:
        table: a `trade_off_table`.
        points: the `points_table` that it was made from.
        parameters: the column of `points` on the axis.
    """
    by = "setting" if table["method"].nunique() == 1 and table["setting"].nunique() <= MOST_NAMED else "method"
    order = list(dict.fromkeys(table[by]))
    calm = 1.0 if table["setting"].nunique() <= MOST_NAMED else 0.4
    methods = table.drop_duplicates("setting").set_index("setting")["method"]
    runs = points.assign(parameters=points[parameters], method=points["setting"].map(methods))
    runs = runs.loc[runs["parameters"] > 0, ["setting", "method", "seed", "cycle", "parameters", "accuracy"]]
    domain = accuracy_domain([*points["accuracy"], *table["mean"]])
    x, y = _x(parameters), partial(_y, domain)
    shown = table[table["parameters"] > 0]
    base = alt.Chart(shown).encode(x=x, color=colour(by, order))
    path = base.mark_line(strokeWidth=2, opacity=0.75).encode(
        y=y("mean"), detail=alt.Detail("setting:N"), order=alt.Order("cycle:Q")
    )
    interval = base.mark_rule(strokeWidth=1.6, opacity=0.7 * calm, clip=True).encode(y=y("low"), y2=alt.Y2("high:Q"))
    raw = (
        alt.Chart(thinned(runs))
        .mark_point(size=26, strokeWidth=1.3, opacity=0.5 * calm)
        .encode(
            x=x,
            y=y("accuracy"),
            color=colour(by, order),
            shape=shape(by, order),
            tooltip=[
                alt.Tooltip("setting:N"),
                alt.Tooltip("seed:Q"),
                alt.Tooltip("cycle:Q", title="after cut"),
                alt.Tooltip("parameters:Q", format=","),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        )
    )
    means = base.mark_point(filled=True, opacity=1).encode(
        y=y("mean"),
        shape=shape(by, order),
        size=alt.SizeValue(90, condition={"test": "datum.front", "value": 190}),
        tooltip=[
            alt.Tooltip("setting:N"),
            alt.Tooltip("method:N"),
            alt.Tooltip("cycle:Q", title="after cut"),
            alt.Tooltip("epochs:Q", title="epochs so far", format=".0f"),
            alt.Tooltip("parameters:Q", title="parameters, mean", format=",.0f"),
            *interval_tips(".1%"),
            alt.Tooltip("often:Q", title="on the front in", format=".1~%"),
        ],
    )
    last = shown[shown["cycle"] == shown["cuts"]]
    names = _names(last, x, y, domain) if len(last) <= MOST_NAMED else []
    return _finished([_front(table, x, y), path, interval, raw, means, *names, *_without_parameters(table, y)])


def published_figure(table: pd.DataFrame) -> Chart:
    """Published results: hollow diamonds, with where they come from. `table` is a `published_table`."""
    domain = accuracy_domain(list(table["mean"]))
    x, y = _x("published"), partial(_y, domain)
    shown = table[table["parameters"] > 0]
    marks = (
        alt.Chart(shown)
        .mark_point(shape="diamond", size=130, strokeWidth=2, color=SECOND)
        .encode(
            x=x,
            y=y("mean"),
            tooltip=[
                alt.Tooltip("setting:N", title="method"),
                alt.Tooltip("parameters:Q", title="parameters, head left out", format=".3~s"),
                alt.Tooltip("mean:Q", title="accuracy, published", format=".1%"),
                alt.Tooltip("paper:N"),
                alt.Tooltip("source:N"),
            ],
        )
    )
    return _finished([_front(table, x, y), marks, *_names(shown, x, y, domain), *_without_parameters(table, y)])


def name_places(x: Sequence[float], y: Sequence[float], names: Sequence[str]) -> list[str | None]:
    """For each point a side on which its name covers neither another point nor another name; None where there is none.

    Args:
        x, y: of the points, in pixels.
        names: what is written beside them, one line each.
    """
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in zip(x, y, strict=True)]
    found: list[str | None] = []
    for i, (px, py, name) in enumerate(zip(x, y, names, strict=True)):
        width = _LETTER * len(name)
        others = taken[:i] + taken[i + 1 :]
        for place, (mark, (widths, lines)) in _PLACES.items():
            left, middle = px + mark.get("dx", 0) + widths * width, py + lines * _LINE
            box = (left, middle - _LINE / 2, left + width, middle + _LINE / 2)
            if left > -_PADDING and not any(_overlap(box, other) for other in others):
                taken.append(box)
                found.append(place)
                break
        else:
            found.append(None)
    return found


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _x(parameters: str) -> alt.X:
    title = "trained parameters" + ("" if parameters == "parameters" else ", head left out")
    scale = alt.Scale(type="log", nice=False, padding=_PADDING)
    return alt.X("parameters:Q", title=title, scale=scale, axis=axis(format="~s", tickCount=6, grid=False))


def _y(domain: list[float], column: str) -> alt.Y:
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    return alt.Y(f"{column}:Q", title="test accuracy", scale=scale, axis=axis(format=".1~%", tickCount=8))


def _front(table: pd.DataFrame, x: alt.X, y: _Accuracy) -> alt.Chart:
    """What can be had for so many parameters: it rises at each point of the front."""
    front = front_line(table[table["parameters"] > 0])[["parameters", "mean"]]
    line = alt.Chart(front).mark_line(interpolate="step-after", strokeDash=[5, 4], strokeWidth=1.5, color=MUTED)
    return line.encode(x=x, y=y("mean"))


def _names(last: pd.DataFrame, x: alt.X, y: _Accuracy, domain: list[float]) -> list[alt.Chart]:
    """The name of each setting beside its last point, where there is room."""
    if last.empty:
        return []
    logs = [log10(value) for value in last["parameters"]]
    per_decade = _ASSUMED_WIDTH / max(max(logs) - min(logs), 0.1)
    across = [per_decade * (value - min(logs)) for value in logs]
    up = [HEIGHT * (domain[1] - value) / (domain[1] - domain[0]) for value in last["mean"]]
    named = last.assign(place=name_places(across, up, list(last["setting"])))[
        ["setting", "parameters", "mean", "place"]
    ]
    return [
        alt.Chart(named[named["place"] == place])
        .mark_text(fontSize=12, color=MUTED, **mark)
        .encode(x=x, y=y("mean"), text=alt.Text("setting:N"))
        for place, (mark, _) in _PLACES.items()
        if (named["place"] == place).any()
    ]


def _without_parameters(table: pd.DataFrame, y: _Accuracy) -> list[alt.Chart]:
    """Nothing but the head has no place on a logarithmic axis: a line across, at its accuracy."""
    none = table[table["parameters"] == 0]
    if none.empty:
        return []
    told = [
        f"{name}: {percent(mean)} with the head alone" for name, mean in zip(none["setting"], none["mean"], strict=True)
    ]
    lines = alt.Chart(none.assign(told=told)[["setting", "mean", "told"]]).encode(y=y("mean"))
    text = lines.mark_text(align="left", dx=4, dy=-8, fontSize=12, color=MUTED)
    return [
        lines.mark_rule(strokeDash=[2, 3], strokeWidth=1.5, color=MUTED),
        text.encode(x=alt.value(0), text=alt.Text("told:N")),
    ]


def _finished(layers: Sequence[alt.Chart]) -> Chart:
    padding = {"left": 5, "top": 5, "right": 12, "bottom": 5}
    return alt.layer(*layers).properties(height=HEIGHT, padding=padding, autosize=FIT).configure_view(stroke=None)
