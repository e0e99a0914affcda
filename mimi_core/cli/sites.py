"""`python -m mimi_core sites`: where adapters can sit in a model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from mimi_core.budget import initial_width
from mimi_core.cli.common import out
from mimi_core.config import AdapterConfig

if TYPE_CHECKING:
    from mimi_core.adapters.sites import Site

SIGMA_0 = AdapterConfig().sigma_0


@dataclass(frozen=True)
class Outlook:
    """What can be told of a backbone without its weights.

    Attributes:
        backbone: its parameters, without a head.
        adapters: those of the adapters at the start, at `SIGMA_0`.
        layer_scale: whether the last adapter sits "behind" a LayerScale or in "front" of it; "none" without one.
    """

    sites: "list[Site]"
    image_size: int
    backbone: int
    adapters: int
    layer_scale: str

    def count(self, position: str) -> int:
        return sum(site.position == position for site in self.sites)


def outlook(model: str, image_size: int | None = None) -> Outlook:
    """Look at a model on torch's meta device: no weights, no memory.

    Raises:
        MimiError: an unknown model, or one without a place for adapters.
    """
    from torch import nn

    from mimi_core.adapters.sites import find_sites
    from mimi_core.backbones.loading import outline

    backbone = outline(model, image_size)
    sites = find_sites(backbone.model, backbone.image_size)
    last = sites[-1]
    block, anchor = (backbone.model.get_submodule(name) for name in (last.name.rpartition(".")[0], last.anchor))
    is_behind = last.anchor != last.name
    is_scaled = any("gamma" in name for name, _ in block.named_parameters(recurse=False))
    is_scaled |= is_behind and not isinstance(anchor, nn.Identity)
    return Outlook(
        sites,
        backbone.image_size,
        sum(p.numel() for p in backbone.model.parameters()),
        sum(2 * site.width * initial_width(site.width, SIGMA_0) for site in sites),
        "none" if not is_scaled else "behind" if is_behind else "front",
    )


def sites(
    model: Annotated[str, typer.Argument(help="a timm model, a CvT such as hf:microsoft/cvt-13, or `demo`")],
    image_size: Annotated[int | None, typer.Option(help="pixels; the model's own when left out")] = None,
) -> None:
    """Where adapters can sit in a model: its sites and their token widths. Needs neither weights nor memory."""
    survey = outlook(model, image_size)
    table = Table(box=None, pad_edge=False)
    for column in ("site", "block", "position", "width"):
        table.add_column(column, justify="right" if column in ("block", "width") else "left")
    for site in survey.sites:
        table.add_row(escape(site.name), str(site.block), site.position, str(site.width))
    out.print(table)
    out.print(
        f"{len(survey.sites)} sites, sum of token widths {sum(site.width for site in survey.sites)}; "
        f"images of {survey.image_size} pixels"
    )
    out.print(
        f"{survey.backbone:,} parameters in the backbone, {survey.adapters:,} in adapters at sigma_0 = {SIGMA_0:g}"
    )
    if not survey.count("attn"):
        out.print("MLPs alone: its blocks own no attention")
