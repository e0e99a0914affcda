"""The controls of Why: other settings for a cut, and in numbers and words what they would change."""

import time
from collections.abc import Iterable
from typing import Any, get_args

import pandas as pd
import streamlit as st

from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.words import percent
from mimi_core.analysis.why import tables as why
from mimi_core.analysis.why import words as why_words
from mimi_core.analysis.why.cut_scores import Cut, Settings
from mimi_core.config import Scope
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.catalogue import label_of as score_label
from mimi_core.scores.normalisers import NORMALISERS
from pages.widgets import address
from pages.widgets.address import Option
from pages.widgets.setting_words import help_of
from pages.widgets.text import plain

WHAT_IF = ("rho", "scope", "score", "normalise")


def controls(cut: Cut) -> Settings:
    """Settings to try, those of the run until somebody moves one; what differs from the run is in the URL."""
    shares = why.rhos(cut)
    share = next(text for text, rho in shares.items() if rho == why.rho_of(cut, cut.real.keep))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        rho = _bound("rho", shares, share)
        st.select_slider(
            "What if the cut removed this share (ρ)",
            list(shares),
            help="Of the neurons that were there before this cut. Earlier cuts stay as they were.",
            width=300,
            **rho.control,
        )
        scope = _bound("scope", get_args(Scope), cut.real.scope)
        st.segmented_control(
            "Scope",
            get_args(Scope),
            help=help_of("prune.scope"),
            required=True,
            **scope.control,
        )
        score = _bound("score", cut.raw, cut.real.score)
        st.selectbox(
            "Score",
            list(cut.raw),
            format_func=score_label,
            help=f"{help_of('prune.score')} {why_words.scores_explained(cut.raw)}",
            width=160,
            **score.control,
        )
        how = _bound("normalise", NORMALISERS, cut.real.how)
        st.selectbox(
            "Divided by",
            list(NORMALISERS),
            help="Makes layers of different width comparable; M is the token width, N the adapter's width. "
            "Random scores are never divided.",
            format_func=lambda name: NORMALISERS[name].label,
            width=200,
            disabled=not SCORES[score.value].divided,
            **how.control,
        )
        settings = Settings(score.value, how.value, scope.value, cut.keep_before * (1 - shares[rho.value]))
        st.button(
            "As in the run",
            icon=":material/undo:",
            on_click=address.tell,
            args=(dict.fromkeys(WHAT_IF),),
            disabled=(rho.value, settings.scope, settings.score, settings.how)
            == (share, cut.real.scope, cut.real.score, cut.real.how),
        )
    return settings


def _bound(name: str, options: Iterable[Option], real: Option) -> address.Bound[Option]:
    """A setting in the address as `name`, unless it is the run's own."""
    return address.one_of(name, options, real, leave_out_usual=True)


def decided_anew(
    cut: Cut, settings: Settings, real: why.Outcome, named: list[Layer]
) -> tuple[why.Outcome, pd.DataFrame]:
    """The cut under the chosen settings, what that changes, in numbers and words, and its `layers_table`."""
    started = time.perf_counter()
    outcome = why.what_if(cut, settings)
    shared = why.overlap(outcome, real)
    table = why.layers_table(named, outcome, real)
    milliseconds = 1000 * (time.perf_counter() - started)
    if settings == cut.real and not why.same_survivors(outcome, real):
        st.warning("The stored scores do not give the cut that the run made: one of its files was changed.")
        outcome, shared, table = real, 1.0, why.layers_table(named, real, real)
    lost, lost_really = int((table["kept"] == 0).sum()), int((table["real"] == 0).sum())
    numbers, said = st.columns([3, 2], gap="large", vertical_alignment="center")
    with numbers, st.container(horizontal=True, gap="medium"):
        st.metric("Neurons kept", f"{outcome.kept:,}", **_against(outcome.kept - real.kept))
        st.metric("Adapters lost", lost, **_against(lost - lost_really))
        st.metric(
            "Overlap",
            percent(shared, 0),
            "with the run (Jaccard)",
            delta_color="off",
            delta_arrow="off",
            help="With the run, as Jaccard's index: neurons that both keep, as a share of those that either keeps.",
        )
    with said:
        if settings == cut.real:
            st.markdown("These are the settings of the run: move one and see at once what it would have changed.")
        else:
            st.markdown(f"**What if:** {plain(why_words.layers_moved(table))}")
            st.caption(f"Worked out from the stored scores in {milliseconds:.1f} ms, without training.")
    return outcome, table


def _against(difference: int) -> dict[str, Any]:
    told = f"{difference:+,} against the run" if difference else "as in the run"
    return {"delta": told, "delta_color": "off", "delta_arrow": "auto" if difference else "off"}
