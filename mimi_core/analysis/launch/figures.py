"""Where adapters go and a dataset at a glance, drawn in Vega-Lite. Names are data, never code or HTML."""

import base64
from collections.abc import Mapping, Sequence

import pandas as pd

from mimi_core.analysis.common.charts import BARE, Chart, axis, finished, layer, nominal, number, ordinal
from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.theme import GAIN, MUTED, SECOND
from mimi_core.analysis.launch.tables import counts_table
from mimi_core.data.intake.preview import EDGE, Preview

WIDTHS_HEIGHT = 150
ROW, COLUMN = 44, 46
"""Height of a class, and width of one of its images, in pixels."""
SPLITS = {"train": GAIN, "val": MUTED, "test": SECOND}


def widths_at_start_figure(layers: Sequence[Layer], widths: Mapping[str, int]) -> Chart:
    """A bar for each layer, as high as its adapter has neurons, in the colour of its stage."""
    table = pd.DataFrame(
        {
            "layer": [one.label for one in layers],
            "neurons": [widths.get(one.site, 0) for one in layers],
            "tokens": [one.token_width for one in layers],
            "colour": [one.colour for one in layers],
        }
    )
    bars = layer(
        "layers",
        {"type": "bar"},
        x=nominal("layer", title=None, sort=None, axis=axis(grid=False, labelAngle=-60, labelLimit=90)),
        y=number("neurons", title="neurons", axis=axis(tickCount=4)),
        color=nominal("colour", scale=None),
        tooltip=[nominal("layer"), number("neurons", format=","), number("tokens", title="token width")],
    )
    return finished([bars], {"layers": table}, WIDTHS_HEIGHT)


def samples_figure(preview: Preview, classes: Sequence[str]) -> Chart:
    """A row of training images for each of `classes`."""
    rows = pd.DataFrame(
        [
            {
                "class": preview.class_names[sample.label],
                "place": place,
                "image": f"data:image/png;base64,{base64.b64encode(sample.png).decode()}",
                "size": f"{sample.size[0]} × {sample.size[1]}",
            }
            for label in range(len(preview.class_names))
            for place, sample in enumerate(one for one in preview.samples if one.label == label)
        ],
        columns=["class", "place", "image", "size"],
    )
    places = max(1, rows["place"].nunique())
    small = all(max(sample.size) < EDGE for sample in preview.samples)
    images = layer(
        "samples",
        {"type": "image", "width": ROW - 6, "height": ROW - 6, "smooth": not small},  # few pixels stay pixels
        x=ordinal("place", axis=None, scale={"domain": list(range(places)), "padding": 0}),
        y=_rows(classes, {**BARE, "labelLimit": 150, "labelFontSize": 12}),
        url=nominal("image"),
        tooltip=[nominal("class"), nominal("size", title="pixels")],
    )
    # As wide as its images, which keep their distance however wide the page is.
    return finished([images], {"samples": rows}, ROW * len(classes)) | {"width": COLUMN * places, "autosize": "pad"}


def balance_figure(preview: Preview, classes: Sequence[str]) -> Chart:
    """How many images of each of `classes` a run trains on, chooses by, and is tested on."""
    table = counts_table(preview)
    table = table[table["class"].isin(classes)]
    told = [" + ".join(f"{n:,}" for n in row) for row in table[list(SPLITS)].itertuples(index=False)]
    long = table.melt("class", list(SPLITS), "split", "images")
    long = long.assign(order=long["split"].map(list(SPLITS).index))
    y = _rows(classes, None)
    bars = layer(
        "counts",
        {"type": "bar", "height": ROW * 0.4},
        y=y,
        x=number("images", axis=None, stack="zero"),
        order=number("order"),
        color=nominal(
            "split",
            scale={"domain": list(SPLITS), "range": list(SPLITS.values())},
            legend={"title": None, "orient": "bottom"},
        ),
        tooltip=[nominal("class"), nominal("split"), number("images", format=",")],
    )
    numbers = layer(
        "sums",
        {"type": "text", "align": "left", "dx": 8, "fontSize": 11, "color": MUTED},
        y=y,
        x=number("images"),
        text=nominal("told"),
    )
    sums = table.assign(told=told, images=table[list(SPLITS)].sum(axis=1))[["class", "images", "told"]]
    return finished([bars, numbers], {"counts": long, "sums": sums}, ROW * len(classes))


def _rows(classes: Sequence[str], looks: Chart | None) -> Chart:
    return nominal("class", title=None, scale={"type": "band", "domain": list(classes), "padding": 0}, axis=looks)
