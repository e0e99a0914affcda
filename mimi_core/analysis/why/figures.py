"""Scores, threshold and widths of one cut: charts in Vega-Lite. Labels are data, never code or HTML.

The charts are plain dictionaries, tables in `datasets`: Altair would spend a hundred times as long on building and
checking them, and a what-if draws them anew at every move. The tests hold them against Vega-Lite's schema.
"""

import json
from collections.abc import Sequence
from math import isnan

import pandas as pd

from mimi_core.analysis.common import words
from mimi_core.analysis.common.charts import BARE, Chart, axis, finished, layer, nominal, number, ordinal
from mimi_core.analysis.common.theme import GAIN, GRID, LOST, MUTED, SECOND

KEPT, REMOVED = "kept", "removed"
MOST_TOLD = 6
"""Cuts: of more, no room is left for the accuracies of all."""
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
    fates = {True: KEPT, False: REMOVED}
    shown = neurons[["label", "neuron", "score"]].assign(
        fate=neurons["kept"].map(fates), run=neurons["was_kept"].map(fates)
    )
    counts = layers[["label", "kept"]].assign(
        told=[f"{'' if k else '✕ '}{k:,} of {n:,}" for k, n in zip(layers["kept"], layers["before"], strict=True)]
    )
    own = layers.dropna(subset=["threshold"])[["label", "threshold"]].head(len(layers) if threshold is None else 0)
    common = pd.DataFrame({"score": [threshold], "name": [f"threshold {threshold or 0:.3g}"]}, dtype=object)
    y = _rows_axis(layers)
    x = number("score", title=unit, scale=score_scale(neurons["score"], threshold), axis=axis(tickCount=6))
    ticks = {
        "x": x,
        "y": y,
        "color": nominal(
            "fate", scale={"domain": [KEPT, REMOVED], "range": [GAIN, LOST]}, legend=_legend([KEPT, REMOVED])
        ),
        "tooltip": [
            nominal("label", title="layer"),
            number("neuron", title="neuron"),
            number("score", title="score", format=".4~g"),
            nominal("fate", title="here"),
            nominal("run", title="in the run"),
        ],
    }
    beside: Chart = {"type": "text", "align": "left", "dx": 8, "fontSize": 11}
    edge = {"y": y, "x": {"value": "width"}, "text": nominal("told")}
    return finished(
        [
            layer(
                "common",
                {"type": "rule", "strokeWidth": 1.5, "strokeDash": [5, 3], "color": MUTED},
                x=number("score"),
            ),
            layer(
                "common",
                {"type": "text", "baseline": "bottom", "dy": -4, "fontSize": 12, "fontWeight": "bold", "color": MUTED},
                x=number("score"),
                y={"value": 0},
                text=nominal("name"),
            ),
            layer(
                "own",
                _tick(5, row, 0.5) | {"color": MUTED},
                x=number("threshold"),
                y=y,
                tooltip=[number("threshold", title="threshold", format=".4~g")],
            ),
            layer("neurons", _tick(1.4, 0.55 * row, 0.8), only="datum.fate === datum.run", **ticks),
            layer("neurons", _tick(2, 0.95 * row, 1), only="datum.fate !== datum.run", **ticks),
            layer("counts", beside | {"color": MUTED}, only="datum.kept > 0", **edge),
            layer("counts", beside | {"color": LOST, "fontWeight": "bold"}, only="datum.kept === 0", **edge),
        ],
        {"neurons": shown, "counts": counts, "own": own, "common": common.head(0 if threshold is None else 1)},
        height,
        right=76,
    )


def widths_what_if_figure(layers: pd.DataFrame, *, height: int) -> Chart:
    """Neurons of every layer before the cut, after it in the run, and after it under other settings.

    Args:
        layers: a `layers_table`.
        height: of the rows, in pixels.
    """
    names = {"before": "before", "real": "in the run"}
    if not layers["real"].equals(layers["kept"]):
        names["kept"] = "what if"
    which = list(names.values())
    points = pd.DataFrame(
        {
            "label": [*layers["label"]] * len(names),
            "which": [name for name in which for _ in range(len(layers))],
            "neurons": [n for column in names for n in layers[column]],
        }
    )
    # The square root, as on the Widths page: most of a run happens at the low end.
    scale = {"type": "sqrt", "nice": False, "domain": [0, 1.04 * max(1, int(layers["before"].max()))]}
    y = _rows_axis(layers)
    changes = [
        layer(
            "layers",
            {"type": "text", "align": "left", "dx": 12, "fontSize": 11, "fontWeight": "bold", "color": colour},
            x=number("before", scale=scale),
            y=y,
            text={"value": text},
            only=f"datum.change === '{change}'",
        )
        for change, text, colour in (("lost", "loses it", LOST), ("kept", "keeps it", GAIN))
    ]
    return finished(
        [
            layer(
                "layers",
                {"type": "rule", "strokeWidth": 2, "color": MUTED, "opacity": 0.6},
                x=number("real", scale=scale),
                x2={"field": "kept"},
                y=y,
            ),
            layer(
                "points",
                {"type": "point", "size": 62, "strokeWidth": 2},
                x=number("neurons", title="neurons", scale=scale, axis=axis(tickCount=6, tickMinStep=1, format="d")),
                y=y,
                color=nominal(
                    "which",
                    scale={"domain": which, "range": [MUTED, GAIN, SECOND][: len(which)]},
                    legend=_legend(which),
                ),
                shape=nominal("which", scale={"domain": which, "range": [_UPRIGHT, "circle", "diamond"][: len(which)]}),
                tooltip=[
                    nominal("label", title="layer"),
                    nominal("which", title="when"),
                    number("neurons", title="neurons"),
                ],
            ),
            *changes,
        ],
        {"layers": layers[["label", "before", "real", "kept", "change"]], "points": points},
        height,
        right=64,
    )


def damage_figure(cycles: pd.DataFrame, cut: int | None) -> Chart:
    """Accuracy before every cut, right after it, and after training again.

    Args:
        cycles: a `cycles_table`.
        cut: which stands out; None: all do, with their numbers where there is room.
    """
    names = {"before": "before", "cut": "right after", "after": "trained"}
    order = list(names.values())
    cuts = cycles[cycles["cycle"] > 0].to_dict("records")
    points = pd.DataFrame(
        [
            {"cycle": now["cycle"], "when": name, "accuracy": now[column], "percent": words.points(now[column])}
            for column, name in names.items()
            for now in cuts
            if not isnan(now[column])
        ],
        columns=["cycle", "when", "accuracy", "percent"],
    )
    chosen = f"datum.cycle === {cut}" if cut else "true" if len(cuts) <= MOST_TOLD else "false"
    dim = 0.45 if cut else 1
    shares = axis(tickCount=6, format=".0%")
    where: Chart = {
        "x": ordinal("cycle", title="cut", axis={"labelAngle": 0, **BARE}),
        "xOffset": nominal("when", sort=order),
        "y": number("accuracy", title="test accuracy", scale=_padded(points["accuracy"]), axis=shares),
        "opacity": {"condition": {"test": chosen, "value": 1}, "value": dim},
    }
    marked = where | {
        "color": nominal("when", scale={"domain": order, "range": [MUTED, LOST, GAIN]}, legend=_legend(order)),
        "shape": nominal("when", scale={"domain": order, "range": ["circle", "triangle-down", "circle"]}),
        "tooltip": [
            ordinal("cycle", title="cut"),
            nominal("when", title="when"),
            number("accuracy", title="accuracy", format=".1%"),
        ],
    }
    text = {"type": "text", "dy": -13, "fontSize": 11, "color": MUTED}
    layers = [
        layer("cycles", {"type": "point", "filled": True, "size": 110}, **marked),
        layer("cycles", text, only=chosen, **where, text=nominal("percent")),
    ]
    return finished(layers, {"cycles": points}, 270)


def rows_height(layers: pd.DataFrame) -> int:
    """Generous for few layers, still readable for a hundred."""
    rows = max(1, len(_row_names(layers)))
    return rows * max(11, min(26 if rows > 4 else 44, 620 // rows))


def score_scale(scores: pd.Series, threshold: float | None = None) -> Chart:
    """Scores of neurons often differ by orders of magnitude; those that do get a logarithmic axis."""
    values = [*scores, *([] if threshold is None else [threshold])]
    low, high = (float(min(values)), float(max(values))) if values else (0.0, 1.0)
    if low > 0 and high / low > _LOG_SPREAD:
        return {"type": "log", "domain": [low * 0.95, high * 1.05], "nice": False}
    room = 0.02 * (high - low) or 0.5
    return {"domain": [low - room, high + room], "nice": False, "zero": False}


# --- parts ------------------------------------------------------------------------------------------------------------

_UPRIGHT = "M0,-0.8V0.8"
"""A short line as a symbol."""


def _row_names(layers: pd.DataFrame) -> list[str]:
    """Labels from the input on, under a heading of their stage where there are stages."""
    groups, labels = list(layers["group"]), list(layers["label"])
    if len(set(groups)) < 2:
        return labels
    names: list[str] = []
    for before, group, label in zip([None, *groups], groups, labels, strict=False):
        names += [label] if group == before else [group, label]
    return names


def _rows_axis(layers: pd.DataFrame) -> Chart:
    names, colours = _row_names(layers), dict(zip(layers["group"], layers["colour"], strict=True))
    row = rows_height(layers) / max(1, len(names))
    # "stage 2" is our own word, so it may stand in an expression; labels may not.
    tests = [(f"datum.value === {json.dumps(group)}", colour) for group, colour in colours.items()]
    looks: Chart = {
        "labelOverlap": False,
        "labelFlush": False,
        "labelFontSize": 12 if row >= 16 else 10,
        "labelLimit": 160,
        "grid": True,
        "gridColor": GRID,
        **BARE,
    }
    if len(tests) > 1:  # headings in the colour of their stage, on every page the same
        heading = " || ".join(test for test, _ in tests)
        looks["labelFontWeight"] = {"condition": {"test": heading, "value": "bold"}, "value": "normal"}
        looks["labelColor"] = {"condition": [{"test": t, "value": colour} for t, colour in tests], "value": MUTED}
    return nominal("label", title=None, scale={"type": "band", "domain": names, "padding": 0}, axis=looks)


def _padded(values: pd.Series) -> Chart:
    """The range of all values, with room for the numbers above them."""
    if values.empty:
        return {"domain": [0, 1]}
    room = max(0.2 * float(values.max() - values.min()), 0.01)
    return {"domain": [float(values.min()) - room, float(values.max()) + room], "nice": False, "zero": False}


def _legend(values: Sequence[str]) -> Chart:
    return {"title": None, "orient": "top", "values": list(values), "symbolSize": 90, "symbolStrokeWidth": 2}


def _tick(thickness: float, size: float, opacity: float) -> Chart:
    return {"type": "tick", "orient": "vertical", "thickness": thickness, "size": size, "opacity": opacity}
