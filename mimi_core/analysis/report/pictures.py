"""The figures of a report, as SVG that needs no script: tables in, pictures out. Lengths are CSS pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

import pandas as pd

from mimi_core.analysis.common import svg, theme
from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.statistics import Interval
from mimi_core.analysis.common.svg import Axis, Element, add
from mimi_core.analysis.common.words import compact, count, percent, percent_interval

WIDTH = 824
NAMES = 124
"""Left of a heatmap, for the names of layers."""
HIGHEST_ROW, LOWEST_ROW, TALL = 20.0, 10.0, 560.0
WIDEST_CELL = 96.0
MOST_NUMBERED = 14  # more cuts than these leave no room for numbers


def heatmap(widths: pd.DataFrame, cycles: pd.DataFrame, cuts: int) -> Element:
    """Layers from top to bottom, the start and every cut from left to right; a cross where an adapter went.

    Args:
        widths: a `widths_table`.
        cycles: its `cycles_table`.
        cuts: of the whole run, so that a run that is going on shows what is to come.
    """
    layers = widths.drop_duplicates("site").sort_values("order")
    starts, length = svg.places(list(layers["group"]))
    row = min(HIGHEST_ROW, max(LOWEST_ROW, TALL / length))
    cell = min(WIDEST_CELL, (WIDTH - NAMES) / (cuts + 1))
    top, size = 40.0, 11.0 if row >= 14 else 8.5
    neurons = widths.pivot(index="site", columns="cycle", values="neurons")
    lost = int(widths["vanished"].sum())
    drawn = svg.picture(
        NAMES + cell * (cuts + 1),
        top + row * length + 2,
        f"Neurons left in {count(len(layers), 'layer')} after {count(len(cycles) - 1, 'cut')}",
        f"A heatmap; {count(lost, 'adapter')} went, each marked by a cross. The table of widths has the numbers.",
        "heatmap",
    )
    for k in range(cuts + 1):
        x = NAMES + (k + 0.5) * cell
        if cell >= 30:
            add(drawn, "text", f"cut {k}" if k else "start", class_="ink strong middle", x=x, y=14, font_size=12)
            known = f"{cycles['neurons'].iloc[k]:,}" if k < len(cycles) else ""
            add(drawn, "text", known, class_="ink middle", x=x, y=30, font_size=11)
        elif k % 5 == 0:
            add(drawn, "text", str(k), class_="ink middle", x=x, y=30, font_size=11)
    add(drawn, "text", "neurons left" if cell >= 30 else "cut", class_="quiet end", x=NAMES - 8, y=30, font_size=11)
    for (_, layer), at in zip(layers.iterrows(), starts, strict=True):
        y = top + at * row
        add(drawn, "text", layer["label"], class_="ink end", x=NAMES - 8, y=y + row / 2 + size * 0.36, font_size=size)
        start = neurons.at[layer["site"], 0]
        for k in range(cuts + 1):
            x = NAMES + k * cell
            shape = {"x": x, "y": y, "width": cell - 2, "height": row - (2.0 if row >= 14 else 1.0)}
            if k >= len(cycles):
                add(drawn, "rect", class_="to-come", **shape)
                continue
            now = int(neurons.at[layer["site"], k])
            if now:
                level = theme.level(now / start if start else 1)
                add(drawn, "rect", class_=f"c{level}", **shape)
                if cuts <= MOST_NUMBERED:
                    middle = {"x": x + cell / 2 - 1, "y": y + row / 2 - 1 + size * 0.36}
                    add(drawn, "text", compact(now), class_=f"n{level} middle", font_size=size, **middle)
            elif k and neurons.at[layer["site"], k - 1]:
                _cross(drawn, x + cell / 2 - 1, y + row / 2 - 1, min(4.0, row * 0.25))
    _stages(drawn, layers, starts, row, top)
    return drawn


def course(cycles: pd.DataFrame) -> Element:
    """Test accuracy: what every cut cost, and what training won back. `cycles` is a `cycles_table`."""
    left, right, top, bottom = 52.0, WIDTH - 16.0, 14.0, 214.0
    values = svg.axis([*cycles["after"], *cycles["cut"]], bottom, top)
    last = int(cycles["cycle"].max())
    x = Axis(-0.35, last + 0.35, left, right)
    known = cycles["after"].dropna()
    told = f"from {percent(known.iloc[0])} to {percent(known.iloc[-1])}" if len(known) else "not known yet"
    drawn = svg.picture(
        WIDTH, 262, f"Test accuracy {told}", "A triangle right after a cut, a dot after training again.", "course"
    )
    _percent_lines(drawn, values, left, right)
    every = -(-(last + 1) // 16)
    for k, parameters in zip(cycles["cycle"], cycles["trained_parameters"], strict=True):
        if k % every == 0:
            add(drawn, "text", f"cut {k}" if k else "start", class_="ink middle", x=x(k), y=234, font_size=12)
            text = "" if pd.isna(parameters) else compact(parameters)
            add(drawn, "text", text, class_="quiet middle", x=x(k), y=250, font_size=11)
    points = [(float(k), cut, after) for k, cut, after in cycles[["cycle", "cut", "after"]].itertuples(index=False)]
    for (k0, _, before), (k1, cut, after) in pairwise(points):
        if isnan(cut):  # annealed: nobody looked right after the cut
            _line(drawn, "rise", [(x(k0), values(before)), (x(k1), values(after))])
            continue
        _line(drawn, "fall", [(x(k0), values(before)), (x(k1), values(cut))])
        _line(drawn, "rise", [(x(k1), values(cut)), (x(k1), values(after))])
    for k, cut, after in points:
        if not isnan(cut):
            _triangle(drawn, x(k), values(cut))
        if not isnan(after):
            add(drawn, "circle", class_="gain", cx=x(k), cy=values(after), r=5)
            if last <= 8:
                low = not isnan(cut) and cut > after
                y = values(after) + (19 if low else -10)
                add(drawn, "text", percent(after), class_="ink middle", x=x(k), y=y, font_size=11)
    return drawn


def learning(epochs: pd.DataFrame) -> Element:
    """Accuracy on the training images and loss, all epochs one after the other. `epochs` is an `epochs_table`."""
    left, right = 52.0, WIDTH - 16.0
    steps = list(epochs["step"])
    drawn = svg.picture(
        WIDTH,
        318,
        f"{count(int(steps[-1]), 'epoch')} of training",
        "Above, accuracy on the training images; below, training loss; dotted lines are cuts.",
        "learning",
    )
    x = Axis(0.5, max(steps) + 0.5, left, right)
    panels = {
        "accuracy": svg.axis(list(epochs["accuracy"]), 150.0, 22.0),
        "loss": svg.axis(list(epochs["loss"]), 290.0, 184.0),
    }
    _percent_lines(drawn, panels["accuracy"], left, right)
    for tick in panels["loss"].ticks(3):
        _level_line(drawn, panels["loss"](tick), left, right, f"{tick:g}")
    add(drawn, "text", "accuracy on the training images", class_="quiet", x=left, y=12, font_size=11)
    add(drawn, "text", "training loss", class_="quiet", x=left, y=176, font_size=11)
    for tick in Axis(0, max(steps), left, right).ticks(8):
        if tick >= 1 and tick == int(tick):
            add(drawn, "text", f"{tick:g}", class_="quiet middle", x=x(tick), y=306, font_size=11)
    add(drawn, "text", "epoch", class_="quiet end", x=left - 8, y=306, font_size=11)
    for number, part in epochs.groupby("cycle"):
        first = x(float(part["step"].iloc[0]) - 0.5)
        if number:
            add(drawn, "path", class_="cut", d=f"M{first:.1f} 16V290")
            if len(epochs["cycle"].unique()) <= 12:
                add(drawn, "text", f"cut {number}", class_="quiet", x=first + 4, y=24, font_size=11)
        for column, y in panels.items():
            _line(drawn, "second", [(x(s), y(v)) for s, v in zip(part["step"], part[column], strict=True)])
    return drawn


@dataclass(frozen=True)
class Strip:
    """A row of `strips`: the accuracies of the runs of one setting, 0..1."""

    label: str
    values: list[float]
    interval: Interval


def strips(rows: Sequence[Strip]) -> Element:
    """One row for each setting: every run as a dot, the mean and its interval above them."""
    left, right, high = 190.0, WIDTH - 110.0, 34.0
    bottom = 10 + high * len(rows)
    everything = [v for row in rows for v in (*row.values, row.interval.low, row.interval.high)]
    x = svg.axis(everything, left, right)
    drawn = svg.picture(
        WIDTH,
        bottom + 22,
        f"Test accuracy of {count(len(rows), 'setting')}",
        "A dot is a run, the line its 95 % interval around the mean. The table has the numbers.",
        "strips",
    )
    for tick in x.ticks(6):
        add(drawn, "path", class_="rule", d=f"M{x(tick):.1f} 4V{bottom:.1f}")
        add(drawn, "text", f"{100 * tick:g} %", class_="quiet middle", x=x(tick), y=bottom + 16, font_size=11)
    for i, row in enumerate(rows):
        y, interval = 10 + (i + 0.5) * high, row.interval
        name = row.label if len(row.label) <= 30 else f"{row.label[:29]}…"
        add(drawn, "text", name, class_="ink end", x=left - 12, y=y + 4, font_size=12)
        for value in row.values:
            add(drawn, "circle", class_="dot", cx=x(value), cy=y + 5, r=4)
        if interval.n > 1:
            _line(drawn, "interval", [(x(interval.low), y - 6), (x(interval.high), y - 6)])
        if interval.n:
            _line(drawn, "mean", [(x(interval.mean), y - 11), (x(interval.mean), y - 1)])
            add(drawn, "text", percent_interval(interval), class_="ink end", x=WIDTH, y=y + 4, font_size=12)
    return drawn


def survival(layers: Sequence[Layer], rows: Sequence[tuple[str, Sequence[int], int]]) -> Element:
    """One row for each setting, one column for each layer: in how many of the runs the adapter was there at the end.

    Args:
        layers: in the order of the columns.
        rows: name of the setting, number of runs for each layer, runs in all.
    """
    left, top, high = 190.0, 26.0, 26.0
    starts, length = svg.places([layer.group for layer in layers])
    cell = (WIDTH - left) / length
    named = cell >= 13
    drawn = svg.picture(
        WIDTH,
        top + high * len(rows) + (64 if named else 8),
        f"How often {count(len(layers), 'layer')} kept an adapter",
        "A row is a setting, a column a layer, input first; darker: the adapter was kept in more of the runs.",
        "survival",
    )
    for i, (name, kept, runs) in enumerate(rows):
        y = top + i * high
        clipped = name if len(name) <= 30 else f"{name[:29]}…"
        add(drawn, "text", clipped, class_="ink end", x=left - 12, y=y + high / 2 + 3, font_size=12)
        for at, number in zip(starts, kept, strict=True):
            shape = {"x": left + at * cell, "y": y, "width": cell - min(2.0, 0.2 * cell), "height": high - 3}
            if number:
                level = theme.level((number / runs) ** 2)  # here the steps are even
                add(drawn, "rect", class_=f"c{level}", **shape)
                if cell >= 16:
                    middle = {"x": left + (at + 0.5) * cell - 1, "y": y + high / 2 + 2.5}
                    add(drawn, "text", str(number), class_=f"n{level} middle", font_size=11, **middle)
            else:
                _cross(drawn, left + (at + 0.5) * cell - 1, y + high / 2 - 1, min(4.0, cell * 0.3))
    end = top + high * len(rows)
    previous = None
    for layer, at in zip(layers, starts, strict=True):
        x = left + (at + 0.5) * cell
        if layer.group != previous and layer.stage is not None:
            add(drawn, "text", layer.group, class_="quiet", x=left + at * cell, y=16, font_size=11)
        previous = layer.group
        if named:
            turn = f"rotate(-90 {x + 3:.1f} {end + 4:.1f})"
            add(drawn, "text", layer.label, class_="ink end", x=x + 3, y=end + 4, transform=turn, font_size=10)
    return drawn


def _stages(drawn: Element, layers: pd.DataFrame, starts: Sequence[float], row: float, top: float) -> None:
    """A coloured line and a name beside the layers of every stage."""
    if layers["group"].nunique() < 2:
        return
    places = pd.DataFrame({"group": list(layers["group"]), "colour": list(layers["colour"]), "at": starts})
    for name, part in places.groupby("group", sort=False):
        first, last = top + part["at"].min() * row, top + (part["at"].max() + 1) * row - 2
        box = {"x": 18, "y": first, "width": 4, "height": last - first, "rx": 2}
        add(drawn, "rect", fill=part["colour"].iloc[0], **box)
        turn = f"rotate(-90 12 {(first + last) / 2:.1f})"
        middle = {"x": 12, "y": (first + last) / 2, "transform": turn}
        add(drawn, "text", str(name), class_="quiet middle", font_size=11, **middle)


def _percent_lines(drawn: Element, y: Axis, left: float, right: float) -> None:
    for tick in y.ticks():
        _level_line(drawn, y(tick), left, right, f"{100 * tick:g} %")


def _level_line(drawn: Element, y: float, left: float, right: float, text: str) -> None:
    add(drawn, "path", class_="rule", d=f"M{left:.1f} {y:.1f}H{right:.1f}")
    add(drawn, "text", text, class_="quiet end", x=left - 8, y=y + 4, font_size=11)


def _line(drawn: Element, colour: str, points: Sequence[tuple[float, float]]) -> None:
    known = [(x, y) for x, y in points if not isnan(x) and not isnan(y)]
    if len(known) > 1:
        add(drawn, "path", class_=colour, d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in known))
    elif known and len(points) == 1:
        add(drawn, "circle", class_=f"{colour} dotted", cx=known[0][0], cy=known[0][1], r=1.5)


def _cross(drawn: Element, x: float, y: float, arm: float) -> None:
    d = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m0 -{2 * arm:.1f}l-{2 * arm:.1f} {2 * arm:.1f}"
    add(drawn, "path", class_="fall", d=d)


def _triangle(drawn: Element, x: float, y: float) -> None:
    add(drawn, "path", class_="lost", d=f"M{x - 6:.1f} {y - 5:.1f}h12l-6 10z")
