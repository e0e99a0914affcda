"""Vanilla adapters: the width of the start, kept to the end (Houlsby et al. 2019, arXiv 1902.00751)."""

from torch import Generator, nn

from mimi_core.adapters.sites import Site, find_sites
from mimi_core.adapters.start import attach_as_set
from mimi_core.config import RunConfig
from mimi_core.methods.method import Method


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    sites = find_sites(model, image_size, config.adapter.positions, config.adapter.placement)
    attach_as_set(model, sites, config.adapter, generator)
    return sites


METHOD = Method(prepare)
