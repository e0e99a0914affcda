"""AdaptFormer: adapters beside the MLPs, scaled by 0.1, of one width to the end (Chen et al. 2022, arXiv 2205.13535).

Its adapters are those of all methods here, without biases and with GELU, so that only place and scale differ. Widths
are M // sigma_0: on a ViT-B, sigma_0 = 12 gives the paper's 64.
"""

from torch import Generator, nn

from mimi_core.adapters.sites import Site
from mimi_core.config import RunConfig
from mimi_core.methods import adapter
from mimi_core.methods.method import Method

SCALE = 0.1


def prepare(model: nn.Module, config: RunConfig, image_size: int, generator: Generator) -> list[Site]:
    beside = {"placement": "parallel", "positions": "mlp", "scale": SCALE}
    settings = config.model_copy(update={"adapter": config.adapter.model_copy(update=beside)})
    return adapter.prepare(model, settings, image_size, generator)


METHOD = Method(prepare)
