"""Ablations: do the settings of a group differ, and how sure is that."""

from collections import defaultdict
from dataclasses import replace
from typing import get_args

import pandas as pd
import streamlit as st

from mimi_core.analysis.common.statistics import INTERVAL, INTERVALS, SIGNIFICANT, IntervalKind
from mimi_core.analysis.common.words import WITHIN_MARGIN, count, rounded
from mimi_core.analysis.compare import contrasts
from mimi_core.analysis.compare import figures as comparison_figures
from mimi_core.analysis.compare import tables as comparisons
from mimi_core.analysis.compare import words as comparison_words
from mimi_core.analysis.compare.contrasts import MEASURES, Measure
from mimi_core.analysis.compare.design import EVERY, Design, Levels, by_level, design
from pages.widgets import address, stores
from pages.widgets.agreements import agreements
from pages.widgets.comparing import explain, nothing_to_compare
from pages.widgets.finished import by_task, finished, kept_fresh
from pages.widgets.menu import Page, link_to, through_app
from pages.widgets.stores import StoredRun
from pages.widgets.text import distinct, plain

PAGE = Page(title="Ablations", icon=":material/science:", order=70)
MOST_BLOCKS = 4
"""So many parts of a comparison are drawn one below the other; of more, one is chosen."""
ONE_ANOTHER = "one another"
OF_THE_STUDY = "Times and memory of the study are not to be compared: other work went on beside some of its runs."
NUMBER = st.column_config.NumberColumn
KINDS = ("group", "study", "like")
Choice = tuple[str, str]
"""("group", its name), ("study", a group of the bundled study) or ("like", a task)."""


def main() -> None:
    through_app()
    chosen = pick()
    if chosen is not None:
        kept_fresh(show, chosen)


# --- which runs -------------------------------------------------------------------------------------------------------


def pick() -> list[StoredRun] | None:
    """Which runs are compared, kept in the URL as `group`, `study`, or `like`: a run with this data and backbone."""
    runs = stores.all_runs()
    tasks = by_task(runs)
    choices: dict[Choice, list[StoredRun]] = defaultdict(list)
    for stored in runs:
        if stored.run.group:
            choices["group", stored.run.group].append(stored)
    for stored in stores.study_runs():
        choices["study", stored.run.group].append(stored)
    choices |= {("like", task): members for task, members in tasks.items() if len(members) > 1}
    if not choices:
        nothing_to_compare()
        return None
    asked = asked_for(choices)

    def write(choice: Choice) -> address.Params | None:
        if choice not in choices:
            return None
        kind, name = choice
        told = choices[choice][0].run.id if kind == "like" else name
        return {**dict.fromkeys(KINDS), kind: told}

    chosen = address.bound("comparison", asked or next(iter(choices)), write)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Runs to compare",
            list(choices),
            format_func=distinct(choices, lambda choice: choice_title(choice, len(choices[choice]))).__getitem__,
            label_visibility="collapsed",
            filter_mode="contains",
            **chosen.control,
        )
        known = {stored.run.id for stored in choices[chosen.value]}
        task = next((task for task, members in tasks.items() if known & {stored.run.id for stored in members}), None)
        if task:
            link_to("trade_off", query={"on": task})
    return choices[chosen.value]


def asked_for(choices: dict[Choice, list[StoredRun]]) -> Choice | None:
    """What the URL asks for, if it is there."""
    like = st.query_params.get("like")
    kind = "study" if "study" in st.query_params else "group"
    group = st.query_params.get(kind)
    if group is not None and (kind, group) in choices:
        return kind, group
    if like is not None:
        for choice, members in choices.items():
            if choice[0] == "like" and like in {stored.run.id for stored in members}:
                return choice
    if group is not None:
        st.warning(f"There is no group {plain(repr(group[:80]))} here. Its runs may have been deleted.")
    elif like is not None:
        st.warning(f"There are no finished runs like {plain(repr(like[:80]))} here.")
    return None


def choice_title(choice: Choice, runs: int) -> str:
    kind, name = choice
    if kind == "like":
        return f"all on {name} · {count(runs, 'run')}"
    return f"{name} · {'bundled study' if kind == 'study' else 'group'} of {count(runs, 'run')}"


# --- what is shown ----------------------------------------------------------------------------------------------------


def show(chosen: list[StoredRun]) -> None:
    runs = finished(chosen)
    left_out = comparison_words.left_out([stored.run.phase for stored in chosen])
    if not runs:
        st.title("Nothing has finished yet", anchor=False)
        st.info(f"{left_out} As soon as runs finish, they are compared here.", icon=":material/hourglass_empty:")
        return
    how = design([run.values for run in runs])
    findings = st.container()
    points = comparisons.points_table(runs, how)
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", gap="medium"):
        compared = pick_compared(how)
        table = comparisons.with_area(comparisons.runs_table(runs, how), points, "parameters")
        measure = pick_measure(table)
        reference = pick_reference(by_level(table, how, compared))
        kind = pick_interval()
        parameters = pick_parameters()
    levels = by_level(comparisons.with_area(table, points, parameters), how, compared)
    means = contrasts.levels_table(levels, measure, kind)
    pairs = contrasts.pairs_table(levels, measure, reference, kind)
    with findings:
        st.title(plain(comparison_words.headline(means, pairs, measure)), anchor=False)
        st.markdown(plain(comparison_words.finding(means, pairs, measure, kind)))
        seeds = {str(level): list(rows["pair"]) for level, rows in table.groupby("setting", sort=False)}
        told = [comparison_words.uneven(means, seeds), left_out, comparison_words.told_apart(how)]
        if chosen[0].store.directory == stores.STUDY:
            told.append(OF_THE_STUDY)
        st.caption(plain(" ".join(text for text in told if text)))
    few = len(levels.order) <= contrasts.MOST_DRAWN
    if few:
        charts(levels, by_level(points, how, compared), means, measure, parameters, kind)
    else:
        st.info(f"{len(levels.order)} settings are too many for pictures; the tables have them all.")
    numbers(means, pairs, levels, measure, kind)
    downloads(table, points)
    if few:
        agreements(chosen, runs, how)
    explain()


def pick_compared(how: Design) -> str:
    """Whole settings, or one of the fields in which they differ."""
    if len(how.fields) < 2:
        return EVERY
    return st.selectbox(
        "Compare",
        [EVERY, *how.fields],
        index=0 if len(how.labels) <= contrasts.MOST_DRAWN else 1,
        key="compare",
        bind="query-params",
        help="One setting alone is compared between runs that agree in the others; each seed counts once.",
        width=190,
    )


def pick_parameters() -> str:
    head = st.toggle(
        "With head", True, key="head", bind="query-params", help="Count the parameters of the classifier head."
    )
    return "parameters" if head else "without_head"


def pick_measure(table: pd.DataFrame) -> Measure:
    known = {measure.title: measure for measure in contrasts.measures(table)}
    title = st.selectbox(
        "Measure",
        list(known),
        key="measure",
        bind="query-params",
        help="Accuracies are on test data, of the last epoch. *Over the whole curve* is the mean accuracy over all "
        "numbers of parameters, on a log scale, that all runs went through.",
        width=260,
    )
    return known.get(title, MEASURES["accuracy"])


def pick_reference(levels: Levels) -> str | None:
    """Everything with everything, as long as that is not too much."""
    if len(levels.order) < 3:
        return None
    offered = [ONE_ANOTHER, *levels.order] if len(levels.order) <= contrasts.MOST_DRAWN else levels.order
    chosen = st.selectbox(
        "Compared with",
        offered,
        index=offered.index(contrasts.usual_reference(levels.order) or offered[0]),
        key="with",
        bind="query-params",
        help="The more comparisons, the larger the correction of each p value: name a reference where there is one.",
        width=210,
    )
    return chosen if chosen in levels.order else None


def pick_interval() -> IntervalKind:
    chosen = st.segmented_control(
        f"{INTERVAL}s",
        list(get_args(IntervalKind)),
        default="t",
        required=True,
        key="interval",
        bind="query-params",
        format_func={"t": "Student's t", "bootstrap": "bootstrap"}.__getitem__,
        help="The bootstrap assumes no shape; with it, Wilcoxon's test stands beside the t test.",
    )
    return chosen or "t"


def charts(
    levels: Levels, points: Levels, means: pd.DataFrame, measure: Measure, parameters: str, kind: IntervalKind
) -> None:
    """Curves and the chosen measure, for each block of settings that agree in all else."""
    blocks = levels.blocks
    if len(blocks) > MOST_BLOCKS:
        blocks = [st.selectbox("Within", blocks, key="within", bind="query-params", width=400)]
    points = replace(points, table=points.table[points.table["block"].isin(blocks)])
    curves = contrasts.curves_by_level_table(points, parameters, kind)
    for number, block in enumerate(blocks):
        if block:
            st.markdown(f"**{plain(block)}**")
        left, right = st.columns([3, 2], gap="medium")
        with left:
            selected = st.vega_lite_chart(
                spec=comparison_figures.curves_figure(
                    curves[curves["block"] == block],
                    points.table[points.table["block"] == block],
                    order=levels.order,
                    parameters=parameters,
                ),
                width="stretch",
                key=f"curves_{number}",
                on_select="rerun",
                selection_mode=comparison_figures.CHOSEN,
                alt="Test accuracy against trained parameters, mean and interval of every setting along its cuts.",
            )
        chosen = [entry.get("level", "") for entry in selected["selection"].get(comparison_figures.CHOSEN, [])]
        with right:
            st.vega_lite_chart(
                spec=comparison_figures.measure_figure(
                    means[means["block"] == block],
                    levels.table[levels.table["block"] == block],
                    order=levels.order,
                    measure=measure,
                    chosen=chosen,
                ),
                width="stretch",
                key=f"measure_{number}",
                alt=f"The {measure.title} of every run, with mean and interval of every setting.",
            )
    st.caption(
        f"Filled marks are means over seeds, lines and bands each a {INTERVALS[kind]}, which may go on outside the "
        "frame; open marks are single runs. Left: cuts go from right to left. Right: a thin line joins the runs of one "
        "seed; point at a run to follow it. Click a name in the legend to see it alone."
    )


def numbers(means: pd.DataFrame, pairs: pd.DataFrame, levels: Levels, measure: Measure, kind: IntervalKind) -> None:
    """Every setting, and below it every comparison."""
    form = "%.1f %%" if measure.unit == "share" else "localized" if measure.unit == "parameters" else "%.1f"
    factor = 100.0 if measure.unit == "share" else 1.0
    st.subheader(f"Every setting: {measure.title}", anchor=False)
    scaled = shown(means, ["mean", "std", "low", "high"], measure)
    whole = ["parameters", "without_head", "seconds", "memory"]
    st.dataframe(
        scaled.assign(**{column: scaled[column].map(rounded) for column in whole}),
        hide_index=True,
        placeholder="–",
        column_order=[
            *(["block"] if any(levels.blocks) else []),
            *"level n mean std low high parameters without_head gone epochs seconds memory".split(),
        ],
        column_config={
            "block": "Within",
            "level": st.column_config.TextColumn("Setting", width="medium"),
            "n": NUMBER("Seeds", help="of finished runs; one that was run twice counts once, by its mean"),
            "mean": NUMBER("Mean", format=form),
            "std": NUMBER("Std", format=form.replace(" %%", ""), help="of the sample, over seeds"),
            "low": NUMBER("From", format=form, help=f"of the {INTERVALS[kind]} of the mean"),
            "high": NUMBER("To", format=form),
            "parameters": NUMBER("Parameters", format="localized", help="trained at the end, head included; mean"),
            "without_head": NUMBER("Without head", format="localized", help="the same but for the classifier head"),
            "gone": NUMBER("Gone", format="%.1f", help="adapters lost, mean"),
            "epochs": NUMBER("Epochs", format="%.0f", help="of all cycles together"),
            "seconds": NUMBER("Time", format="%.0f s", help="of a whole run, mean; what else the machine did counts"),
            "memory": NUMBER("Memory", format="bytes", help="of the process, or of the GPU where there was one; mean"),
        },
    )
    st.subheader("Paired over seeds", anchor=False)
    if pairs.empty:
        st.markdown("There is only one setting.")
        return
    if corrected := comparison_words.corrected_for(pairs):
        st.caption(corrected)
    step = "%+.1f" if measure.unit != "parameters" else "localized"
    scaled = pairs.assign(
        compared=[f"{first} – {second}" for first, second in zip(pairs["first"], pairs["second"], strict=True)],
        verdict=pairs["verdict"].map(measure.called),
    )
    st.dataframe(
        shown(scaled, ["difference", "low", "high", "detectable"], measure),
        hide_index=True,
        placeholder="–",
        column_order=[
            *"compared pairs difference low high verdict corrected detectable effect p".split(),
            *(["wilcoxon"] if scaled["wilcoxon"].notna().any() else []),
        ],
        column_config={
            "compared": st.column_config.TextColumn("Compared", width="large"),
            "pairs": NUMBER("Pairs", help="seeds that both settings have"),
            "difference": NUMBER(
                "Difference", format=step, help="first minus second" + (", percentage points" * (factor == 100))
            ),
            "low": NUMBER("From", format=step, help=f"of its {INTERVALS[kind]}, corrected for all rows (Bonferroni)"),
            "high": NUMBER("To", format=step),
            "effect": NUMBER("d_z", format="%.2f", help="Cohen's d_z: mean difference over its standard deviation"),
            "corrected": NUMBER("p, Holm", format="%.2g", help="paired t test, corrected for all rows"),
            "p": NUMBER("p", format="%.2g", help="paired t test, two-sided, not corrected"),
            "wilcoxon": NUMBER(
                "p, Wilcoxon",
                format="%.3f",
                help="signed ranks, not corrected. Four pairs cannot give less than 0.125.",
            ),
            "verdict": st.column_config.TextColumn(
                "Verdict",
                help=f"by paired t tests, corrected for all rows (Holm), below {SIGNIFICANT:g}; "
                f"equivalent: {WITHIN_MARGIN}",
            ),
            "detectable": NUMBER(
                "Would show", format=step, help="the least difference that so many seeds show in 4 of 5 comparisons"
            ),
        },
    )


def shown(table: pd.DataFrame, columns: list[str], measure: Measure) -> pd.DataFrame:
    """With these columns rounded as sentences and charts have them; shares in percent."""
    factor = 100 if measure.unit == "share" else 1
    return table.assign(**{c: (factor * table[c]).map(lambda value: rounded(value, measure.digits)) for c in columns})


def downloads(table: pd.DataFrame, points: pd.DataFrame) -> None:
    with st.container(horizontal=True):
        for name, rows in (("runs", table), ("cycles", points)):
            st.download_button(
                f"CSV of {count(len(rows), name[:-1])}",
                comparisons.for_spreadsheets(rows),
                f"{name}.csv",
                "text/csv",
                icon=":material/download:",
                on_click="ignore",
            )


if __name__ == "__main__":
    main()
