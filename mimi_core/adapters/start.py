"""With which widths, and with which weights, adapters start."""

from collections.abc import Mapping, Sequence

from torch import Generator, nn

from mimi_core.adapters.attach import attach
from mimi_core.adapters.shrink import shrink
from mimi_core.adapters.sites import Site
from mimi_core.budget import initial_width
from mimi_core.config import AdapterConfig
from mimi_core.config.indices import indices
from mimi_core.config.site_widths import Inherited, TakenWidths, numbers
from mimi_core.errors import ConfigError

_MOST_NAMED = 5


def attach_as_set(model: nn.Module, sites: Sequence[Site], config: AdapterConfig, generator: Generator) -> None:
    """Put an adapter at every site that is to have one, and freeze everything but them and the classifier head.

    Rewound neurons are drawn among all those that the other run started with, and the others taken out again: so
    their weights are, to the bit, those that the other run gave them before any training.

    Raises:
        ConfigError: `adapter.widths` does not fit the sites; the model is untouched then.
    """
    rewound = config.widths.rewound if isinstance(config.widths, TakenWidths) else None
    widths = _those_of(rewound, sites) if rewound else start_widths(sites, config)
    attach(model, [site for site in sites if widths[site.name]], widths, config, generator)
    if rewound:
        shrink(model, {site: indices(text) for site, text in rewound.survivors.items()})


def start_widths(sites: Sequence[Site], config: AdapterConfig) -> dict[str, int]:
    """Site -> neurons: M // sigma_0, or what `adapter.widths` says, 0 where that names no width.

    Raises:
        ConfigError: it names sites that are not there, or more neurons than a token has features.
    """
    wanted = numbers(config.widths)
    if wanted is None:
        return {site.name: initial_width(site.width, config.sigma_0) for site in sites}
    check_fit(wanted, {site.name: site.width for site in sites})
    return {site.name: wanted.get(site.name, 0) for site in sites}


def check_fit(widths: Mapping[str, int], token_widths: Mapping[str, int]) -> None:
    """Raises ConfigError where widths are of other sites, or wider than the tokens there."""
    if unknown := [site for site in widths if site not in token_widths]:
        raise ConfigError(
            f"adapter.widths names sites that are not there: {_listed(unknown)}; "
            f"there are {len(token_widths)}, such as {_listed(list(token_widths)[:2])} (`mimi sites` lists them)"
        )
    if wide := [f"{s} has {n} of at most {token_widths[s]}" for s, n in widths.items() if n > token_widths[s]]:
        raise ConfigError(f"adapter.widths is wider than the tokens: {_listed(wide)}")


def _those_of(rewound: Inherited, sites: Sequence[Site]) -> Mapping[str, int]:
    names = [site.name for site in sites]
    if list(rewound.start) != names:
        odd = sorted({*rewound.start} ^ {*names}) or names
        raise ConfigError(
            "adapter.widths: only a run with the same sites can be rewound, since initial weights are drawn one site "
            f"after the other; these differ: {_listed(odd)}"
        )
    check_fit(rewound.start, {site.name: site.width for site in sites})
    return rewound.start


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
