"""Trade-off: accuracy for trained parameters, every method on one task, and what was published for another."""

import pandas as pd
import streamlit as st

from mimi_core.analysis.common import tables
from mimi_core.analysis.common.statistics import INTERVALS
from mimi_core.analysis.common.words import count
from mimi_core.analysis.compare import tables as comparisons
from mimi_core.analysis.compare import words as comparison_words
from mimi_core.analysis.compare.design import design
from mimi_core.analysis.trade_off import figures as trade_off_figure
from mimi_core.analysis.trade_off import tables as trade_off
from mimi_core.analysis.trade_off.references import References, published_table, read_references
from mimi_core.errors import ConfigError
from mimi_core.resources import REFERENCES
from pages.widgets import stores
from pages.widgets.finished import by_task, finished, kept_fresh
from pages.widgets.menu import Page, link_to, through_app
from pages.widgets.stores import StoredRun
from pages.widgets.text import plain

PAGE = Page(title="Trade-off", icon=":material/balance:", order=80)
PUBLISHED = "Published: "
NUMBER = st.column_config.NumberColumn


def main() -> None:
    through_app()
    tasks = by_task(stores.all_runs())
    references = published_tasks()
    chosen = pick_task(tasks, references)
    if chosen is None:
        nothing_yet()
    elif chosen in tasks:
        kept_fresh(own, tasks[chosen])
        for name, one in references.items():
            if chosen.startswith(one.data):
                link_to("trade_off", plain(name), icon=":material/menu_book:", query={"on": name})
                st.caption(f"Not drawn above, because it is another number: {plain(one.accuracy)}.")
    else:
        if not tasks:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption("None of your runs has finished yet. This is what others have published.", width="content")
                link_to("launch", "Launch a run")
        published(references[chosen])


def pick_task(tasks: dict[str, list[StoredRun]], references: dict[str, References]) -> str | None:
    """Dataset with backbone, kept in the URL as `on`: at first the task on which the most methods were tried."""
    tried = {task: len({stored.run.method for stored in runs}) for task, runs in tasks.items()}
    options = [*sorted(tasks, key=lambda task: -tried[task]), *references]
    asked = st.query_params.get("on")
    if asked is not None and asked not in options:
        st.warning(f"There are no finished runs on {plain(repr(asked[:80]))} here.")
    if not options:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.selectbox(
            "Data and backbone",
            options,
            key="on",
            bind="query-params",
            label_visibility="collapsed",
            filter_mode="contains",
        )
        done = [stored for stored in tasks.get(chosen, []) if stored.run.phase == "finished"]
        if len(done) > 1:
            link_to("ablations", query={"like": done[0].run.id})
    return chosen


# --- own runs ---------------------------------------------------------------------------------------------------------


def own(chosen: list[StoredRun]) -> None:
    runs = finished(chosen)
    if not runs:
        st.title("These runs cannot be read", anchor=False)
        st.error("Their files are missing or broken. The Monitor page says which.", icon=":material/broken_image:")
        return
    how = design([run.values for run in runs])
    points = comparisons.points_table(runs, how)
    findings = st.container()
    head = st.toggle(
        "With the classifier head",
        True,
        key="head",
        bind="query-params",
        help="Every method trains the head. Without its parameters, what methods add can be told better.",
    )
    parameters = "parameters" if head else "without_head"
    table = trade_off.trade_off_table(points, parameters)
    with findings:
        st.title(plain(trade_off.headline(table)), anchor=False)
        st.markdown(plain(trade_off.story(table)))
        told = [
            epochs_told(table),
            comparison_words.left_out([stored.run.phase for stored in chosen]),
            comparison_words.told_apart(how),
        ]
        st.caption(plain(" ".join(text for text in told if text)))
    st.vega_lite_chart(
        spec=trade_off_figure.trade_off_figure(table, points, parameters=parameters),
        width="stretch",
        key="trade_off",
        alt=f"Test accuracy against trained parameters of {count(len(table), 'point')}, with the Pareto front.",
    )
    st.caption(
        f"Filled marks are means over seeds with their {INTERVALS['t']}s, open marks single runs; a line "
        "follows a run along its cuts, from right to left. The dashed line is the Pareto front: the accuracy that can "
        "be had for so many parameters. Its points are larger."
    )
    numbers(table)
    st.download_button(
        f"CSV of {count(len(table), 'point')}",
        comparisons.for_spreadsheets(table),
        "trade-off.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    explain()


def numbers(table: pd.DataFrame) -> None:
    st.subheader("Every point", anchor=False)
    shown = table.sort_values(["front", "parameters"], ascending=[False, True]).round({"parameters": 0})
    st.dataframe(
        tables.in_percent(tables.in_percent(shown, ["mean", "low", "high"]), ["often"], 0),
        hide_index=True,
        placeholder="–",
        column_order="setting method cycle parameters mean low high n epochs front often".split(),
        column_config={
            "setting": "Setting",
            "method": "Method",
            "cycle": NUMBER("After cut", help="0: before any"),
            "parameters": NUMBER("Parameters", format="localized", help="trained; mean over seeds"),
            "mean": NUMBER("Accuracy", format="%.1f %%", help="on test data, mean over seeds"),
            "low": NUMBER("From", format="%.1f %%", help=f"of the {INTERVALS['t']} of the mean"),
            "high": NUMBER("To", format="%.1f %%"),
            "n": NUMBER("Runs"),
            "epochs": NUMBER("Epochs", format="%.0f", help="trained until then, all cycles together"),
            "front": st.column_config.CheckboxColumn("Front", help="nothing beats it, going by the means"),
            "often": NUMBER(
                "How often", format="%.0f %%", help="share of resamplings of the runs in which it is on the front"
            ),
        },
    )


def epochs_told(table: pd.DataFrame) -> str:
    """Who trains longer has an advantage that parameters do not show."""
    low, high = table["epochs"].min(), table["epochs"].max()
    return f"The points have not trained equally long: from {low:.0f} to {high:.0f} epochs." if low < high else ""


def explain() -> None:
    with st.expander("How to read this page", icon=":material/help:"):
        st.markdown(
            "**A point** is what one setting reaches after its training, or after one of its cuts and the training "
            "that follows: the mean of its runs, which differ in their seeds only.\n\n"
            "**The Pareto front** joins the points that no other point beats: none has as few parameters and as high "
            "an accuracy, and is better in one of the two. It goes by the means, and means of few runs are uncertain. "
            "So the seeds are drawn anew, with replacement, a few hundred times, each with all its settings; *how "
            "often* is the share of these draws in which a point is on the front. With one run of a setting nothing "
            "can be drawn. Accuracies are of the test images, so the front is chosen on them, too: the best of many "
            "points looks better here than it would on others.\n\n"
            "**Fairness.** Methods may want other learning rates or more epochs than they had here. What differs "
            "besides the method is said above the chart."
        )


# --- published results ------------------------------------------------------------------------------------------------


def published_tasks() -> dict[str, References]:
    try:
        return {f"{PUBLISHED}{one.title}": one for one in read_references(REFERENCES)}
    except ConfigError as error:
        st.warning(plain(str(error)))
        return {}


def published(references: References) -> None:
    table = published_table(references)
    st.title(plain(trade_off.headline(table)), anchor=False)
    st.markdown(plain(trade_off.story(table)))
    st.info(
        f"**Published results**, not measured here: {plain(references.accuracy)}. The classifier head is left "
        f"out. {plain(references.note)}",
        icon=":material/menu_book:",
    )
    st.vega_lite_chart(
        spec=trade_off_figure.published_figure(table),
        width="stretch",
        key="published",
        alt=f"Published accuracy against trained parameters of {len(table)} methods, with the Pareto front.",
    )
    st.caption(
        "Hollow diamonds are published results, the dashed line is their Pareto front. MiMi's own published results "
        "are not among them."
    )
    st.subheader("Where they come from", anchor=False)
    st.dataframe(
        tables.in_percent(table, ["mean"]).assign(parameters=table["parameters"] / 1e6),
        hide_index=True,
        column_order="setting parameters mean front paper source".split(),
        column_config={
            "setting": "Method",
            "parameters": NUMBER("Parameters", format="%.2f M", help="trained, classifier head left out"),
            "mean": NUMBER("Accuracy", format="%.1f %%", help=references.accuracy),
            "front": st.column_config.CheckboxColumn("Front"),
            "paper": st.column_config.TextColumn("Paper of the method", width="large"),
            "source": st.column_config.LinkColumn("Source", display_text=r"abs/(.*)"),
        },
    )


def nothing_yet() -> None:
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader("Nothing has finished yet", text_alignment="center")
        st.markdown("Finished runs of several methods on the same data are weighed against each other here.")
        link_to("launch", "Launch a run")


if __name__ == "__main__":
    main()
