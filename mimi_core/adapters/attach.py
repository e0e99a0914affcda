"""Put adapters into a model, find them there, take them out again."""

from collections.abc import Iterable, Mapping

from torch import Generator, nn

from mimi_core.adapters.adapter import Adapted, Adapter
from mimi_core.adapters.sites import Site
from mimi_core.config import AdapterConfig
from mimi_core.errors import BudgetError


def attach(
    model: nn.Module, sites: Iterable[Site], widths: Mapping[str, int], config: AdapterConfig, generator: Generator
) -> None:
    """Put an adapter at every site and freeze everything but the adapters and the classifier head.

    Args:
        widths: site name -> hidden width N >= 1.
        generator: source of the initial weights, so that they depend on the seed alone.

    Raises:
        BudgetError: a width is missing or below 1; the model is untouched then.
    """
    sites = list(sites)
    for site in sites:
        if widths.get(site.name, 0) < 1:
            raise BudgetError(f"{site.name} needs an adapter of at least one neuron, not {widths.get(site.name)}")
    freeze_all_but_head(model)
    for site in sites:
        base = model.get_submodule(site.anchor)
        adapter = Adapter(site.width, widths[site.name], config.init, generator).to(next(model.parameters()))
        adapted = Adapted(base, adapter, site.name, config.placement, site.channel_dim, config.scale)
        model.set_submodule(site.anchor, adapted)


def freeze_all_but_head(model: nn.Module) -> None:
    model.requires_grad_(False)
    for parameter in head_parameters(model):
        parameter.requires_grad_(True)


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Parameters of the classifier; some models (distilled DeiT) have two."""
    head = model.get_classifier()  # type: ignore[operator]  # every timm model has it
    heads = head if isinstance(head, tuple | list) else (head,)
    return [parameter for part in heads for parameter in part.parameters()]


def adapters_of(model: nn.Module) -> dict[str, Adapter]:
    """Site name -> adapter, in the order of the model's modules; removed ones are absent."""
    return {module.site: module.adapter for module in model.modules() if isinstance(module, Adapted)}


def remove(model: nn.Module, site: str) -> None:
    """Put the original module back. Costs nothing any more afterwards."""
    path, adapted = next((p, m) for p, m in model.named_modules() if isinstance(m, Adapted) and m.site == site)
    model.set_submodule(path, adapted.base)
