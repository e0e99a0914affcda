"""What statistical charts have in common: the parts of a Vega-Lite chart, a colour and a shape for every series.

Charts are plain dictionaries, their tables in `datasets`: Altair's objects take longer to build than all the rest of a
page. The tests hold them against Vega-Lite's schema. Names are data, never code or HTML.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from mimi_core.analysis.common.statistics import INTERVAL
from mimi_core.analysis.common.theme import GRID, SERIES, SHAPES
from mimi_core.analysis.common.words import percent

Chart = dict[str, Any]
MOST_DRAWN = 1500
"""Marks of single runs."""
LEGEND_CHARACTERS = 55
"""Names together longer than that do not fit into one line beside another chart."""


def number(field: str, **more: Any) -> Chart:
    return {"field": field, "type": "quantitative", **more}


def nominal(field: str, **more: Any) -> Chart:
    return {"field": field, "type": "nominal", **more}


def ordinal(field: str, **more: Any) -> Chart:
    return {"field": field, "type": "ordinal", **more}


def layer(data: str | None, mark: Chart, *, only: str | Chart = "", **channels: Any) -> Chart:
    """One kind of mark.

    Args:
        data: a table of `datasets`; None where the page adds the data.
        only: a condition that rows must meet.
        channels: Vega-Lite's encoding.
    """
    named = {} if data is None else {"data": {"name": data}}
    filtered = {"transform": [{"filter": only}]} if only else {}
    return {**named, **filtered, "mark": mark, "encoding": channels}


def colour(field: str, order: Sequence[str], *, legend: bool = True) -> Chart:
    """A colour for each value of a field, by its place in `order`."""
    colours = [SERIES[i % len(SERIES)] for i in range(len(order))]
    looks = {"title": None, "orient": "top", "labelLimit": 300, "symbolSize": 110, "symbolOpacity": 1}
    looks |= {"columns": 5 if sum(map(len, order)) <= LEGEND_CHARACTERS else 3}
    return nominal(field, scale={"domain": list(order), "range": colours}, legend=looks if legend else None)


def shape(field: str, order: Sequence[str]) -> Chart:
    """A shape for each value of a field, to go with its colour."""
    shapes = [SHAPES[(i + i // len(SERIES)) % len(SHAPES)] for i in range(len(order))]
    return nominal(field, scale={"domain": list(order), "range": shapes})


def told(table: pd.DataFrame, columns: Sequence[str], said: Callable[[float], str] = percent) -> pd.DataFrame:
    """Add the text of each of these columns of numbers, for `text_of`: a browser rounds in its own way."""
    return table.assign(**{f"{column}_text": table[column].map(said) for column in columns})


def text_of(field: str, **more: Any) -> Chart:
    """A number of a table that `told` has written out, as it is shown anywhere else."""
    return nominal(f"{field}_text", **more)


def interval_tips() -> list[Chart]:
    """Mean, interval and number of seeds, from columns of these names that are `told`."""
    return [
        text_of("mean", title="mean"),
        text_of("low", title=f"{INTERVAL} from"),
        text_of("high", title="to"),
        number("n", title="seeds"),
    ]


def thinned(runs: pd.DataFrame) -> pd.DataFrame:
    """So many rows, evenly spread, as a browser draws at ease. Means are made of all of them."""
    return runs.iloc[:: len(runs) // MOST_DRAWN + 1]


def accuracy_domain(accuracies: Sequence[float]) -> list[float]:
    """An axis for accuracies 0..1 and some of the intervals around them; intervals of two seeds may be far wider."""
    known = [value for value in accuracies if not isnan(value)] or [0.0, 1.0]
    room = max(0.15 * (max(known) - min(known)), 0.01)
    return [max(0.0, min(known) - room), min(1.0, max(known) + room)]


BARE = {"domain": False, "ticks": False}
"""An axis of names: they stand for themselves."""


def axis(**more: Any) -> Chart:
    """Calm lines, no ticks; anything of Vega-Lite's axes over that."""
    return {"gridColor": GRID, "labelOverlap": True, **BARE, **more}


def finished(
    layers: Sequence[Chart],
    datasets: Mapping[str, pd.DataFrame] | None,
    height: int,
    *,
    top: int = 5,
    right: int = 12,
    bottom: int = 5,
) -> Chart:
    """As wide as the page says, as high as asked for, so that charts beside each other stay level.

    Args:
        datasets: None where the page adds the data.
        top, right, bottom: pixels around the chart, for what stands outside of its axes.
    """
    return {
        "layer": list(layers),
        **({} if datasets is None else {"datasets": dict(datasets)}),
        "height": height,
        "padding": {"left": 5, "top": top, "right": right, "bottom": bottom},  # Streamlit takes no single number
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": {"view": {"stroke": None}},
    }
