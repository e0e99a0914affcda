"""Short names and fixed colours for layers, the same on every page."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mimi_core.analysis.common.theme import STAGE_COLOURS
from mimi_core.runs.events import SiteInfo

LONGEST_LABEL = 22


@dataclass(frozen=True)
class Layer:
    """A site as a page names it. `order` counts from the input of the backbone."""

    site: str
    label: str
    order: int
    stage: int | None
    """1, 2, ..; None in a backbone without stages, such as a plain ViT."""
    position: str
    token_width: int
    colour: str
    cost: int
    """Parameters of one neuron, or of one rank."""

    @property
    def group(self) -> str:
        return "all blocks" if self.stage is None else f"stage {self.stage}"


def layers(sites: Sequence[SiteInfo]) -> list[Layer]:
    """Name the sites: `layers.0.blocks.1.attn` is "1.2 attn" in stage 1, `blocks.4.mlp` is "5 mlp".

    The numbers in a site's path are counted from one. Where that leaves two sites with one label, as for the matrices
    of one attention, the last part of the path is shown with them ("1.2 qkv"), then all behind the last number ("1.2
    attn_grid.mlp"), and else the names.
    """
    numbers = [[int(part) + 1 for part in site.name.split(".") if part.isdecimal() and len(part) < 6] for site in sites]
    tails = [(site.position, site.name.rpartition(".")[2], _behind_numbers(site.name)) for site in sites]
    for whats in zip(*tails, strict=True):
        labels = [_label(site.name, what, indices) for site, what, indices in zip(sites, whats, numbers, strict=True)]
        if len(set(labels)) == len(labels):
            break
    else:
        labels = _distinct([_clipped(site.name) for site in sites])
    stages = [indices[0] if len(indices) > 1 else None for indices in numbers]
    return [
        Layer(site.name, label, order, stage, site.position, site.width, _colour(stage), site.cost or 2 * site.width)
        for order, (site, label, stage) in enumerate(zip(sites, labels, stages, strict=True))
    ]


def cycle_name(cycle: int) -> str:
    """The state after cut k; cycle 0 is before the first cut."""
    return f"cut {cycle}" if cycle else "start"


def escape_html(text: str) -> str:
    """Untrusted text for the small HTML that plotly understands."""
    return html.escape(text, quote=False)


def _label(name: str, what: str, numbers: list[int]) -> str:
    return _clipped(f"{'.'.join(map(str, numbers))} {what}" if numbers else name)


def _behind_numbers(name: str) -> str:
    *_, tail = re.split(r"(?:^|\.)\d+\.", name)
    return tail


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"…{text[1 - LONGEST_LABEL :]}"


def _distinct(labels: list[str]) -> list[str]:
    """Rows of a chart are told apart by their label: number those that are still the same."""
    return labels if len(set(labels)) == len(labels) else [f"{i} {label}" for i, label in enumerate(labels, start=1)]


def _colour(stage: int | None) -> str:
    return STAGE_COLOURS[((stage or 1) - 1) % len(STAGE_COLOURS)]
