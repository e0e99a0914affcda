"""Scores, threshold and widths of one cut: statistical charts in Altair. Labels are data, never code or HTML."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from mimi_core.analysis.theme import GAIN, GRID, LOST, MUTED, SECOND

Chart = alt.LayerChart
KEPT, REMOVED = "kept", "removed"
FATES = alt.Scale(domain=[KEPT, REMOVED], range=[GAIN, LOST])
_FIT = alt.AutoSizeParams(type="fit-x", contains="padding")
"""As wide as the page says; as high as the rows ask for, so that charts beside each other stay level."""
MOST_NUMBERED = 5
"""So many cuts have their accuracies written beside the points."""
_LOG_SPREAD = 30.0
"""From this ratio of the largest to the smallest score on, the axis is logarithmic."""


def scores_figure(
    neurons: pd.DataFrame, layers: pd.DataFrame, *, threshold: float | None, unit: str, height: int
) -> Chart:
    """A row of ticks for every layer, one tick a neuron, and the score from which on a neuron is kept.

    Args:
        neurons: a `neurons_table`, thinned.
        layers: the `layers_table` that goes with it.
        threshold: common to all layers, or None: then every layer shows its own.
        unit: what the scores are, for the axis.
        height: of the rows, in pixels; `rows_height` gives it.
    """
    row = height / max(1, len(_row_names(layers)))
    y, x = _rows_axis(layers), alt.X("score:Q", title=unit, scale=_score_scale(neurons), axis=_value_axis())
    shown = neurons.assign(
        fate=neurons["kept"].map({True: KEPT, False: REMOVED}),
        run=neurons["was_kept"].map({True: KEPT, False: REMOVED}),
    )[["label", "neuron", "score", "fate", "run"]]
    ticks = alt.Chart(shown).encode(
        y=y,
        x=x,
        color=alt.Color("fate:N", scale=FATES, legend=_legend([KEPT, REMOVED])),
        tooltip=[
            alt.Tooltip("label:N", title="layer"),
            alt.Tooltip("neuron:Q", title="neuron"),
            alt.Tooltip("score:Q", title="score", format=".4~g"),
            alt.Tooltip("fate:N", title="here"),
            alt.Tooltip("run:N", title="in the run"),
        ],
    )
    same = ticks.transform_filter("datum.fate == datum.run").mark_tick(
        orient="vertical", thickness=1.4, size=0.55 * row, opacity=0.8
    )
    changed = ticks.transform_filter("datum.fate != datum.run").mark_tick(
        orient="vertical", thickness=2, size=0.95 * row, opacity=1
    )
    limits = _own_limits(layers, y, row) if threshold is None else _common_limit(threshold)
    return _finished([*limits, same, changed, *_counts(layers, y)], height, right=76)


def widths_what_if_figure(layers: pd.DataFrame, *, height: int) -> Chart:
    """Neurons of every layer after the cut: in the run, and under other settings. `layers` is a `layers_table`."""
    other = not layers["real"].equals(layers["kept"])
    widest = max(1, int(layers[["real", "kept"]].to_numpy().max(initial=1)))
    # The square root, as on the Widths page: most of a run happens at the low end.
    scale = alt.Scale(type="sqrt", nice=False, domain=[0, 1.08 * widest])
    y = _rows_axis(layers)
    names = {"real": "in the run", "kept": "what if"} if other else {"real": "in the run"}
    long = layers.melt(["label", "before"], list(names), "which", "neurons").replace({"which": names})
    which = list(names.values())
    colours, shapes = [MUTED, SECOND][: len(which)], ["circle", "diamond"][: len(which)]
    lines = (
        alt.Chart(layers)
        .mark_rule(strokeWidth=2, color=MUTED, opacity=0.6)
        .encode(y=y, x=alt.X("real:Q", scale=scale), x2="kept:Q")
    )
    points = (
        alt.Chart(long)
        .mark_point(size=62, strokeWidth=2)
        .encode(
            y=y,
            x=alt.X("neurons:Q", title="neurons after the cut", scale=scale, axis=_value_axis()),
            color=alt.Color("which:N", scale=alt.Scale(domain=which, range=colours), legend=_legend(which)),
            shape=alt.Shape("which:N", scale=alt.Scale(domain=which, range=shapes)),
            tooltip=[
                alt.Tooltip("label:N", title="layer"),
                alt.Tooltip("which:N", title="settings"),
                alt.Tooltip("neurons:Q", title="neurons"),
                alt.Tooltip("before:Q", title="before the cut"),
            ],
        )
    )
    marks = {"lost": ("adapter lost", LOST), "kept": ("adapter kept", GAIN)}
    changes = [
        alt.Chart(layers[layers["change"] == change])
        .mark_text(align="left", dx=12, fontSize=11, fontWeight="bold", color=colour)
        .encode(y=y, x=alt.X("widest:Q", scale=scale), text=alt.value(text))
        .transform_calculate(widest="max(datum.real, datum.kept)")
        for change, (text, colour) in marks.items()
    ]
    return _finished([lines, points, *changes], height, right=64)


def damage_figure(cycles: pd.DataFrame, cut: int) -> Chart:
    """Accuracy before every cut, right after it, and after training again; cut `cut` stands out.

    Args:
        cycles: a `cycles_table`.
    """
    names = {"before": "before the cut", "cut": "right after it", "after": "trained again"}
    order = list(names.values())
    cuts = cycles[cycles["cycle"] > 0]
    long = cuts.melt("cycle", list(names), "when", "accuracy").dropna(subset=["accuracy"]).replace({"when": names})
    long = long.assign(percent=[f"{100 * accuracy:.1f}" for accuracy in long["accuracy"]])
    base = alt.Chart(long).encode(
        x=alt.X("cycle:O", title="cut", axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
        xOffset=alt.XOffset("when:N", sort=order),
        y=alt.Y("accuracy:Q", title="test accuracy", scale=_padded(long["accuracy"]), axis=_value_axis(format=".0%")),
        opacity=alt.when(alt.datum.cycle == cut).then(alt.value(1.0)).otherwise(alt.value(0.45)),
    )
    points = base.mark_point(filled=True, size=110).encode(
        color=alt.Color("when:N", scale=alt.Scale(domain=order, range=[MUTED, LOST, GAIN]), legend=_legend(order)),
        shape=alt.Shape("when:N", scale=alt.Scale(domain=order, range=["circle", "triangle-down", "circle"])),
        tooltip=[
            alt.Tooltip("cycle:O", title="cut"),
            alt.Tooltip("when:N", title="when"),
            alt.Tooltip("accuracy:Q", title="accuracy", format=".1%"),
        ],
    )
    numbers = base.mark_text(dy=-13, fontSize=11, color=MUTED).encode(text="percent:N")
    return _finished([points, numbers] if len(cuts) <= MOST_NUMBERED else [points], 270)


def rows_height(layers: pd.DataFrame) -> int:
    """Generous for few layers, still readable for a hundred."""
    rows = max(1, len(_row_names(layers)))
    return rows * max(11, min(26, 620 // rows))


def _row_names(layers: pd.DataFrame) -> list[str]:
    """Labels from the input on, under a heading of their stage where there are stages."""
    groups = layers.sort_values("order").groupby("group", sort=False)["label"]
    if groups.ngroups < 2:
        return list(layers["label"])
    return [name for group, labels in groups for name in (str(group), *labels)]


def _rows_axis(layers: pd.DataFrame) -> alt.Y:
    headings = layers.drop_duplicates("group") if layers["group"].nunique() > 1 else layers.head(0)
    row = rows_height(layers) / max(1, len(_row_names(layers)))
    # "stage 2" is our own word, so it may stand in an expression; labels may not.
    tests = [(f"datum.value === {json.dumps(group)}", colour) for group, colour in headings[["group", "colour"]].values]
    heading = " || ".join(test for test, _ in tests) or "false"
    axis = alt.Axis(
        labelOverlap=False,
        labelFlush=False,
        labelFontSize=12 if row >= 16 else 10,
        labelLimit=160,
        domain=False,
        ticks=False,
        grid=True,
        gridColor=GRID,
        labelFontWeight={"condition": {"test": heading, "value": "bold"}, "value": "normal"},
        **_coloured(tests),
    )
    return alt.Y("label:N", title=None, scale=alt.Scale(type="band", domain=_row_names(layers), padding=0), axis=axis)


def _coloured(tests: list[tuple[str, str]]) -> dict[str, Any]:
    """Headings in the colour of their stage, on every page the same."""
    if not tests:
        return {}
    return {"labelColor": {"condition": [{"test": t, "value": colour} for t, colour in tests], "value": MUTED}}


def _score_scale(neurons: pd.DataFrame) -> alt.Scale:
    """Scores of neurons often differ by orders of magnitude; those that do get a logarithmic axis."""
    low, high = (float(neurons["score"].min()), float(neurons["score"].max())) if len(neurons) else (0.0, 1.0)
    if low > 0 and high / low > _LOG_SPREAD:
        return alt.Scale(type="log", domain=[low * 0.95, high * 1.05], nice=False)
    room = 0.02 * (high - low) or 0.5
    return alt.Scale(domain=[low - room, high + room], nice=False, zero=False)


def _common_limit(threshold: float) -> list[alt.Chart]:
    data = alt.Chart(pd.DataFrame({"score": [threshold], "name": [f"threshold {threshold:.3g}"]}))
    return [
        data.mark_rule(strokeWidth=1.5, strokeDash=[5, 3], color=MUTED).encode(x="score:Q"),
        data.mark_text(baseline="bottom", dy=-4, fontSize=12, fontWeight="bold", color=MUTED).encode(
            x="score:Q", y=alt.value(0), text="name:N"
        ),
    ]


def _own_limits(layers: pd.DataFrame, y: alt.Y, row: float) -> list[alt.Chart]:
    """Every layer's lowest score that was kept, where it keeps any."""
    own = layers.dropna(subset=["threshold"])[["label", "threshold"]]
    return [
        alt.Chart(own)
        .mark_tick(orient="vertical", thickness=5, size=row, color=MUTED, opacity=0.5)
        .encode(y=y, x="threshold:Q", tooltip=[alt.Tooltip("threshold:Q", title="threshold", format=".4~g")])
    ]


def _counts(layers: pd.DataFrame, y: alt.Y) -> list[alt.Chart]:
    """How many of its neurons a layer keeps, right of its row; a layer that keeps none stands out."""
    told = layers.assign(told=[f"{k:,} of {n:,}" for k, n in zip(layers["kept"], layers["before"], strict=True)])
    some, none = told[told["kept"] > 0], told[told["kept"] == 0]
    style: dict[str, Any] = {"align": "left", "dx": 8, "fontSize": 11}
    return [
        alt.Chart(some[["label", "told"]])
        .mark_text(**style, color=MUTED)
        .encode(y=y, x=alt.value("width"), text="told:N"),
        alt.Chart(none.assign(told="✕ " + none["told"])[["label", "told"]])
        .mark_text(**style, color=LOST, fontWeight="bold")
        .encode(y=y, x=alt.value("width"), text="told:N"),
    ]


def _padded(values: pd.Series) -> alt.Scale:
    """The range of all values, with room for the numbers above them."""
    if values.empty:
        return alt.Scale(domain=[0, 1])
    room = max(0.2 * float(values.max() - values.min()), 0.01)
    return alt.Scale(domain=[float(values.min()) - room, float(values.max()) + room], nice=False, zero=False)


def _value_axis(**more: Any) -> alt.Axis:
    return alt.Axis(gridColor=GRID, domain=False, ticks=False, tickCount=6, labelOverlap=True, **more)


def _legend(values: Sequence[str]) -> alt.Legend:
    return alt.Legend(title=None, orient="top", values=list(values), symbolSize=90, symbolStrokeWidth=2)


def _finished(layers: Sequence[alt.Chart], height: int, right: int = 8) -> Chart:
    padding = {"left": 4, "top": 4, "right": right, "bottom": 4}
    return alt.layer(*layers).properties(height=height, padding=padding, autosize=_FIT).configure_view(stroke=None)
