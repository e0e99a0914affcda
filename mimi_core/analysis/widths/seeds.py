"""The same run under several seeds: which layers keep their adapter whatever the seed, and which by chance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mimi_core.analysis.common.agreement import survival
from mimi_core.analysis.common.labels import cycle_name, escape_html
from mimi_core.analysis.common.tables import widths_table
from mimi_core.analysis.common.theme import Scale
from mimi_core.analysis.common.words import count, listed
from mimi_core.analysis.widths.grid import Grid, pivoted, rows_of
from mimi_core.analysis.widths.heatmap import HEAD, cover, heatmap_trace, layout_of, numbers_traces, vanished_traces
from mimi_core.runs.events import RunState

LISTED = 6
"""So many layers are named one by one."""


def survival_table(runs: Sequence[RunState]) -> pd.DataFrame:
    """In how many of the runs a layer still has its adapter after every cut.

    Columns: those of the first run's `widths_table` up to cycle, then runs, survived (how many of them), fewest, most
    (neurons in any run), gone (in all), vanished (gone in all, and since this cut).
    """
    columns = "site label order stage group position colour cycle".split()
    table = widths_table(runs[0])[columns]
    cells = list(zip(table["site"], table["cycle"], strict=True))
    neurons = np.array([[run.widths[cycle].get(site, 0) for site, cycle in cells] for run in runs])
    sites, cycles = list(runs[0].widths[0]), range(int(table["cycle"].max()) + 1)
    told = [survival([run.widths[cycle] for run in runs], sites) for cycle in cycles]
    survived = [told[cycle].kept[site] for site, cycle in cells]
    table = table.assign(runs=len(runs), survived=survived, fewest=neurons.min(0), most=neurons.max(0), vanished=False)
    table["gone"] = table["survived"] == 0
    first = table[table["gone"]].sort_values("cycle").drop_duplicates("site").index
    table.loc[first, "vanished"] = True
    return table


def survival_in_words(table: pd.DataFrame) -> str:
    """Which layers all runs agree on, after the last cut of a `survival_table`. Plain text."""
    last = table[table["cycle"] == table["cycle"].max()]
    runs = int(last["runs"].iloc[0])
    lost, kept = last[last["survived"] == 0], last[last["survived"] == runs]
    differ = last[last["survived"].between(1, runs - 1)]
    if len(kept) == len(last):
        return f"All {count(len(last), 'layer')} kept an adapter in all {runs} runs."
    who = f"{_named(lost)} lost {_its(lost)}" if len(lost) else "No layer lost its adapter"
    parts = [f"{who} in all {runs} runs"]
    parts.append(f"{_named(kept)} kept {_its(kept)} in all of them" if len(kept) else "none kept it in all of them")
    parts.append(f"for {_named(differ)} it depends on the seed" if len(differ) else "the seed made no difference")
    return f"{'; '.join(parts)}."


def survival_figure(table: pd.DataFrame, scale: Scale) -> go.Figure:
    """Layer x cut: the share of the runs in which the layer still has its adapter."""
    cuts, runs = int(table["cycle"].max()), int(table["runs"].iloc[0])
    rows = rows_of(table)
    rows = replace(rows, pixels=max(13, 3 * rows.pixels // 4))
    survived = pivoted(table, rows, "survived", cuts)
    grid = Grid(
        heights=np.where(survived > 0, survived / runs, np.nan),
        text=np.vectorize(lambda n: f"{n:.0f}" if 0 < n < runs else "", otypes=[object])(survived),
        scale=scale,
        ticks={n / runs: str(n) for n in range(1, runs + 1)},
    )
    left = table.groupby("cycle")["survived"].agg(lambda n: int((n == runs).sum()))
    lines, crosses = vanished_traces(table, rows)
    return go.Figure(
        [
            heatmap_trace(grid, rows).update(showscale=False),
            *numbers_traces(grid, rows),
            lines,
            crosses.update(showlegend=False),
            cover(table, rows, [_hover(cell) for cell in table.to_dict("records")]),
        ],
        layout_of(rows, cuts, [str(n) for n in left], what="in all runs", height=HEAD + rows.height * rows.pixels + 8),
    )


def _named(layers: pd.DataFrame) -> str:
    names = list(layers["label"])
    return listed(names) if len(names) <= LISTED else f"{len(names)} layers"


def _its(layers: pd.DataFrame) -> str:
    return "its adapter" if len(layers) == 1 else "their adapters"


def _hover(cell: dict[Any, Any]) -> str:
    where = f"<b>{escape_html(cell['label'])}</b>, {cycle_name(cell['cycle'])}<br>"
    neurons = f"{cell['fewest']:,} to {cell['most']:,}" if cell["fewest"] < cell["most"] else f"{cell['most']:,}"
    return f"{where}has its adapter in {cell['survived']} of {cell['runs']} runs<br>{neurons} neurons"
