"""The state of a run as DataFrames: pure functions, one table each. Figures and sentences are made from these."""

from typing import Literal

import pandas as pd

from mimi_core.analysis.common.labels import layers
from mimi_core.analysis.common.words import rounded
from mimi_core.runs.events import RunState, Split

Mode = Literal["share", "neurons", "parameters"]


def widths_table(state: RunState) -> pd.DataFrame:
    """One row per layer and cycle; cycle 0 is the start, cycle k the state after cut k.

    Columns: site, label, order, stage (NaN without stages), group, position, colour, cycle, neurons, share (of the
    initial width, 0..1), parameters (2 M N: an adapter has no biases; else what the site says a neuron costs), gone,
    vanished (gone, and it was this cut).
    """
    columns = "site label order stage group position colour cycle neurons share parameters gone vanished".split()
    named, removed_at = layers(state.sites), state.removed_at
    rows = []
    for cycle, widths in enumerate(state.widths):
        for layer in named:
            neurons, start = widths.get(layer.site, 0), state.widths[0].get(layer.site, 0)
            rows.append(
                {
                    "site": layer.site,
                    "label": layer.label,
                    "order": layer.order,
                    "stage": layer.stage,
                    "group": layer.group,
                    "position": layer.position,
                    "colour": layer.colour,
                    "cycle": cycle,
                    "neurons": neurons,
                    "share": neurons / start if start else 0.0,
                    "parameters": layer.cost * neurons,
                    "gone": neurons == 0,
                    "vanished": neurons == 0 and removed_at.get(layer.site) == cycle,
                }
            )
    return pd.DataFrame(rows, columns=columns).astype({"stage": "float"})


def cycles_table(state: RunState, split: Split = "test") -> pd.DataFrame:
    """One row per cycle: what is left, and what the cut cost.

    Columns: cycle, neurons, keep (share of the initial neurons, 0..1), sigma (compression), adapters (left),
    trained_parameters, before, cut, after (accuracies 0..1 or NaN: before the cut, right after it, after training
    again), damage (before - cut), recovery (after - cut).
    """
    columns = "cycle neurons keep sigma adapters trained_parameters before cut after damage recovery".split()
    tokens = sum(site.width for site in state.sites)
    rows = []
    for cycle, widths in enumerate(state.widths):
        neurons, start = sum(widths.values()), sum(state.widths[0].values())
        parameters = state.cuts[cycle - 1].trained_parameters if cycle else _parameters_at_start(state)
        rows.append(
            {
                "cycle": cycle,
                "neurons": neurons,
                "keep": neurons / start if start else 0.0,
                "sigma": tokens / neurons if neurons else float("inf"),
                "adapters": sum(n > 0 for n in widths.values()),
                "trained_parameters": parameters,
                "before": state.accuracy(cycle - 1, "trained", split) if cycle else None,
                "cut": state.accuracy(cycle, "cut", split) if cycle else None,
                "after": state.accuracy(cycle, "trained", split),
            }
        )
    table = pd.DataFrame(rows, columns=columns).astype({"before": float, "cut": float, "after": float})
    return table.assign(damage=table["before"] - table["cut"], recovery=table["after"] - table["cut"])


def epochs_table(state: RunState, at_most: int = 1000) -> pd.DataFrame:
    """One row per epoch, thinned evenly to `at_most` rows. Columns: step (1, 2, .. over the whole run), cycle, epoch,
    loss, accuracy (0..1, on the training images), images_per_second.
    """
    rows = [
        {
            "step": step,
            "cycle": e.cycle,
            "epoch": e.epoch,
            "loss": e.loss,
            "accuracy": e.accuracy,
            "images_per_second": e.images_per_second,
        }
        for step, e in enumerate(state.epochs, start=1)
    ]
    table = pd.DataFrame(rows, columns=["step", "cycle", "epoch", "loss", "accuracy", "images_per_second"])
    every = -(-len(table) // at_most) or 1
    return table[(table.index % every == 0) | (table.index == len(table) - 1)].reset_index(drop=True)


def evaluations_table(state: RunState) -> pd.DataFrame:
    """One row per evaluation, placed on the axis of `epochs_table`: a cut falls between two epochs.

    Columns: step, cycle, stage ("trained" | "cut"), split ("val" | "test"), accuracy (0..1), loss.
    """
    last_step: dict[int, int] = {}
    for step, e in enumerate(state.epochs, start=1):
        last_step[e.cycle] = step
    rows = []
    for point in state.evaluations:
        done = [step for cycle, step in last_step.items() if cycle < point.cycle + (point.stage == "trained")]
        rows.append(
            {
                "step": max(done, default=0) + (0.5 if point.stage == "cut" else 0.0),
                "cycle": point.cycle,
                "stage": point.stage,
                "split": point.split,
                "accuracy": point.accuracy,
                "loss": point.loss,
            }
        )
    return pd.DataFrame(rows, columns=["step", "cycle", "stage", "split", "accuracy", "loss"])


def removed_table(widths: pd.DataFrame) -> pd.DataFrame:
    """Which layers lost their adapter, and when, earliest cut first. Made from a `widths_table`.

    Columns: label, group, position, cut, initial, before (neurons at the start, and just before the fatal cut).
    """
    lost = widths[widths["vanished"]]
    neurons = widths.set_index(["site", "cycle"])["neurons"]
    table = pd.DataFrame(
        {
            "label": lost["label"],
            "group": lost["group"],
            "position": lost["position"],
            "cut": lost["cycle"],
            "initial": [neurons[site, 0] for site in lost["site"]],
            "before": [neurons[site, cycle - 1] for site, cycle in zip(lost["site"], lost["cycle"], strict=True)],
            "order": lost["order"],
        }
    )
    return table.sort_values(["cut", "order"]).drop(columns="order").reset_index(drop=True)


def in_percent(table: pd.DataFrame, columns: list[str], digits: int = 1) -> pd.DataFrame:
    """Shares 0..1 as percent, for tables that people read: rounded as `words.percent` does."""
    return table.assign(**{c: (100 * table[c]).map(lambda value: rounded(value, digits)) for c in columns})


def _parameters_at_start(state: RunState) -> int | None:
    return state.started.trained_parameters if state.started else None
