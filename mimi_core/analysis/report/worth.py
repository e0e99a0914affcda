"""A report's section on what the adapters were worth that a run's last loss took."""

from pathlib import Path
from typing import Any

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.words import p_value
from mimi_core.analysis.report import pictures
from mimi_core.analysis.report.page import drawn
from mimi_core.analysis.why import damage as why
from mimi_core.analysis.why import damage_words
from mimi_core.analysis.why.cut_scores import read_cut
from mimi_core.analysis.why.words import unit
from mimi_core.runs.events import RunState


def worth(run: Path, state: RunState) -> dict[str, Any] | None:
    """Of the last cut that took an adapter; None where none did, or nothing was measured.

    Raises:
        RunError: what was measured, or the scores, cannot be read.
    """
    number = why.last_that_took_one(state)
    found = why.damage_of(run, number, state.widths[number - 1]) if number else None
    if not number or found is None:
        return None
    cut = read_cut(run, state, number)
    table, scores = why.damage_table(layers(state.sites), cut, found), why.agreements_table(cut, found)
    rows = [
        [row.label, damage_words.tau(row.kendall), p_value(row.p), "the run's" if row.decided else ""]
        for row in scores.itertuples()
    ]
    return {
        "cut": number,
        "answer": damage_words.answer(table, why.agreement_of(table)),
        "picture": drawn(pictures.worth(table, f"{unit(cut.real)}, summed over the layer")),
        "what": damage_words.what_it_is(found, "adapter"),
        "scores": {"columns": ["Score", "Kendall's τ", "p, corrected", ""], "text": ["Score", ""], "rows": rows},
    }
