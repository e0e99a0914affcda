"""Settings compared over seeds, drawn: statistical charts in Vega-Lite. Names are data, never code or HTML."""

from collections.abc import Sequence

import pandas as pd

from mimi_core.analysis.common.charts import (
    BARE,
    Chart,
    accuracy_domain,
    axis,
    colour,
    finished,
    interval_tips,
    layer,
    nominal,
    number,
    ordinal,
    shape,
    text_of,
    thinned,
    told,
)
from mimi_core.analysis.common.theme import MUTED, Scale
from mimi_core.analysis.compare.contrasts import Measure

CHOSEN = "chosen"
"""The selection of a legend, which the page hands from one chart to the other."""
HEIGHT = 290
MOST_BANDS = 4
"""More settings than these have their bands only when they are chosen."""
_LEGEND = 56
"""Height of a legend of one line, in pixels: left free where there is none."""
CELL = 62, 28
"""Width and height of a cell of a small heatmap, in pixels."""


def curves_figure(curves: pd.DataFrame, points: pd.DataFrame, *, order: Sequence[str], parameters: str) -> Chart:
    """Accuracy against trained parameters along the cuts: mean and interval of every setting, and every run's points.

    A click on a name in the legend dims all others.

    Args:
        curves: a `curves_by_level_table` of one block.
        points: the `points_table` that it was made from, with `level`.
        order: all levels, as they are shown; a level keeps its colour in every block.
        parameters: the column of `points` on the axis.
    """
    shown = points.assign(parameters=points[parameters])
    shown = shown.loc[shown["parameters"] > 0, ["level", "seed", "cycle", "parameters", "accuracy"]]
    x = number(
        "parameters",
        title="trained parameters" + ("" if parameters == "parameters" else ", head left out"),
        scale={"type": "log", "nice": False, "padding": 22},
        axis=axis(format="~s", tickCount=5, grid=False),
    )
    scale = {"domain": accuracy_domain([*shown["accuracy"], *curves["mean"]]), "nice": False}
    low = number("low", title="test accuracy", scale=scale, axis=axis(format=".1~%"))
    seen: Chart = {"x": x, "color": colour("level", order)}
    marked = seen | {"shape": shape("level", order)}

    def emphasis(full: float, dim: float, unless_chosen: float | None = None) -> Chart:
        """Full where nothing is chosen, too; unless another value is given for that."""
        chosen_only = {"param": CHOSEN, "empty": False, "value": full}
        if unless_chosen is None:
            return {"value": dim, "condition": {"param": CHOSEN, "value": full}}
        return {"value": dim, "condition": [chosen_only, {"param": CHOSEN, "value": unless_chosen}]}

    bands, rules = (0.11, 0.8) if len(order) <= MOST_BANDS else (0.0, 0.3)
    band = layer(
        "curves", {"type": "area", "clip": True}, **seen, y=low, y2={"field": "high"}, opacity=emphasis(0.11, 0, bands)
    )
    # On the first layer, whose legend is the one that is drawn for all: on another one, clicks would find nothing.
    band["params"] = [{"name": CHOSEN, "select": {"type": "point", "fields": ["level"]}, "bind": "legend"}]
    interval = layer(
        "curves",
        {"type": "rule", "strokeWidth": 1.5, "clip": True},
        **seen,
        y=number("low"),
        y2={"field": "high"},
        opacity=emphasis(0.8, 0.05, rules),
    )
    line = layer(
        "curves",
        {"type": "line", "strokeWidth": 2.2},
        **seen,
        y=number("mean"),
        order=number("cycle"),
        opacity=emphasis(1, 0.12),
    )
    raw = layer(
        "runs",
        {"type": "point", "size": 34, "strokeWidth": 1.4},
        **marked,
        y=number("accuracy"),
        opacity=emphasis(0.65, 0.06),
        tooltip=[
            nominal("level", title="setting"),
            number("seed", title="seed"),
            number("cycle", title="after cut"),
            number("parameters", title="parameters", format=","),
            text_of("accuracy", title="accuracy"),
        ],
    )
    dots = layer(
        "curves",
        {"type": "point", "filled": True, "size": 100},
        **marked,
        y=number("mean"),
        opacity=emphasis(1, 0.12),
        tooltip=[
            nominal("level", title="setting"),
            number("cycle", title="after cut"),
            number("parameters", title="parameters, mean", format=",.0f"),
            *interval_tips(),
        ],
    )
    means = told(curves[curves["parameters"] > 0], ["mean", "low", "high"])
    tables = {"curves": means, "runs": told(thinned(shown), ["accuracy"])}
    return finished([band, interval, line, raw, dots], tables, HEIGHT)


def measure_figure(
    means: pd.DataFrame, runs: pd.DataFrame, *, order: Sequence[str], measure: Measure, chosen: Sequence[str] = ()
) -> Chart:
    """One measure: a row a setting, its mean and interval, and every run; a thin line joins the runs of a seed.

    The pointer over a run makes the line of its seed stand out.

    Args:
        means: a `levels_table` of one block.
        runs: the `runs_table` that it was made from, with `level`.
        order: all levels, as they are shown.
        measure: what is shown.
        chosen: levels that stand out; all where there are none.
    """
    share = measure.unit == "share"
    strong = {level: not chosen or level in chosen for level in order}
    shown = runs.assign(value=runs[measure.column], place=runs["level"].map(list(order).index))
    shown = shown.loc[shown["value"].notna(), ["level", "place", "pair", "seed", "value"]]
    shown = thinned(shown.assign(strong=shown["level"].map(strong)))
    means = means[means["mean"].notna()].assign(strong=lambda table: table["level"].map(strong))
    y = nominal("level", title=None, sort=list(order), axis=_names())
    # Clamped, because intervals may reach beyond.
    around: Chart = {"domain": accuracy_domain(list(shown["value"])), "nice": False, "clamp": True}
    scale = around if share else {"zero": False, "padding": 14}
    value = number("value", title=measure.title, scale=scale, axis=axis(format=".1~%" if share else "~s", tickCount=5))
    followed = {"param": "seed", "empty": False}
    seen: Chart = {"y": y, "color": colour("level", order, legend=False)}
    marked = seen | {"shape": shape("level", order)}

    def emphasis(full: float, dim: float) -> Chart:
        return {"value": dim, "condition": {"test": "datum.strong", "value": full}}

    pairs = layer(
        "runs",
        {"type": "line", "strokeWidth": 1.2, "color": MUTED},
        x=value,
        y=y,
        detail=nominal("pair"),
        order=number("place"),
        opacity={"value": 0.18, "condition": followed | {"value": 1}},
    )
    interval = layer(
        "means",
        {"type": "rule", "strokeWidth": 3},
        **seen,
        x=number("low"),
        x2={"field": "high"},
        opacity=emphasis(0.8, 0.1),
    )
    raw = layer(
        "runs",
        {"type": "point", "strokeWidth": 1.4},
        **marked,
        x=number("value"),
        size={"value": 44, "condition": followed | {"value": 140}},
        opacity=emphasis(0.75, 0.08),
        tooltip=[
            nominal("level", title="setting"),
            number("seed", title="seed"),
            text_of("value", title=measure.title),
        ],
    )
    follow = {"type": "point", "fields": ["pair"], "on": "pointerover", "clear": "pointerout"}
    raw["params"] = [{"name": "seed", "select": follow}]
    dots = layer(
        "means",
        {"type": "point", "filled": True, "size": 150},
        **marked,
        x=number("mean"),
        opacity=emphasis(1, 0.12),
        tooltip=[
            nominal("level", title="setting"),
            *interval_tips(),
            text_of("std", title="standard deviation"),
        ],
    )
    means = told(told(means, ["mean", "low", "high"], measure.shown), ["std"], measure.spread)
    tables = {"runs": told(shown, ["value"], measure.shown), "means": means}
    return finished([pairs, interval, raw, dots], tables, HEIGHT, top=_LEGEND)


def agreement_figure(table: pd.DataFrame, order: Sequence[str], scale: Scale, *, row: str) -> Chart:
    """Rank correlations as a small heatmap: a row a name, a column a cut.

    Args:
        table: columns label, cut, tau (-1..1 or NaN: then the cell stays empty), low, high, n.
        order: of the rows.
        scale: from few to many, for the page's theme.
        row: what a row is, for the tooltip.
    """
    colours = [one for _, one in scale]
    where: Chart = {
        "x": ordinal("cut", axis={"labelAngle": 0, **BARE}),
        "y": nominal("label", title=None, sort=list(order), axis=_names()),
        "tooltip": [
            nominal("label", title=row),
            ordinal("cut"),
            number("tau", title="Kendall's tau, mean", format=".2f"),
            number("low", title="lowest", format=".2f"),
            number("high", title="highest", format=".2f"),
            number("n", title="of"),
        ],
    }
    shade = number("tau", scale={"domain": [0, 1], "range": colours, "clamp": True}, legend=None)
    # The far end of the scale is readable on its near end, and the other way round.
    on_cell = {"value": colours[-1], "condition": {"test": "datum.tau > 0.5", "value": colours[0]}}
    cells = layer("taus", {"type": "rect", "cornerRadius": 3}, **where, color=shade)
    numbers = layer("taus", {"type": "text", "fontSize": 12}, **where, text=number("tau", format=".2f"), color=on_cell)
    return {
        "layer": [cells, numbers],
        "datasets": {"taus": table[table["tau"].notna()]},
        "width": {"step": CELL[0]},
        "height": {"step": CELL[1]},
        "config": {"view": {"stroke": None}},
    }


def _names() -> Chart:
    return {**BARE, "labelLimit": 190, "labelFlush": False, "labelOverlap": False}
