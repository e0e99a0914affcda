"""Do scores agree on which neurons matter, and seeds on which layers do: small heatmaps, a column a cut."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from mimi_core.analysis.common.agreement import ORDER_HELP
from mimi_core.analysis.common.statistics import one_per_seed
from mimi_core.analysis.common.words import count
from mimi_core.analysis.compare import agreement
from mimi_core.analysis.compare import figures as comparison_figures
from mimi_core.analysis.compare.design import Design
from mimi_core.analysis.compare.tables import Facts
from mimi_core.analysis.why.cut_scores import read_cut, stamp
from mimi_core.config import RunConfig, ScoreName
from mimi_core.errors import MimiError
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.catalogue import label_of as score_label
from pages.widgets import address, drawing
from pages.widgets.stores import StoredRun

MOST_RUNS = 12
"""So many runs of a setting are looked at."""


def agreements(chosen: list[StoredRun], runs: list[Facts], how: Design) -> None:
    """Do scores agree on neurons, and seeds on layers. Only runs with cuts can say."""
    cut = [run for run in runs if len(run.points) > 1]
    if not cut:
        return
    settings: dict[str, list[Facts]] = {label: [] for label in how.labels.values()}
    for run in cut:
        settings[how.setting(run.values)].append(run)
    settings = {label: members for label, members in settings.items() if members}
    left, right = st.columns(2, gap="large")
    with left:
        _scores({one.run.id: one for one in chosen}, settings)
    with right:
        _seeds(settings)


def _scores(stored: Mapping[str, StoredRun], settings: Mapping[str, list[Facts]]) -> None:
    st.subheader("Do the scores agree?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        setting = st.selectbox("Runs of", list(settings), key="scored", bind="query-params", width=240)
        members = settings[setting if setting in settings else next(iter(settings))][:MOST_RUNS]
        decided = str(members[0].values["prune.score"])
        names = list(SCORES)
        usual = names.index(RunConfig().prune.score if SCORES[decided].by_lot else decided)
        chosen = address.one_of("against", names, names[usual])
        st.selectbox("With the score", names, format_func=score_label, width=160, **chosen.control)
        against = chosen.value
    table = agreement.score_agreement_table(
        (cycle, _correlations(str(folder), cycle, stamp(folder, cycle), against, stored[run.id]))
        for run in members
        for folder in [stored[run.id].run.folder]
        for cycle in range(1, len(run.points))
    )
    if table.empty:
        st.markdown("These runs have not kept their scores.")
        return
    order = [label for label in map(score_label, names) if label in set(table["label"])]
    st.vega_lite_chart(
        spec=comparison_figures.agreement_figure(table, order, drawing.scale(), row="score"),
        width="content",
        key="scores",
        alt=f"Rank correlation of every score with the {score_label(against)} score, cut by cut.",
    )
    st.caption(
        f"Kendall's τ between the orders in which two scores put all neurons before a cut, mean of "
        f"{count(len(members), 'run')}. 1 is the same order, 0 no relation. Scores that agree take the same neurons."
    )


@st.cache_data(max_entries=1000, show_spinner=False)
def _correlations(
    folder: str, cycle: int, written: tuple[int, int] | None, against: ScoreName, _found: StoredRun
) -> dict[ScoreName, float]:
    try:
        return agreement.score_correlations(read_cut(Path(folder), _found.store.state(_found.run.id), cycle), against)
    except MimiError:
        return {}


@st.cache_data(max_entries=100, show_spinner=False)
def _seed_correlations(known: tuple[tuple[str, str, float], ...], _settings: Mapping[str, list[Facts]]) -> pd.DataFrame:
    return agreement.seeds_table(
        {label: one_per_seed(runs, agreement.seeds_of)[:MOST_RUNS] for label, runs in _settings.items()}
    )


def _seeds(settings: Mapping[str, list[Facts]]) -> None:
    st.subheader("Do the seeds order the layers alike?", anchor=False)
    known = tuple((label, run.id, run.seconds) for label, runs in settings.items() for run in runs)
    table = _seed_correlations(known, settings)
    if table["tau"].notna().any():
        order = [label for label in settings if label in set(table.loc[table["tau"].notna(), "label"])]
        st.vega_lite_chart(
            spec=comparison_figures.agreement_figure(table, order, drawing.scale(), row="setting"),
            width="content",
            key="seeds",
            alt="Rank correlation between seeds of the shares that layers keep, cut by cut.",
        )
        st.caption(
            f"{ORDER_HELP} Local cuts leave every layer its share, whatever the seed. Whether seeds keep the same "
            "layers is told on **Widths** and in reports."
        )
    losses = agreement.losses_table(settings)
    st.dataframe(
        losses,
        hide_index=True,
        column_config={
            "setting": "Setting",
            "runs": "Runs",
            "always": st.column_config.NumberColumn(
                "Lost in all", help="adapters gone after the last cut in every run"
            ),
            "sometimes": st.column_config.NumberColumn("Lost in some"),
            "never": st.column_config.NumberColumn("Never lost"),
        },
    )
