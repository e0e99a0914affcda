"""Accuracy for parameters: every method on one task, each run's path along its cuts, and what nothing beats."""

from math import inf, isinf

import numpy as np
import pandas as pd

from mimi_core.analysis.common.curves import pareto_front
from mimi_core.analysis.common.statistics import by_seed, of_setting
from mimi_core.analysis.common.words import compact, count, decimal, listed, percent
from mimi_core.analysis.common.words import points as in_points
from mimi_core.analysis.compare.design import worded
from mimi_core.config.methods import METHODS

RESAMPLES = 400
MOST_TOLD = 6
SURE = 0.95


def trade_off_table(points: pd.DataFrame, parameters: str) -> pd.DataFrame:
    """One row per setting and cycle, means over the seeds; a seed that was run twice counts as one, by its mean.

    Args:
        points: a `points_table` of runs on one task.
        parameters: the column to take, "parameters" or "without_head".

    Columns: setting, method (in words), cycle, cuts (of the setting in all), n (seeds), epochs (so far), parameters,
    mean, low, high (accuracy 0..1), front (no other point has as few parameters and as high a mean, and is better in
    one of them), often (share of resamplings of the seeds in which it is on the front, 0..1; NaN for a single one,
    of which nothing else can be drawn).
    """
    rows = []
    points = points.assign(place=points["method"].map(_place)).sort_values("place", kind="stable")
    keys = ["setting", "method", "cycle", "pair"]
    points = points.groupby(keys, sort=False, as_index=False)[[parameters, "accuracy", "epochs"]].mean()
    for (setting, cycle), group in points.groupby(["setting", "cycle"], sort=False):
        interval = of_setting(by_seed(zip(group["pair"], group["accuracy"], strict=True)))
        rows.append(
            {
                "setting": setting,
                "method": worded("method", group["method"].iloc[0]),
                "cycle": cycle,
                "n": interval.n,
                "epochs": group["epochs"].mean(),
                "parameters": group[parameters].mean(),
                "mean": interval.mean,
                "low": interval.low,
                "high": interval.high,
            }
        )
    columns = "setting method cycle n epochs parameters mean low high".split()
    table = pd.DataFrame(rows, columns=columns)
    table["cuts"] = table.groupby("setting")["cycle"].transform("max")
    table["front"] = pareto_front(table["parameters"], table["mean"])
    often = pd.Series(_often_on_the_front(table, points, parameters), index=table.index)
    return table.assign(often=often.where(table["n"] > 1))


def _often_on_the_front(table: pd.DataFrame, points: pd.DataFrame, parameters: str) -> np.ndarray:
    """Share of resamplings in which each row of `table` is on the front. (rows,), 0..1.

    Seeds are drawn anew with replacement, each with all that ran under it: settings share their images and starts, so
    that a lucky seed is lucky for all. A setting of other seeds than most is drawn by those of its own that come up,
    and left out of a draw in which none does.
    """
    seeds = list(dict.fromkeys(points["pair"]))
    drawn = np.random.default_rng(0).multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), RESAMPLES)
    x, y = np.empty((RESAMPLES, len(table))), np.empty((RESAMPLES, len(table)))
    for setting, rows in table.groupby("setting", sort=False):
        own = points[points["setting"] == setting]
        by_run = own.pivot_table(index="pair", columns="cycle", values=[parameters, "accuracy"])
        times = drawn[:, [seeds.index(seed) for seed in by_run.index]].astype(float)  # (draws, runs)
        with np.errstate(invalid="ignore"):
            weights = times / times.sum(axis=1, keepdims=True)
        for column, means in ((parameters, x), ("accuracy", y)):
            means[:, rows.index] = weights @ by_run[column].reindex(columns=rows["cycle"]).to_numpy()  # (runs, cycles)
    there = ~np.isnan(y)
    return (pareto_front(x, y) & there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def front_line(table: pd.DataFrame) -> pd.DataFrame:
    """The points of the front, from few parameters to many; of those that are the same, one.

    Args:
        table: a `trade_off_table`, or a `published_table`.
    """
    return table[table["front"]].sort_values("parameters").drop_duplicates(["parameters", "mean"])


def headline(table: pd.DataFrame) -> str:
    """Which methods make the front. Plain text with untrusted names.

    Args:
        table: a `trade_off_table`, or a `published_table`.
    """
    names = "setting" if (table["method"] == "published").all() else "method"
    on_front = list(dict.fromkeys(front_line(table)[names]))
    if table[names].nunique() < 2:
        return f"Only {on_front[0]} so far: nothing to weigh it against"
    if len(on_front) > MOST_TOLD:
        return f"{len(on_front)} of {table[names].nunique()} methods make the front"
    said = f"{listed(on_front)} make{'s' if len(on_front) == 1 else ''} the front"
    return f"{said[0].upper()}{said[1:]}"


def story(table: pd.DataFrame) -> str:
    """The front point by point, what is beaten and by how much, and how sure that is. Plain text, untrusted names.

    Args:
        table: a `trade_off_table`, or a `published_table`.
    """
    front = front_line(table)
    points = [
        f"{point_name(row)} ({_amount(row['parameters'])}, {percent(row['mean'])})" for _, row in front.iterrows()
    ]
    more = [f"{len(points) - MOST_TOLD} more"] if len(points) > MOST_TOLD else []
    parts = [f"Nothing beats, from few parameters to many: {listed([*points[:MOST_TOLD], *more])}."]
    beaten = [
        rows.loc[rows["mean"].idxmax()] for _, rows in table.groupby("setting", sort=False) if not rows["front"].any()
    ]
    beaten.sort(key=lambda row: -row["mean"])
    parts += [_beaten(row, front) for row in beaten[:2]]
    if "often" in table:
        parts += _how_sure(front["often"])
    return " ".join(parts)


def _how_sure(often: pd.Series) -> list[str]:
    """Of the points of the front; those of a single seed are told apart."""
    drawn, parts = often.dropna(), []
    sure, resampled = int((drawn >= SURE).sum()), f"on the front in {percent(SURE, 0)} of resamplings of the seeds"
    if len(drawn) and sure == len(drawn):
        parts.append(f"{'All of these' if len(drawn) == len(often) else 'Those with several seeds'} stay {resampled}.")
    elif len(drawn):
        stay = f"{sure} of these {len(drawn)} points stay{'s' if sure == 1 else ''}"
        parts.append(f"Only {stay} {resampled}; the others may owe their place to the seeds.")
    if len(drawn) < len(often):
        alone = len(often) - len(drawn)
        whose = "its place" if alone == 1 else "their places"
        parts.append(f"{count(alone, 'point')} of a single seed may owe {whose} to luck.")
    return parts


def point_name(row: pd.Series) -> str:
    """`global after cut 2`; the name alone where nothing is cut."""
    if not row.get("cuts", 0):
        return str(row["setting"])
    return f"{row['setting']} {'before any cut' if row['cycle'] == 0 else 'after cut ' + str(row['cycle'])}"


def _place(method: str) -> int:
    """In the program's list of methods; a method of another version comes last."""
    known = list(METHODS)
    return known.index(method) if method in known else len(known)


def _beaten(row: pd.Series, front: pd.DataFrame) -> str:
    """By the most accurate point of the front that has no more parameters."""
    better = front[(front["parameters"] <= row["parameters"]) & (front["mean"] >= row["mean"])]
    best = better.loc[better["mean"].idxmax()]
    fewer = row["parameters"] / best["parameters"] if best["parameters"] else inf
    less = "no parameters but the head" if isinf(fewer) else f"{decimal(fewer)} times fewer parameters"
    ahead = best["mean"] - row["mean"]
    gains = [less] if fewer >= 1.05 else []
    gains += [f"{in_points(ahead)} points more"] if in_points(ahead) != "0.0" else []
    return f"{point_name(row)} is not on it: {point_name(best)} has {' and '.join(gains) or 'as much for less'}."


def _amount(parameters: float) -> str:
    """`62,474 parameters`, `3.1M parameters`, `the head alone`."""
    if parameters == 0:
        return "the head alone"
    return f"{compact(parameters) if parameters >= 1e6 else format(parameters, ',.0f')} parameters"
