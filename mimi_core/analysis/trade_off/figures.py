"""Accuracy against trained parameters, drawn: own runs with their intervals and paths, or published results."""

from collections.abc import Sequence
from math import log10
from typing import Any

import pandas as pd

from mimi_core.analysis.common.charts import (
    Chart,
    accuracy_domain,
    axis,
    colour,
    finished,
    interval_tips,
    layer,
    nominal,
    number,
    shape,
    text_of,
    thinned,
    told,
)
from mimi_core.analysis.common.theme import MUTED, SECOND
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.trade_off.tables import front_line

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
    x, y = _x(parameters), _y(domain)
    shown = told(table[table["parameters"] > 0], ["mean", "low", "high"])
    shown = told(shown, ["often"], lambda share: percent(share, 0))
    seen: Chart = {"x": x, "color": colour(by, order)}
    marked = seen | {"shape": shape(by, order)}
    mean = y | {"field": "mean"}
    path = layer(
        "points",
        {"type": "line", "strokeWidth": 2, "opacity": 0.75},
        **seen,
        y=mean,
        detail=nominal("setting"),
        order=number("cycle"),
    )
    interval = layer(
        "points",
        {"type": "rule", "strokeWidth": 1.6, "opacity": 0.7 * calm, "clip": True},
        **seen,
        y=y | {"field": "low"},
        y2={"field": "high"},
    )
    raw = layer(
        "runs",
        {"type": "point", "size": 26, "strokeWidth": 1.3, "opacity": 0.5 * calm},
        **marked,
        y=y | {"field": "accuracy"},
        tooltip=[
            nominal("setting"),
            number("seed"),
            number("cycle", title="after cut"),
            number("parameters", format=","),
            text_of("accuracy", title="accuracy"),
        ],
    )
    means = layer(
        "points",
        {"type": "point", "filled": True, "opacity": 1},
        **marked,
        y=mean,
        size={"value": 90, "condition": {"test": "datum.front", "value": 190}},
        tooltip=[
            nominal("setting"),
            nominal("method"),
            number("cycle", title="after cut"),
            number("epochs", title="epochs so far", format=".0f"),
            number("parameters", title="parameters, mean", format=",.0f"),
            *interval_tips(),
            text_of("often", title="on the front in"),
        ],
    )
    last = shown[shown["cycle"] == shown["cuts"]]
    named = _named(last, domain) if len(last) <= MOST_NAMED else last.head(0).assign(place="")
    return finished(
        [_front(x, mean), path, interval, raw, means, *_names(named, x, mean), *_without_parameters(mean)],
        {"points": shown, "runs": told(thinned(runs), ["accuracy"]), **_tables(table, named)},
        HEIGHT,
    )


def published_figure(table: pd.DataFrame) -> Chart:
    """Published results: hollow diamonds, with where they come from. `table` is a `published_table`."""
    domain = accuracy_domain(list(table["mean"]))
    x, mean = _x("published"), _y(domain) | {"field": "mean"}
    shown = told(table[table["parameters"] > 0], ["mean"])
    marks = layer(
        "points",
        {"type": "point", "shape": "diamond", "size": 130, "strokeWidth": 2, "color": SECOND},
        x=x,
        y=mean,
        tooltip=[
            nominal("setting", title="method"),
            number("parameters", title="parameters, head left out", format=".3~s"),
            text_of("mean", title="accuracy, published"),
            nominal("paper"),
            nominal("source"),
        ],
    )
    named = _named(shown, domain)
    return finished(
        [_front(x, mean), marks, *_names(named, x, mean), *_without_parameters(mean)],
        {"points": shown, **_tables(table, named)},
        HEIGHT,
    )


def name_places(x: Sequence[float], y: Sequence[float], names: Sequence[str]) -> list[str | None]:
    """For each point a side on which its name covers neither another point nor another name; None where there is none.

    Args:
        x, y: of the points, in pixels.
        names: what is written beside them, one line each.
    """
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in zip(x, y, strict=True)]
    sides: list[str | None] = []
    for i, (px, py, name) in enumerate(zip(x, y, names, strict=True)):
        width = _LETTER * len(name)
        others = taken[:i] + taken[i + 1 :]
        for place, (mark, (widths, lines)) in _PLACES.items():
            left, middle = px + mark.get("dx", 0) + widths * width, py + lines * _LINE
            box = (left, middle - _LINE / 2, left + width, middle + _LINE / 2)
            if left > -_PADDING and not any(_overlap(box, other) for other in others):
                taken.append(box)
                sides.append(place)
                break
        else:
            sides.append(None)
    return sides


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _x(parameters: str) -> Chart:
    title = "trained parameters" + ("" if parameters == "parameters" else ", head left out")
    scale = {"type": "log", "nice": False, "padding": _PADDING}
    return number("parameters", title=title, scale=scale, axis=axis(format="~s", tickCount=6, grid=False))


def _y(domain: list[float]) -> Chart:
    """The one axis of accuracies that all layers share; each has its own `field`."""
    scale = {"domain": domain, "nice": False, "zero": False}
    return {
        "type": "quantitative",
        "title": "test accuracy",
        "scale": scale,
        "axis": axis(format=".1~%", tickCount=8),
    }


def _tables(table: pd.DataFrame, named: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Of the layers that both charts have."""
    none = table[table["parameters"] == 0]
    told = [
        f"{who}: {percent(mean)} with the head alone" for who, mean in zip(none["setting"], none["mean"], strict=True)
    ]
    return {
        "front": front_line(table[table["parameters"] > 0])[["parameters", "mean"]],
        "names": named[["setting", "parameters", "mean", "place"]],
        "none": none.assign(told=told)[["setting", "mean", "told"]],
    }


def _front(x: Chart, mean: Chart) -> Chart:
    """What can be had for so many parameters: it rises at each point of the front."""
    mark = {"type": "line", "interpolate": "step-after", "strokeDash": [5, 4], "strokeWidth": 1.5, "color": MUTED}
    return layer("front", mark, x=x, y=mean)


def _named(last: pd.DataFrame, domain: list[float]) -> pd.DataFrame:
    """With `place`: where the name of each setting stands beside its last point; None where there is no room."""
    logs = [log10(value) for value in last["parameters"]]
    per_decade = _ASSUMED_WIDTH / max(max(logs, default=0) - min(logs, default=0), 0.1)
    across = [per_decade * (value - min(logs)) for value in logs]
    up = [HEIGHT * (domain[1] - value) / (domain[1] - domain[0]) for value in last["mean"]]
    return last.assign(place=name_places(across, up, list(last["setting"])))


def _names(named: pd.DataFrame, x: Chart, mean: Chart) -> list[Chart]:
    return [
        layer("names", {"type": "text", "fontSize": 12, "color": MUTED, **mark}, x=x, y=mean, text=nominal("setting"))
        | {"transform": [{"filter": {"field": "place", "equal": place}}]}
        for place, (mark, _) in _PLACES.items()
        if (named["place"] == place).any()
    ]


def _without_parameters(mean: Chart) -> list[Chart]:
    """Nothing but the head has no place on a logarithmic axis: a line across, at its accuracy."""
    text = {"type": "text", "align": "left", "dx": 4, "dy": -8, "fontSize": 12, "color": MUTED}
    return [
        layer("none", {"type": "rule", "strokeDash": [2, 3], "strokeWidth": 1.5, "color": MUTED}, y=mean),
        layer("none", text, x={"value": 0}, y=mean, text=nominal("told")),
    ]
