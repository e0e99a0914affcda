"""What adapters that are gone were worth when they went, beside the widths."""

from collections.abc import Mapping

import pandas as pd

from mimi_core.analysis.why.damage import gone_table
from mimi_core.analysis.why.damage_words import of_gone, when_it_went
from mimi_core.runs.formats.damage import Damage


def with_worth(widths: pd.DataFrame, measured: Mapping[int, Damage | None]) -> pd.DataFrame:
    """A `widths_table` with a column `worth`: in words for the cells of layers that are gone, else empty.

    Args:
        measured: cut -> what was measured before it, for cuts that took an adapter.
    """
    said = {row["site"]: when_it_went(row) for row in gone_table(widths, measured).to_dict("records")}
    gone = widths["gone"]
    return widths.assign(worth=[said.get(site, "") if g else "" for site, g in zip(widths["site"], gone, strict=True)])


def sentence(widths: pd.DataFrame, measured: Mapping[int, Damage | None], cycle: int) -> str:
    """What those that are gone after a cut were worth; empty where none is. Arguments as for `with_worth`."""
    return of_gone(gone_table(widths, measured), cycle)
