"""Pictures as SVG that needs no script: those of cards, drawn here, and the frame of still charts (`static`).

Elements are built as a tree, so that text is escaped by construction. Colours are classes (`c0` .. `c11` for a share,
few to many; `lost`, `to-come`): a picture that stands alone carries the rules of one theme inside, a report has them
once for all its pictures, and for light, dark and paper.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from mimi_core.analysis.common.labels import Layer
from mimi_core.analysis.common.theme import LOST, MUTED, Scale, level, level_colours, text_on

GROUP_GAP = 0.6
"""Between two stages, in cells."""
_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
Element = ElementTree.Element


def printable(text: object) -> str:
    """Without characters that XML forbids or that turn the direction of writing; for all text in a report."""
    return _UNPRINTABLE.sub("\ufffd", str(text))


def clean(text: object) -> str:
    """The same as one line."""
    return printable(" ".join(str(text).split()))


def picture(width: float, height: float, title: str, description: str, name: str) -> Element:
    """An empty picture. `name` is unique on its page; `title` and `description` are read to whoever cannot see it."""
    ids = f"{name}-title {name}-description"
    svg = Element("svg", _attributes(xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}"))
    svg.attrib |= {"role": "img", "aria-labelledby": ids}
    add(svg, "title", title, id=f"{name}-title")
    add(svg, "desc", description, id=f"{name}-description")
    return svg


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: object) -> Element:
    """Put an element into another. `class_` and `text_anchor` become `class` and `text-anchor`."""
    element = ElementTree.SubElement(parent, tag, _attributes(**attributes))
    element.text = None if text is None else clean(text)
    return element


def to_text(svg: Element, rules: str | None = None) -> str:
    """The picture as text; with `rules` it needs no page around it."""
    if rules is not None:
        style = Element("style")
        style.text = rules
        svg.insert(0, style)
    return ElementTree.tostring(svg, encoding="unicode")


def rules(scale: Scale) -> str:
    """CSS of the level classes: `c3` fills a shape, `n3` a number on that shape."""
    colours = enumerate(level_colours(scale))
    return "".join(f".c{i}{{fill:{colour}}}.n{i}{{fill:{text_on(colour)}}}" for i, colour in colours)


ACCENTS = f".lost{{fill:{LOST}}}.to-come{{fill:{MUTED};fill-opacity:.13}}"
"""CSS of what looks the same on a light and on a dark page."""


def places(groups: Sequence[str]) -> tuple[list[float], float]:
    """Where cells of size one begin along an axis, groups set apart; and the length of the whole."""
    starts, at = [], 0.0
    for i, group in enumerate(groups):
        at += GROUP_GAP if i and group != groups[i - 1] else 0.0
        starts.append(at)
        at += 1.0
    return starts, at


def rain(
    named: Sequence[Layer],
    widths: Sequence[dict[str, int]],
    cuts: int,
    title: str,
    name: str,
    *,
    size: tuple[float, float] = (300, 78),
) -> Element:
    """A run at a glance: layers from left to right, the start and every cut from top to bottom.

    The colour is the share of the initial width. A dot marks the cut that took the last neuron, and below it is
    nothing. What is still to come is grey.
    """
    width, height = size
    svg = picture(width, height, title, "Layers from left to right, cuts from top to bottom; darker means wider.", name)
    starts, length = places([layer.group for layer in named])
    cell, row = width / max(length, 1), height / (cuts + 1)
    wide, high = cell - min(1.0, 0.18 * cell), row - min(1.0, 0.18 * row)
    cells: dict[str, list[str]] = {}
    for k in range(cuts + 1):
        for layer, at in zip(named, starts, strict=True):
            x, y = at * cell, k * row
            if k >= len(widths):
                cells.setdefault("to-come", []).append(box(x, y, wide, high))
                continue
            start, now = widths[0].get(layer.site, 0), widths[k].get(layer.site, 0)
            if now:
                cells.setdefault(f"c{level(now / start if start else 1)}", []).append(box(x, y, wide, high))
            elif k and widths[k - 1].get(layer.site, 0):
                add(svg, "circle", class_="lost", cx=x + wide / 2, cy=y + row / 2, r=min(cell, row, 8) * 0.3)
    for colour, boxes in sorted(cells.items()):
        add(svg, "path", class_=colour, d="".join(boxes))
    return svg


def box(x: float, y: float, width: float, height: float) -> str:
    """A rectangle as a part of a path: many of one colour are one element."""
    return f"M{_short(x)} {_short(y)}h{_short(width)}v{_short(height)}h-{_short(width)}z"


def _attributes(**attributes: object) -> dict[str, str]:
    return {key.rstrip("_").replace("_", "-"): _short(value) for key, value in attributes.items()}


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else clean(value)
