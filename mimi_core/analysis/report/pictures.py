"""The figures of a report: the charts of the pages as still pictures. Widths are CSS pixels."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mimi_core.analysis.common.agreement import Survival, survival_rows
from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.static import picture
from mimi_core.analysis.common.statistics import INTERVAL
from mimi_core.analysis.common.svg import Element
from mimi_core.analysis.common.words import count, percent
from mimi_core.analysis.compare.contrasts import MEASURES, levels_table
from mimi_core.analysis.compare.design import Levels
from mimi_core.analysis.compare.figures import measure_figure
from mimi_core.analysis.monitor.curves import accuracy_chart, loss_chart
from mimi_core.analysis.why.damage_figures import damage_chart
from mimi_core.analysis.why.figures import damage_figure
from mimi_core.analysis.widths.still import kept_chart, widths_chart

WIDTH = 824
SETTING, AROUND = 34, 60
"""Height of the row of a setting, and of what is around all rows."""


def heatmap(widths: pd.DataFrame, cycles: pd.DataFrame, cuts: int) -> Element:
    """As on Widths. Arguments as for `widths_chart`."""
    chart, width = widths_chart(widths, cycles, cuts=cuts, most=WIDTH)
    layers, lost = widths["site"].nunique(), int(widths["vanished"].sum())
    title = f"Neurons left in {count(layers, 'layer')} after {count(len(cycles) - 1, 'cut')}"
    told = f"A heatmap; {count(lost, 'adapter')} went, each marked by a cross. The table of widths has the numbers."
    return picture([chart], width, title, told, "heatmap")


def course(cycles: pd.DataFrame) -> Element:
    """As on Why: test accuracy before every cut, right after it, and trained again. `cycles` is a `cycles_table`."""
    known = cycles["after"].dropna()
    told = f"from {percent(known.iloc[0])} to {percent(known.iloc[-1])}" if len(known) else "not known yet"
    title = f"Test accuracy {told}"
    return picture(
        [damage_figure(cycles, None)], WIDTH, title, "A triangle right after a cut, dots around it.", "course"
    )


def worth(table: pd.DataFrame, unit: str) -> Element:
    """As on Why: each layer's score against its damage. `table` is a `damage_table`."""
    lost = int(table["lost"].sum())
    title = f"Score and damage of {count(len(table), 'layer')}"
    told = f"A cross where the cut took the adapter ({lost}), a dot where it stays; lines are two standard errors."
    return picture([damage_chart(table, unit=unit)], WIDTH, title, told, "worth")


def learning(curves: pd.DataFrame, steps: int, cuts: int) -> Element:
    """As on Monitor: accuracies and training loss over all epochs. `curves` is a `curves_table`; else as there."""
    data = {"data": {"values": curves}}
    charts = [accuracy_chart(steps, cuts) | data, loss_chart(steps) | data]
    told = "Above, accuracy on the training images and on others; below, training loss; dotted lines are cuts."
    return picture(charts, WIDTH, f"{count(int(curves['step'].max()), 'epoch')} of training", told, "learning")


def strips(levels: Levels) -> Element:
    """As on Ablations: a row a setting, every run and the mean with its interval. `levels` have accuracies."""
    measure, rows = MEASURES["accuracy"], len(levels.order)
    chart = measure_figure(
        levels_table(levels, measure, "t"),
        levels.table.assign(seed=levels.table["pair"]),
        order=levels.order,
        measure=measure,
    )
    chart |= {"height": SETTING * rows, "padding": 5}
    told = f"A small mark is a run, the large one their mean, the line its {INTERVAL}. The table has the numbers."
    return picture([chart], WIDTH, f"Test accuracy of {count(rows, 'setting')}", told, "strips")


def survival(layers: Sequence[Layer], survivals: Mapping[str, Survival]) -> Element:
    """One row for each setting, one column for each layer: in how many of the runs the adapter was there at the end.

    Args:
        layers: in the order of the columns.
        survivals: by the name of the setting.
    """
    title = f"How often {count(len(layers), 'layer')} kept an adapter"
    told = "A row is a setting, a column a layer, input first; darker: the adapter was kept in more of the runs."
    return picture([kept_chart(survival_rows(layers, survivals), WIDTH)], WIDTH, title, told, "survival")
