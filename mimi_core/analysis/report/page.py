"""One HTML file that needs nothing else: no script, no network, light and dark, and paper."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mimi_core.analysis.common import static, svg
from mimi_core.analysis.common.theme import colour_scale

_TEMPLATES = Path(__file__).parent / "templates"
_DARK = (
    "@media screen and (prefers-color-scheme: dark) {:root{color-scheme:dark;--page:#0f141c;--panel:#1a212c;"
    "--ink:#e6e9ef;--quiet:#98a2b3;--border:#2b3442;--accent:#2c96ad;--warn:#f0956a}%s}"
)


def render(template: str, content: Mapping[str, Any]) -> str:
    """Fill a template. All text is escaped but for pictures, which `drawn` marks as made here."""
    return _environment().get_template(template).render(content, style=_style())


def drawn(picture: svg.Element) -> Markup:
    """A picture as a part of a page; its own text was escaped when it was built."""
    view = picture.get("viewBox", "").split()
    picture.attrib |= {"width": view[2], "height": view[3]}
    return Markup(svg.to_text(picture))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else svg.printable(value),
    )


@cache
def _style() -> Markup:
    """Rules for light and paper, and what changes on a dark screen. No text from outside."""
    own = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    light, dark = svg.rules(colour_scale("light")), svg.rules(colour_scale("dark"))
    return Markup("\n".join([svg.ACCENTS, static.RULES, own, light, _DARK % dark]))
