"""Charts as still pictures, for reports and docs: Vega-Lite in, SVG out that needs no script and fetches nothing.

The charts are those of the pages. What a page leaves to the browser's theme (the colour of text) becomes a class here,
for which whoever shows the picture has rules of light, dark and paper. Text is measured in a font that comes with the
renderer, so that the same chart is the same picture on every machine.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from mimi_core.analysis.common import svg
from mimi_core.analysis.common.charts import Chart
from mimi_core.analysis.common.svg import Element
from mimi_core.analysis.common.theme import MUTED

VEGA_LITE = "6.4"
"""Of those that the renderer holds, the one that is nearest to Altair's."""
MEASURED = "Liberation Sans"
RULES = "svg text{font-family:Arial,'Liberation Sans',Helvetica,Arimo,sans-serif;font-size-adjust:ch-width .556}"
"""CSS of the text: fonts whose letters are as wide as those of `MEASURED`, or another one brought to their width."""
MARK = "--"
"""Begins a colour in a chart that becomes the class of that name: `--c3`, see `svg.rules`."""
INK, QUIET = f"{MARK}ink", f"{MARK}quiet"
_TEXT: Chart = {
    "labelColor": INK,
    "titleColor": QUIET,
    "labelFontSize": 11,
    "titleFontSize": 12,
    "titleFontWeight": 400,
}
_CONFIG: Chart = {
    "font": MEASURED,
    "background": None,
    "axis": _TEXT,
    "legend": _TEXT,
    "text": {"color": INK, "fontSize": 11},
    "aria": False,
}
_SVG = "{http://www.w3.org/2000/svg}"
_PAINT = {"fill", "stroke", "class"}
_SHAPES = {"g", "path", "line", "rect", "text", "tspan"}
_LOOKS = {
    *("transform", "d", "x", "y", "dx", "dy", "x1", "x2", "y1", "y2", "width", "height", "rx", "ry"),
    *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity"),
    *("stroke-linecap", "stroke-linejoin", "text-anchor", "font-size", "font-weight", "font-style"),
}
_INHERITED = ("text-anchor", "font-size", "font-weight", "stroke-width", "stroke-linecap", "stroke-linejoin")
_USUAL = {("opacity", "1"), ("stroke-width", "1"), ("transform", "translate(0,0)"), ("text-anchor", "start")}
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def picture(charts: Sequence[Chart], width: int, title: str, description: str, name: str) -> Element:
    """Charts below one another as one picture.

    Args:
        charts: Vega-Lite, as for a page; their tables, in `datasets` or `data`, may be DataFrames.
        width: of each of them, in pixels.
        title, description, name: as for `svg.picture`.

    Raises:
        ValueError: a chart is not Vega-Lite, or is drawn with what a picture cannot hold, such as a clip path.
    """
    drawn = [_rendered(chart, width) for chart in charts]
    heights = [float(root.get("height", 0)) for root in drawn]
    whole = svg.picture(width, sum(heights), title, description, name)
    for i, root in enumerate(drawn):
        above = sum(heights[:i])
        _copy(root, svg.add(whole, "g", transform=f"translate(0,{above:g})") if above else whole)
    return whole


def _rendered(chart: Chart, width: int) -> Element:
    own = chart.get("config", {})
    config = {key: own.get(key, {}) | of if isinstance(of, dict) else of for key, of in _CONFIG.items()}
    spec = _plain({**chart, "width": width, "config": {**own, **config}})
    return ElementTree.fromstring(_drawn(json.dumps(spec)))


@lru_cache(maxsize=32)
def _drawn(spec: str) -> str:
    """As SVG. The last few are kept, since a page that shows a report makes it anew at every click."""
    import vl_convert  # a browser's engine: half a second and 120 MB, which no page but Report needs

    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])


def _plain(value: Any) -> Any:
    """As JSON: tables as lists of rows, what is no number as null, and all text such as XML can hold."""
    if isinstance(value, pd.DataFrame):
        return [_plain(row) for row in value.to_dict("records")]
    if isinstance(value, Mapping):
        return {svg.clean(key): _plain(of) for key, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(of) for of in value]
    if isinstance(value, str):
        return svg.clean(value)
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not isfinite(number) else number


def _copy(source: Element, target: Element) -> None:
    """What is to be seen of a drawing, and no more: no names of its parts, no empty shapes, nothing said twice."""
    for part in source:
        tag = part.tag.removeprefix(_SVG)
        if tag not in _SHAPES or any("url(" in value for value in part.attrib.values()):
            raise ValueError(f"a still picture cannot hold {tag} {part.attrib}")
        looks = _looks(part)
        if tag == "g":
            group = Element("g", looks)
            _copy(part, group)
            _share(group)
            target.extend([group] if group.attrib else list(group))
        elif part.get("display") != "none" and part.get("d") != "" and (tag != "path" or _PAINT & looks.keys()):
            if tag == "path" and _goes_on(target, looks):
                target[-1].attrib["d"] += looks["d"]
                continue
            kept = svg.add(target, tag, part.text, **looks)
            if tag == "text":
                _copy(part, kept)


def _goes_on(target: Element, looks: Mapping[str, str]) -> bool:
    """Whether the last shape has the same class and all else: cells of one shade are one shape."""
    last = target[-1].attrib if len(target) and target[-1].tag == "path" else {}
    return "class" in last and {**last, "d": ""} == {**looks, "d": ""}


def _share(group: Element) -> None:
    """What all parts inherit alike is said once."""
    for key in _INHERITED:
        values = {part.get(key) for part in group}
        if len(group) > 1 and len(values) == 1 and (value := values.pop()) is not None:
            group.set(key, value)
            for part in group:
                del part.attrib[key]


def _looks(part: Element) -> dict[str, str]:
    looks = {key: _NUMBER.sub(_short, value) for key, value in part.attrib.items() if key in _LOOKS}
    looks = {key: value for key, value in looks.items() if (key, value) not in _USUAL}
    fill = looks.get("fill", "")
    if part.tag == f"{_SVG}text" and fill == MUTED:  # what is quiet on a page is as quiet here, and easier to read
        fill = QUIET
    if fill.startswith(MARK):
        del looks["fill"]
        looks["class"] = fill.removeprefix(MARK)
    return looks


def _short(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 2) + 0:.7g}"
