"""Scores against what was measured, as a chart in Vega-Lite. Labels are data, never code or HTML."""

from collections.abc import Collection

import pandas as pd

from mimi_core.analysis.common.charts import Chart, axis, finished, layer, nominal, number
from mimi_core.analysis.common.theme import GAIN, LOST, MUTED
from mimi_core.analysis.why.damage import BEYOND
from mimi_core.analysis.why.figures import score_scale

STAYS = "stays"
MOST_NAMED = 12
"""Points with a name beside them; more would stand upon one another."""
HEIGHT = 340
_LINEAR_UNTIL = 4.0
"""The axis of the damage is even within so many typical errors of zero, and beyond them by powers of ten."""


def damage_chart(
    table: pd.DataFrame, *, unit: str, what: str = "label", lost: str = "loses its adapter", named: Collection[str] = ()
) -> Chart:
    """A point for each layer or neuron: its score, and by how much the loss rises without it, with two standard errors.

    Args:
        table: a `damage_table` or a `neuron_damage_table`.
        unit: what the scores are.
        what: the column that says which one it is.
        lost: what becomes of those that the cut took.
        named: those whose names stand beside their points, along with the ones that were lost, where there is room.
    """
    fates = table["lost"].map({True: lost, False: STAYS})
    spread = BEYOND * table["error"].fillna(0)
    points = table[["score", "damage"]].assign(
        name=table[what].astype(str), fate=fates, low=table["damage"] - spread, high=table["damage"] + spread
    )
    to_name = points[table[what].astype(str).isin(named)]
    if not len(to_name) and table["lost"].sum() <= MOST_NAMED:
        to_name = points[table["lost"]]
    order = [STAYS, lost]
    scale = _damage_scale(points)
    x = number("score", title=unit, scale=score_scale(table["score"]), axis=axis(tickCount=6))
    y = number("damage", title="rise of the loss", scale=scale, axis=axis(tickCount=7, format="~g"))
    legend = {"title": None, "orient": "top", "values": order, "symbolSize": 90, "symbolStrokeWidth": 2}
    looks = {
        "color": nominal("fate", scale={"domain": order, "range": [GAIN, LOST]}, legend=legend),
        "shape": nominal("fate", scale={"domain": order, "range": ["circle", _CROSS]}),
    }
    tips = [
        nominal("name", title="neuron" if what == "neuron" else "layer"),
        number("score", title="score", format=".4~g"),
        number("damage", title="damage", format="+.4f"),
        number("low", title="two standard errors from", format="+.4f"),
        number("high", title="to", format="+.4f"),
        nominal("fate", title="at this cut"),
    ]
    beside: Chart = {"type": "text", "align": "left", "dx": 9, "dy": -6, "fontSize": 11, "color": MUTED}
    return finished(
        [
            layer("zero", {"type": "rule", "color": MUTED, "strokeDash": [5, 3]}, y=number("damage")),
            layer(
                "points",
                {"type": "rule", "color": MUTED, "opacity": 0.7},
                x=x,
                y=number("low", scale=scale),
                y2={"field": "high"},
            ),
            layer("points", {"type": "point", "size": 62, "strokeWidth": 2}, x=x, y=y, tooltip=tips, **looks),
            layer("named", beside, x=x, y=y, text=nominal("name")),
        ],
        {"zero": pd.DataFrame({"damage": [0.0]}), "points": points, "named": to_name},
        HEIGHT,
        right=70,
    )


_CROSS = "M-0.7,-0.7L0.7,0.7M0.7,-0.7L-0.7,0.7"


def _damage_scale(points: pd.DataFrame) -> Chart:
    """A few layers are often worth a hundred times what most are: then even around zero, and by powers beyond."""
    low, high = min(float(points["low"].min()), 0.0), max(float(points["high"].max()), 0.0)
    room = 0.04 * (high - low) or 0.5
    domain = [low - room, high + room]
    typical = float((points["high"] - points["low"]).median()) / (2 * BEYOND)
    if typical > 0 and high - low > 20 * _LINEAR_UNTIL * typical:
        return {"type": "symlog", "constant": _LINEAR_UNTIL * typical, "domain": domain, "nice": False}
    return {"domain": domain, "nice": False, "zero": False}
