"""The attention of every block trains, with the head (Touvron et al. 2022, arXiv 2203.09795)."""

from torch import Generator, nn

from mimi_core.adapters.attach import freeze_all_but_head
from mimi_core.adapters.sites import Position, Site, find_sites
from mimi_core.config import RunConfig
from mimi_core.methods.method import Method


def train_only(position: Position) -> Method:
    """The method that trains the modules where adapters of that position would sit."""

    def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
        sites = find_sites(model, image_size, position)
        freeze_all_but_head(model)
        for site in sites:
            model.get_submodule(site.name).requires_grad_(True)
        return []

    return Method(prepare, adds=False)


METHOD = train_only("attn")
