"""Settings compared over seeds, drawn: statistical charts in Altair. Names are data, never code or HTML."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from mimi_core.analysis.contrasts import Measure
from mimi_core.analysis.series import FIT, accuracy_domain, axis, colour, interval_tips, shape, thinned
from mimi_core.analysis.theme import MUTED, Scale

Chart = alt.LayerChart
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
        curves: a `curves_table` of one block.
        points: the `points_table` that it was made from, with `level`.
        order: all levels, as they are shown; a level keeps its colour in every block.
        parameters: the column of `points` on the axis.
    """
    chosen = alt.selection_point(name=CHOSEN, fields=["level"], bind="legend")
    shown = points.assign(parameters=points[parameters])
    shown = shown.loc[shown["parameters"] > 0, ["level", "seed", "cycle", "parameters", "accuracy"]]
    x = alt.X(
        "parameters:Q",
        title="trained parameters" + ("" if parameters == "parameters" else ", head left out"),
        scale=alt.Scale(type="log", nice=False, padding=22),
        axis=axis(format="~s", tickCount=5, grid=False),
    )
    scale = alt.Scale(domain=accuracy_domain([*shown["accuracy"], *curves["mean"]]), nice=False)
    accuracy: dict[str, Any] = {"title": "test accuracy", "scale": scale, "axis": axis(format=".1~%")}
    mean = alt.Chart(curves[curves["parameters"] > 0]).encode(x=x, color=colour("level", order))

    def emphasis(full: float, dim: float, unless_chosen: float | None = None) -> alt.OpacityValue:
        """Full where nothing is chosen, too; unless another value is given for that."""
        chosen_only = {"param": CHOSEN, "empty": False, "value": full}
        if unless_chosen is None:
            return alt.OpacityValue(dim, condition={"param": CHOSEN, "value": full})
        return alt.OpacityValue(dim, condition=[chosen_only, {"param": CHOSEN, "value": unless_chosen}])

    bands, rules = (0.11, 0.8) if len(order) <= MOST_BANDS else (0.0, 0.3)
    band = mean.mark_area(clip=True).encode(
        y=alt.Y("low:Q", **accuracy), y2=alt.Y2("high:Q"), opacity=emphasis(0.11, 0, bands)
    )
    interval = mean.mark_rule(strokeWidth=1.5, clip=True).encode(
        y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), opacity=emphasis(0.8, 0.05, rules)
    )
    line = mean.mark_line(strokeWidth=2.2).encode(
        y=alt.Y("mean:Q"), order=alt.Order("cycle:Q"), opacity=emphasis(1, 0.12)
    )
    raw = (
        alt.Chart(thinned(shown))
        .mark_point(size=34, strokeWidth=1.4)
        .encode(
            x=x,
            y=alt.Y("accuracy:Q"),
            color=colour("level", order),
            shape=shape("level", order),
            opacity=emphasis(0.65, 0.06),
            tooltip=[
                alt.Tooltip("level:N", title="setting"),
                alt.Tooltip("seed:Q", title="seed"),
                alt.Tooltip("cycle:Q", title="after cut"),
                alt.Tooltip("parameters:Q", title="parameters", format=","),
                alt.Tooltip("accuracy:Q", title="accuracy", format=".1%"),
            ],
        )
    )
    dots = mean.mark_point(filled=True, size=100).encode(
        y=alt.Y("mean:Q"),
        shape=shape("level", order),
        opacity=emphasis(1, 0.12),
        tooltip=[
            alt.Tooltip("level:N", title="setting"),
            alt.Tooltip("cycle:Q", title="after cut"),
            alt.Tooltip("parameters:Q", title="parameters, mean", format=",.0f"),
            *interval_tips(".1%"),
        ],
    )
    # On the first layer, whose legend is the one that is drawn for all: on another one, clicks would find nothing.
    return _finished([band.add_params(chosen), interval, line, raw, dots])


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
    number = ".1%" if share else ",.1f"
    strong = {level: not chosen or level in chosen for level in order}
    shown = runs.assign(value=runs[measure.column], place=runs["level"].map(list(order).index))
    shown = shown.loc[shown["value"].notna(), ["level", "place", "pair", "seed", "value"]]
    shown = thinned(shown.assign(strong=shown["level"].map(strong)))
    means = means[means["mean"].notna()].assign(strong=lambda table: table["level"].map(strong))
    y = alt.Y("level:N", title=None, sort=list(order), axis=_names())
    scale = (
        alt.Scale(domain=accuracy_domain(list(shown["value"])), nice=False)
        if share
        else alt.Scale(zero=False, padding=14)
    )
    x: dict[str, Any] = {
        "title": measure.title,
        "scale": scale,
        "axis": axis(format=".1~%" if share else "~s", tickCount=5),
    }
    seed = alt.selection_point(name="seed", fields=["pair"], on="pointerover", clear="pointerout")
    followed: dict[str, Any] = {"param": "seed", "empty": False}
    mean = alt.Chart(means).encode(y=y, color=colour("level", order, legend=False))

    def emphasis(full: float, dim: float) -> alt.OpacityValue:
        return alt.OpacityValue(dim, condition={"test": "datum.strong", "value": full})

    pairs = (
        alt.Chart(shown)
        .mark_line(strokeWidth=1.2, color=MUTED)
        .encode(
            x=alt.X("value:Q", **x),
            y=y,
            detail=alt.Detail("pair:N"),
            order=alt.Order("place:Q"),
            opacity=alt.OpacityValue(0.18, condition=followed | {"value": 1}),
        )
    )
    interval = mean.mark_rule(strokeWidth=3, clip=True).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q"), opacity=emphasis(0.8, 0.1)
    )
    raw = (
        alt.Chart(shown)
        .mark_point(strokeWidth=1.4)
        .encode(
            x=alt.X("value:Q"),
            y=y,
            color=colour("level", order, legend=False),
            shape=shape("level", order),
            size=alt.SizeValue(44, condition=followed | {"value": 140}),
            opacity=emphasis(0.75, 0.08),
            tooltip=[
                alt.Tooltip("level:N", title="setting"),
                alt.Tooltip("seed:Q", title="seed"),
                alt.Tooltip("value:Q", title=measure.title, format=number),
            ],
        )
        .add_params(seed)
    )
    dots = mean.mark_point(filled=True, size=150).encode(
        x=alt.X("mean:Q"),
        shape=shape("level", order),
        opacity=emphasis(1, 0.12),
        tooltip=[
            alt.Tooltip("level:N", title="setting"),
            *interval_tips(number),
            alt.Tooltip("std:Q", title="standard deviation", format=number),
        ],
    )
    return _finished([pairs, interval, raw, dots], top=_LEGEND)


def agreement_figure(table: pd.DataFrame, order: Sequence[str], scale: Scale, *, row: str) -> Chart:
    """Rank correlations as a small heatmap: a row a name, a column a cut.

    Args:
        table: columns label, cut, tau (-1..1 or NaN: then the cell stays empty), low, high, n.
        order: of the rows.
        scale: from few to many, for the page's theme.
        row: what a row is, for the tooltip.
    """
    colours = [one for _, one in scale]
    base = alt.Chart(table[table["tau"].notna()]).encode(
        x=alt.X("cut:O", title="cut", axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("label:N", title=None, sort=list(order), axis=_names()),
        tooltip=[
            alt.Tooltip("label:N", title=row),
            alt.Tooltip("cut:O", title="cut"),
            alt.Tooltip("tau:Q", title="Kendall's tau, mean", format=".2f"),
            alt.Tooltip("low:Q", title="lowest", format=".2f"),
            alt.Tooltip("high:Q", title="highest", format=".2f"),
            alt.Tooltip("n:Q", title="of"),
        ],
    )
    shade = alt.Color("tau:Q", scale=alt.Scale(domain=[0, 1], range=colours, clamp=True), legend=None)
    # The far end of the scale is readable on its near end, and the other way round.
    on_cell = alt.ColorValue(colours[-1], condition={"test": "datum.tau > 0.5", "value": colours[0]})
    cells = base.mark_rect(cornerRadius=3).encode(color=shade)
    numbers = base.mark_text(fontSize=12).encode(text=alt.Text("tau:Q", format=".2f"), color=on_cell)
    size = {"width": alt.Step(CELL[0]), "height": alt.Step(CELL[1])}
    return alt.layer(cells, numbers).properties(**size).configure_view(stroke=None)


def _names() -> alt.Axis:
    return alt.Axis(domain=False, ticks=False, labelLimit=190, labelFlush=False, labelOverlap=False)


def _finished(layers: Sequence[alt.Chart], top: int = 5) -> Chart:
    padding = {"left": 5, "top": top, "right": 12, "bottom": 5}
    return alt.layer(*layers).properties(height=HEIGHT, padding=padding, autosize=FIT).configure_view(stroke=None)
