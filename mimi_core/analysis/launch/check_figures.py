"""What a check found, as a table of cycles, a figure of the widths at the start, and words about the images."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.theme import GRID
from mimi_core.analysis.common.words import listed, size
from mimi_core.runs.jobs.check_report import CheckReport, KeptImages

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


def about_images(kept: Sequence[KeptImages]) -> str:
    """How decoded images are kept, and what that takes; empty where a check of an earlier version did not say."""
    sentences = []
    for place in ("memory", "disk", "nowhere"):
        those = [some for some in kept if some.place == place]
        if not those:
            continue
        names = listed([some.split for some in those])
        which = "All images" if len(those) == len(kept) else f"The images of {names}"
        memory, disk = (size(sum(getattr(some, f"{kind}_bytes") for some in those)) for kind in ("memory", "disk"))
        sentences.append(
            {
                "memory": f"{which} are kept in memory, decoded: {memory}.",
                "disk": f"{which} do not fit into memory: each is decoded once, kept on disk ({disk}, free again when "
                f"the run ends) and read some batches ahead ({memory} of memory).",
                "nowhere": f"{which} fit neither into memory nor onto the disk: they are decoded in every epoch, some "
                f"batches ahead ({memory} of memory).",
            }[place]
        )
    return " ".join(sentences)


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
