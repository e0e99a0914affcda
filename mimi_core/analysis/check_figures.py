"""What a check found, as a table of cycles and a figure of the widths at the start."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from mimi_core.analysis.labels import Layer
from mimi_core.analysis.theme import GRID
from mimi_core.runs.check_report import CheckReport

HEIGHT = 150


def cycles_table(report: CheckReport) -> pd.DataFrame:
    """A row for each cycle.

    Columns: cycle, name, neurons, adapter_parameters, head_parameters (all that is trained besides the adapters),
    trained_parameters, seconds, and done: seconds from the start of the run to the end of the cycle.
    """
    table = pd.DataFrame([cycle.model_dump() for cycle in report.cycles])
    if table.empty:
        return table
    return table.assign(
        name=["start" if cycle == 0 else f"cut {cycle}" for cycle in table["cycle"]],
        head_parameters=table["trained_parameters"] - table["adapter_parameters"],
        done=report.start_seconds + table["seconds"].cumsum(),
    )


def widths_at_start_figure(layers: Sequence[Layer], widths: Mapping[str, int]) -> alt.LayerChart:
    """A bar for each layer, as high as its adapter has neurons, in the colour of its stage."""
    table = pd.DataFrame(
        {
            "layer": [layer.label for layer in layers],
            "neurons": [widths.get(layer.site, 0) for layer in layers],
            "tokens": [layer.token_width for layer in layers],
            "colour": [layer.colour for layer in layers],
        }
    )
    axis = alt.Axis(labelAngle=-60, labelLimit=90, domain=False, ticks=False, labelOverlap=True)
    return (
        alt.layer(
            alt.Chart(table)
            .mark_bar()
            .encode(
                x=alt.X("layer:N", title=None, sort=None, axis=axis),
                y=alt.Y(
                    "neurons:Q", title="neurons", axis=alt.Axis(gridColor=GRID, domain=False, ticks=False, tickCount=4)
                ),
                color=alt.Color("colour:N", scale=None),
                tooltip=[
                    alt.Tooltip("layer:N"),
                    alt.Tooltip("neurons:Q", format=","),
                    alt.Tooltip("tokens:Q", title="token width"),
                ],
            )
        )
        .properties(height=HEIGHT, padding={"left": 4, "top": 4, "right": 4, "bottom": 4})
        .configure_view(stroke=None)
    )
