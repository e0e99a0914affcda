"""Layer x cycle as numbers: where the rows are, what stands in the cells and how dark they are. Nothing is drawn."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from mimi_core.analysis.common.tables import Mode
from mimi_core.analysis.common.theme import MUTED, Scale
from mimi_core.analysis.common.words import compact

MODE_NAMES: dict[Mode, str] = {
    "share": "share of the initial width",
    "neurons": "neurons",
    "parameters": "adapter parameters",
}
STAGE_GAP = 0.45
"""Height of the gap between two stages, in rows."""


@dataclass(frozen=True)
class Rows:
    """Where the layers are on the vertical axis, first layer on top; stages are set apart."""

    sites: list[str]
    labels: list[str]
    groups: list[str]
    colours: list[str]
    centres: list[float]
    height: float
    """Of all rows, gaps included, in rows."""
    pixels: int
    """Of one row: generous for few layers, still readable for a hundred."""

    @property
    def named(self) -> bool:
        """Whether there is room for a layer's name and its numbers."""
        return self.pixels >= 12

    def spans(self) -> list[tuple[str, str, float, float]]:
        """Group, colour, top and bottom of every run of rows of one group. Where its rows have several, it has none."""
        spans: list[tuple[str, str, float, float]] = []
        for group, colour, centre in zip(self.groups, self.colours, self.centres, strict=True):
            if spans and spans[-1][0] == group:
                same = colour if spans[-1][1] == colour else MUTED
                spans[-1] = (group, same, spans[-1][2], centre + 0.5)
            else:
                spans.append((group, colour, centre - 0.5, centre + 0.5))
        return spans


def by_position(widths: pd.DataFrame) -> pd.DataFrame:
    """The same `widths_table` in rows of the attentions and rows of the MLPs, instead of stage by stage."""
    return widths.assign(group=widths["position"].map({"attn": "attention", "mlp": "MLP"}))


def rows_of(widths: pd.DataFrame, smallest: int = 13) -> Rows:
    layers = widths.drop_duplicates("site").sort_values("order")
    first = {group: place for place, group in enumerate(dict.fromkeys(layers["group"]))}
    layers = layers.sort_values("group", key=lambda groups: groups.map(first), kind="stable")
    groups = list(layers["group"])
    changes = np.cumsum([0, *(a != b for a, b in pairwise(groups))])
    centres = [float(i + 0.5 + STAGE_GAP * change) for i, change in enumerate(changes)]
    return Rows(
        sites=list(layers["site"]),
        labels=list(layers["label"]),
        groups=groups,
        colours=list(layers["colour"]),
        centres=centres,
        height=centres[-1] + 0.5,
        pixels=int(np.clip(round(560 / len(layers)), smallest, 30)),
    )


@dataclass(frozen=True)
class Grid:
    """The cells of a heatmap, (layers, cuts + 1)."""

    heights: np.ndarray
    """Places on the colour scale, 0..1; NaN where nothing is, or the run has not been yet."""
    text: np.ndarray
    scale: Scale
    ticks: dict[float, str]
    """Place on the scale -> what it means."""


def grid_of(widths: pd.DataFrame, rows: Rows, scale: Scale, mode: Mode, cuts: int) -> Grid:
    values = pivoted(widths, rows, mode, cuts)
    shown = values if mode == "parameters" else pivoted(widths, rows, "neurons", cuts)
    top = 1.0 if mode == "share" else max(1.0, float(np.nanmax(values)))
    ticks = [0.01, 0.1, 0.25, 0.5, 1.0] if mode == "share" else _ticks(top)
    return Grid(
        # The square root lets few neurons be told from fewer: most of a run happens at the low end.
        heights=np.sqrt(np.where(values > 0, values, np.nan) / top),
        text=np.vectorize(lambda v: "" if np.isnan(v) or v == 0 else compact(v), otypes=[object])(shown),
        scale=scale,
        ticks={(t / top) ** 0.5: f"{100 * t:g}%" if mode == "share" else compact(t) for t in ticks},
    )


def pivoted(widths: pd.DataFrame, rows: Rows, column: str, cuts: int) -> np.ndarray:
    """(layers, cuts + 1) values of a column; NaN where the run has not been yet."""
    place = {site: row for row, site in enumerate(rows.sites)}
    values = np.full((len(place), cuts + 1), np.nan)
    known = widths[widths["cycle"] <= cuts]
    values[[place[site] for site in known["site"]], known["cycle"]] = known[column]
    return values


def _ticks(top: float) -> list[float]:
    """A few round values up to `top`, spread evenly to the eye on a square-root axis."""
    values = [top * part for part in (0.02, 0.15, 0.45, 1.0)]
    return sorted({float(f"{value:.1g}") if value < top else top for value in values if value >= 1} | {top})
