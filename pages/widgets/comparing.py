"""What Ablations says of itself: how it is read, and what to do where there is nothing to compare."""

import streamlit as st

from mimi_core.analysis.common.statistics import LEVEL, SIGNIFICANT
from mimi_core.analysis.common.words import WITHIN_MARGIN
from pages.widgets.menu import link_to


def explain() -> None:
    with st.expander("How to read this page", icon=":material/help:"):
        st.markdown(
            "**Seeds are the repetitions.** A run with another seed differs in its initial weights, the order of its "
            "images and, with another data seed, in its images. Runs that differ in nothing else are one setting.\n\n"
            f"**An interval** is made so that in {LEVEL} of such experiments it covers the mean of infinitely many "
            "seeds. Student's t assumes values that are roughly normal; the bootstrap assumes no shape, but is too "
            "narrow for fewer than about ten seeds. Neither tells what other test images would change. A share is "
            "between 0 and 100 %, so an interval that would go on beyond is cut off there; that takes nothing from "
            "what it covers. A seed that was run several times counts once, by its mean.\n\n"
            "**Paired.** Runs with one seed start alike, so settings are compared seed by seed, which removes what "
            "seeds have in common. An accuracy is called better or worse, and another number higher or lower, when the "
            "p value of the paired t test, corrected for the number of comparisons (Holm), is below "
            f"{SIGNIFICANT:g}, and equivalent when two one-sided tests put it {WITHIN_MARGIN} of accuracy; whichever "
            "intervals are shown. Everything else is undecided, which is not none: the table says how large a "
            "difference so many seeds would have shown. All rows are one family; who tries one reference after the "
            "other has made more comparisons than are corrected for. Decide what to compare before you look.\n\n"
            "**Accuracies** are of the last epoch on test data, never of the best one."
        )


def nothing_to_compare() -> None:
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader("Nothing to compare yet", text_alignment="center")
        st.markdown(
            "Runs of one group, such as a sweep over settings and seeds, are compared here. Make one:",
            text_alignment="center",
        )
        st.code("python -m mimi_core sweep --preset local-vs-global", language="bash", width="content")
        link_to("launch", "Or launch runs here")
