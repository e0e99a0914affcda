"""The pictures of the findings: SVG files that are readable on a light and on a dark page."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mimi_core.analysis.common import charts, static, svg
from mimi_core.analysis.common.agreement import Survival, survival_rows
from mimi_core.analysis.common.charts import Chart, axis, finished, layer, nominal, number
from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.static import INK, QUIET
from mimi_core.analysis.common.statistics import INTERVAL, Interval
from mimi_core.analysis.common.theme import GAIN, MUTED, PAGES, colour_scale
from mimi_core.analysis.widths.still import kept_chart
from mimi_core.study.evidence import Contrast

WIDTH = 760
ROW, CURVES = 40, 300
"""Height of the row of a contrast, and of the curves."""
NAMES = 320
"""Left of the contrasts."""
_APART = 1.04
"""Between the marks of two settings at one compression, as a factor."""


def differences_figure(contrasts: Sequence[Contrast], title: str, name: str, margin: float | None = None) -> str:
    """One row per contrast: a dot for every seed, the mean and its interval, and a line at no difference.

    Args:
        margin: also a line that far below no difference.
    """
    chart = differences_chart([c for c in contrasts if c.interval.n], margin)
    return _alone(chart, title, f"A dot for every seed; the mean over them and its {INTERVAL}.", name)


def differences_chart(contrasts: Sequence[Contrast], margin: float | None) -> Chart:
    """As for `differences_figure`; tables `seeds` and `means` have the differences in percentage points."""
    seeds = pd.DataFrame(
        [(row + 0.5, 100 * value) for row, c in enumerate(contrasts) for value in c.differences.values()],
        columns=["row", "difference"],
        dtype=float,
    )
    means = pd.DataFrame(
        [
            (row + 0.5, *(100 * value for value in (c.interval.mean, c.interval.low, c.interval.high)))
            for row, c in enumerate(contrasts)
        ],
        columns=["row", "mean", "low", "high"],
        dtype=float,
    )
    names = pd.DataFrame(
        [(row + 0.5, f"{c.first} against {c.second}", c.where) for row, c in enumerate(contrasts)],
        columns=["row", "what", "where"],
    )
    lines = pd.DataFrame({"at": [0.0]})
    margins = pd.DataFrame({"at": [] if margin is None else [-100 * margin]}, dtype=float)
    signed = "datum.value ? format(datum.value, '+') : '0'"
    x = number(
        "at",
        title="percentage points of test accuracy",
        scale={"zero": True, "nice": False, "padding": 16},
        axis=axis(tickCount=6, labelExpr=signed),
    )
    y = number("row", axis=None, scale={"domain": [len(contrasts), 0], "nice": False})
    beside: Chart = {"type": "text", "x": 0, "align": "right", "dx": -12, "limit": NAMES - 16}
    bar: Chart = {"type": "rule", "yOffset": -6, "strokeWidth": 2.5, "strokeCap": "round", "color": GAIN}
    drawn = [
        layer("lines", {"type": "rule", "color": MUTED, "strokeWidth": 1.5}, x=x),
        layer("margins", {"type": "rule", "color": MUTED, "strokeDash": [2, 3]}, x=number("at")),
        layer("names", beside | {"dy": -7, "fontSize": 12, "color": INK}, y=y, text=nominal("what")),
        layer("names", beside | {"dy": 8, "fontSize": 11, "color": QUIET}, y=y, text=nominal("where")),
        layer("seeds", _dot(32, 0.6) | {"yOffset": 6}, x=number("difference"), y=y),
        layer("means", bar, x=number("low"), x2={"field": "high"}, y=y),
        layer("means", _dot(70, 1) | {"yOffset": -6}, x=number("mean"), y=y),
    ]
    tables = {"lines": lines, "margins": margins, "names": names, "seeds": seeds, "means": means}
    return finished(drawn, tables, ROW * len(contrasts))


def curves(
    lines: Mapping[str, Sequence[tuple[float, Interval]]], level: tuple[str, Interval] | None, title: str, name: str
) -> str:
    """Accuracy over compression, on a log scale.

    Args:
        lines: setting -> compression and accuracy, from low to high.
        level: what is the same everywhere, drawn across.
    """
    return _alone(curves_chart(lines, level), title, f"Means over seeds with their {INTERVAL}s.", name)


def curves_chart(lines: Mapping[str, Sequence[tuple[float, Interval]]], level: tuple[str, Interval] | None) -> Chart:
    """As for `curves`; the table `means` has setting, sigma (moved aside a little), mean, low, high."""
    order, sigmas = list(lines), sorted({sigma for points in lines.values() for sigma, _ in points})
    means = pd.DataFrame(
        [
            (setting, sigma * _APART ** (place - (len(order) - 1) / 2), i.mean, i.low, i.high)
            for place, (setting, points) in enumerate(lines.items())
            for sigma, i in points
            if i.n
        ],
        columns=["setting", "sigma", "mean", "low", "high"],
    )
    same = [(level[0], i.mean, i.low, i.high) for i in [level[1]] if i.n] if level else []
    across = pd.DataFrame(same, columns=["name", "mean", "low", "high"])
    edge = 1.2
    x = number(
        "sigma",
        title="compression σ",
        scale={"type": "log", "domain": [sigmas[0] / edge, sigmas[-1] * edge], "nice": False},
        axis=axis(values=sigmas, format=",", grid=False, labelOverlap=False),
    )
    y = number("low", title="test accuracy", scale={"zero": False}, axis=axis(format=".0%", tickCount=6))
    seen: Chart = {"x": x, "color": charts.colour("setting", order)}
    interval = {"y": y, "y2": {"field": "high"}}
    said: Chart = {"type": "text", "align": "left", "baseline": "bottom", "dx": 4, "dy": -4, "color": QUIET}
    drawn = [
        layer("means", {"type": "rule", "strokeWidth": 1.5, "opacity": 0.55}, **seen, **interval),
        layer("across", {"type": "rect", "color": MUTED, "opacity": 0.15}, **interval),
        layer("across", {"type": "rule", "color": MUTED, "strokeWidth": 1.5}, y=number("mean")),
        layer("across", said, x={"value": 0}, y=number("mean"), text=nominal("name")),
        layer("means", {"type": "line", "strokeWidth": 2}, **seen, y=number("mean")),
        layer(
            "means",
            {"type": "point", "filled": True, "size": 60, "opacity": 1},
            **seen,
            y=number("mean"),
            shape=charts.shape("setting", order),
        ),
    ]
    return finished(drawn, {"means": means, "across": across}, CURVES)


def survival(layers: Sequence[Layer], survivals: Mapping[str, Survival], title: str, name: str) -> str:
    """Layer by task: the share of the runs in which the layer keeps an adapter; a cross where none does.

    Args:
        survivals: by the name of the task.
    """
    chart = kept_chart(survival_rows(layers, survivals), WIDTH)
    return _alone(chart, title, "Darker: in more of the runs. A cross: in none of them.", name)


def _dot(size: float, opacity: float) -> Chart:
    return {"type": "point", "filled": True, "size": size, "opacity": opacity, "color": GAIN}


def _alone(chart: Chart, title: str, description: str, name: str) -> str:
    """A picture that needs no page around it."""
    drawn = static.picture([chart], WIDTH, title, description, name)
    view = drawn.get("viewBox", "").split()
    drawn.attrib |= {"width": view[2], "height": view[3]}
    light, dark = (
        f".ink{{fill:{PAGES[page]['ink']}}}.quiet{{fill:{PAGES[page]['quiet']}}}{svg.rules(colour_scale(page))}"
        for page in PAGES
    )
    return svg.to_text(drawn, f"{svg.ACCENTS}{static.RULES}{light}@media (prefers-color-scheme:dark){{{dark}}}") + "\n"
