"""Adapters in a training loop of one's own: put them in, cut, and look at what is left.

    model = timm.create_model("vit_small_patch16_224", pretrained=True, num_classes=10)
    start = attach_adapters(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    ..  # train
    cut(model, start, keep=0.5, optimizer=optimizer)  # half of the neurons of the start are left
    ..  # train on, and cut again with keep=0.25

A run does the same, and besides keeps, resumes and evaluates: see `mimi_core.train.cycle`.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import torch
from torch import nn

from mimi_core.adapters.attach import adapters_of
from mimi_core.adapters.shrink import carry_state, shrink
from mimi_core.adapters.sites import find_sites
from mimi_core.adapters.start import attach_as_set
from mimi_core.budget import Widths
from mimi_core.config import AdapterConfig, Scope
from mimi_core.scores.kinds.mimi import SCORE
from mimi_core.scores.watching import Seen
from mimi_core.select import normalise, select


def attach_adapters(
    model: nn.Module, image_size: int = 224, config: AdapterConfig | None = None, seed: int = 0
) -> dict[str, int]:
    """Put an adapter at every site of a model, and freeze all but the adapters and the classifier head.

    Args:
        model: a Vision Transformer that takes images `(B, 3, image_size, image_size)` and has timm's `get_classifier`.
        config: how wide they start, where they sit and how they begin; without it, as in a run.
        seed: of their initial weights.

    Returns:
        Site name -> neurons, in the order of the model's blocks. `cut` measures what it keeps against these.

    Raises:
        NoSitesError: the model has no block that an adapter could sit in.
    """
    config = config or AdapterConfig()
    sites = find_sites(model, image_size, config.positions, config.placement)
    attach_as_set(model, sites, config, torch.Generator().manual_seed(seed))
    start = widths(model)
    return {site.name: start.get(site.name, 0) for site in sites}


def widths(model: nn.Module) -> dict[str, int]:
    """Site name -> neurons of its adapter now, in the model's order. Sites that lost theirs are absent."""
    return {site: adapter.hidden_width for site, adapter in adapters_of(model).items()}


def magnitudes(model: nn.Module) -> dict[str, np.ndarray]:
    """Site name -> (N,) mean |weight| of every neuron now: MiMi's score, divided as in the authors' code."""
    adapters = adapters_of(model)
    with torch.no_grad():
        raw = {site: SCORE.score(adapter, Seen()).double().cpu().numpy() for site, adapter in adapters.items()}
    return normalise(raw, {site: adapter.down.shape[1] for site, adapter in adapters.items()}, "per_parameter")


def cut(
    model: nn.Module,
    start: Widths,
    keep: float | Fraction,
    optimizer: torch.optim.Optimizer | None = None,
    scores: Mapping[str, np.ndarray] | None = None,
    scope: Scope = "global",
) -> dict[str, int]:
    """Remove the least important neurons for good. An adapter that loses all gives way to the original module.

    Args:
        start: widths before the first cut, from `attach_adapters`.
        keep: share of the neurons at the start that is left afterwards, in [0, 1].
        optimizer: over the model's parameters; what it knows of the surviving neurons is carried along. Parameters are
            replaced, so one that is not given here must be made anew.
        scores: site name -> (N,) importance of the neurons now, higher is better; without them, `magnitudes`.
        scope: "global" ranks all layers together, "local" gives every layer its share.

    Returns:
        Site name -> neurons now, 0 where the adapter is gone; the sites of `start`.

    Raises:
        BudgetError: `keep` is outside [0, 1], or asks for more neurons than are left; nothing has changed then.
        ScoreError: `scores` do not fit the model, or are not numbers; likewise.
    """
    survivors = select(magnitudes(model) if scores is None else scores, start, keep, scope)
    resized = shrink(model, survivors)
    if optimizer is not None:
        carry_state(optimizer, resized)
    left = widths(model)
    return {site: left.get(site, 0) for site in start}
