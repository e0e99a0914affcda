"""The pictures of the findings: SVG files that are readable on a light and on a dark page."""

from collections.abc import Mapping, Sequence
from math import isnan, log10

import pandas as pd

from mimi_core.analysis.common import svg, theme
from mimi_core.analysis.common.statistics import Interval
from mimi_core.analysis.common.svg import Axis, Element, add
from mimi_core.analysis.common.theme import GAIN, LOST, MUTED, SECOND, colour_scale
from mimi_core.study.evidence import Contrast

WIDTH = 760.0
COLOURS = (GAIN, LOST, SECOND, MUTED)
ROW = 40.0


def differences(contrasts: Sequence[Contrast], title: str, name: str, margin: float | None = None) -> str:
    """One row per contrast: a dot for every seed, the mean and its interval, and a line at no difference.

    Args:
        margin: also a line that far below no difference.
    """
    shown = [c for c in contrasts if c.interval.n]
    left, right, top = 330.0, WIDTH - 20.0, 12.0
    bottom = top + ROW * len(shown)
    ends = [end for c in shown for end in (c.interval.low, c.interval.high, *c.differences.values())]
    x = svg.axis([0.0, *ends, *([-margin] if margin else [])], left, right)
    drawn = svg.picture(
        WIDTH, bottom + 44, title, "A dot for every seed; the mean over them and its 95 % interval.", name
    )
    _value_axis(drawn, x, top, bottom, "percentage points of test accuracy", signed=True)
    add(drawn, "path", class_="zero", d=f"M{x(0):.1f} {top}V{bottom:.1f}")
    if margin:
        add(drawn, "path", class_="cut", d=f"M{x(-margin):.1f} {top}V{bottom:.1f}")
    for i, c in enumerate(shown):
        y = top + (i + 0.5) * ROW
        add(drawn, "text", f"{c.first} against {c.second}", class_="ink end", x=left - 12, y=y - 1, font_size=12)
        add(drawn, "text", c.where, class_="quiet end", x=left - 12, y=y + 13, font_size=11)
        for value in c.differences.values():
            add(drawn, "circle", class_="dot", cx=x(value), cy=y + 6, r=3)
        if not isnan(c.interval.low):
            add(drawn, "path", class_="bar", d=f"M{x(c.interval.low):.1f} {y - 6:.1f}H{x(c.interval.high):.1f}")
        add(drawn, "circle", class_="gain", cx=x(c.interval.mean), cy=y - 6, r=4.5)
    return _finished(drawn)


def curves(
    lines: Mapping[str, Sequence[tuple[float, Interval]]], level: tuple[str, Interval] | None, title: str, name: str
) -> str:
    """Accuracy over compression, on a log scale.

    Args:
        lines: setting -> compression and accuracy, from low to high.
        level: what is the same everywhere, drawn across.
    """
    left, right, top, bottom = 56.0, WIDTH - 150.0, 14.0, 300.0
    means = [(s, i.mean) for points in lines.values() for s, i in points]
    ends = [end for points in lines.values() for _, i in points for end in (i.low, i.high, i.mean)]
    y = svg.axis([*ends, *([level[1].low, level[1].high, level[1].mean] if level else [])], bottom, top)
    sigmas = sorted({s for s, _ in means}) or [1.0]
    x = Axis(log10(sigmas[0]) - 0.08, log10(sigmas[-1]) + 0.08, left, right)
    drawn = svg.picture(WIDTH, bottom + 48, title, "Means over seeds with their 95 % intervals.", name)
    for tick in y.ticks():
        add(drawn, "path", class_="rule", d=f"M{left} {y(tick):.1f}H{right}")
        add(drawn, "text", f"{100 * tick:g} %", class_="quiet end", x=left - 8, y=y(tick) + 4, font_size=11)
    for s in sigmas:
        add(drawn, "text", f"{s:,.0f}", class_="quiet middle", x=x(log10(s)), y=bottom + 18, font_size=11)
    add(drawn, "text", "compression σ", class_="ink middle", x=(left + right) / 2, y=bottom + 38, font_size=12)
    labels: list[tuple[float, str, str]] = []
    if level and level[1].n:
        if not isnan(level[1].low):
            high, low = y(level[1].high), y(level[1].low)
            add(drawn, "rect", class_="band", x=left, y=high, width=right - left, height=low - high)
        add(drawn, "path", class_="zero", d=f"M{left} {y(level[1].mean):.1f}H{right}")
        labels.append((y(level[1].mean), level[0], "currentColor"))
    for i, (setting, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        places = [(x(log10(s)) + 3 * (i - len(lines) / 2), reached) for s, reached in points if reached.n]
        path = "L".join(f"{at:.1f} {y(reached.mean):.1f}" for at, reached in places)
        if path:
            add(drawn, "path", d=f"M{path}", fill="none", stroke=colour, stroke_width=2)
            labels.append((y(places[-1][1].mean), setting, colour))
        for at, reached in places:
            if not isnan(reached.low):
                add(
                    drawn,
                    "path",
                    d=f"M{at:.1f} {y(reached.low):.1f}V{y(reached.high):.1f}",
                    stroke=colour,
                    opacity=0.55,
                )
            add(drawn, "circle", cx=at, cy=y(reached.mean), r=4, fill=colour)
    for (_, text, colour), at in zip(sorted(labels), _apart([at for at, *_ in sorted(labels)]), strict=True):
        own = {} if colour == "currentColor" else {"fill": colour}
        add(drawn, "text", text, class_="quiet" if not own else "", x=right + 14, y=at + 4, font_size=12, **own)
    return _finished(drawn)


def survival(table: pd.DataFrame, title: str, name: str) -> str:
    """Layer by task: the share of the runs in which the layer keeps an adapter; a cross where none does.

    Args:
        table: a `survivors_table`.
    """
    tasks = list(dict.fromkeys(table["task"]))
    sites = table.drop_duplicates("site")
    starts, length = svg.places(list(sites["group"]))
    left, top, row = 140.0, 96.0, 26.0
    cell = (WIDTH - left - 8) / length
    drawn = svg.picture(
        WIDTH, top + row * len(tasks) + 10, title, "Darker: in more of the runs. A cross: in none of them.", name
    )
    for (_, layer), at in zip(sites.iterrows(), starts, strict=True):
        x = left + (at + 0.5) * cell
        turn = f"rotate(-60 {x:.1f} {top - 8})"
        add(drawn, "text", layer["label"], class_="ink", x=x, y=top - 8, font_size=10.5, transform=turn)
    for i, task in enumerate(tasks):
        y = top + i * row
        add(drawn, "text", task, class_="ink end", x=left - 10, y=y + row / 2 + 4, font_size=12)
        for (_, counts), at in zip(table[table["task"] == task].iterrows(), starts, strict=True):
            x, share = left + at * cell, counts["survived"] / max(counts["runs"], 1)
            if share:
                add(drawn, "path", class_=f"c{theme.level(share)}", d=svg.box(x, y, cell - 1.5, row - 1.5))
                kind = f"n{theme.level(share)} middle"
                where = {"x": x + cell / 2 - 1, "y": y + row / 2 + 3}
                add(drawn, "text", str(counts["survived"]), class_=kind, **where, font_size=10.5)
            elif counts["runs"]:
                middle, centre, arm = x + cell / 2 - 1, y + row / 2 - 1, 4
                d = f"M{middle - arm:.1f} {centre - arm:.1f}l{2 * arm} {2 * arm}m0 -{2 * arm}l-{2 * arm} {2 * arm}"
                add(drawn, "path", class_="fall", d=d)
    return _finished(drawn)


def _value_axis(drawn: Element, x: Axis, top: float, bottom: float, title: str, signed: bool) -> None:
    for tick in x.ticks():
        add(drawn, "path", class_="rule", d=f"M{x(tick):.1f} {top}V{bottom:.1f}")
        text = f"{100 * tick:+g}" if signed and tick else f"{100 * tick:g}"
        add(drawn, "text", text, class_="quiet middle", x=x(tick), y=bottom + 16, font_size=11)
    add(drawn, "text", title, class_="quiet middle", x=(x.start + x.end) / 2, y=bottom + 36, font_size=11)


def _apart(places: Sequence[float], least: float = 15.0) -> list[float]:
    """Heights of labels, in order, moved down where they would touch the one above."""
    moved: list[float] = []
    for at in places:
        moved.append(max(at, moved[-1] + least) if moved else at)
    return moved


def _finished(drawn: Element) -> str:
    view = drawn.get("viewBox", "").split()
    drawn.attrib |= {"width": view[2], "height": view[3], "font-family": "system-ui, sans-serif"}
    own = (
        ".ink{fill:#1b2330}.end{text-anchor:end}.middle{text-anchor:middle}"
        f".dot{{fill:{GAIN};fill-opacity:.6}}.bar{{stroke:{GAIN};stroke-width:2.5;stroke-linecap:round}}"
        f".zero{{stroke:{MUTED};stroke-width:1.5}}.band{{fill:{MUTED};fill-opacity:.15}}"
    )
    dark = f"@media (prefers-color-scheme:dark){{.ink{{fill:#e6e9ef}}{svg.rules(colour_scale('dark'))}}}"
    return svg.source(drawn, svg.ACCENTS + own + svg.rules(colour_scale("light")) + dark) + "\n"
