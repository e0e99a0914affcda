"""How many neurons: compression rate, widths at the start, and what a run does from its start to its end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mimi_core.config import RunConfig
from mimi_core.config.cuts import annealing_epochs, exact
from mimi_core.config.methods import METHODS

Widths = Mapping[str, int]
"""Site name -> number of neurons there."""


def sigma(token_widths: Iterable[int], neurons: Iterable[int]) -> float:
    """Compression rate: sum of token widths M_i over sum of hidden widths N_i; infinite with no neuron left."""
    left = sum(neurons)
    return sum(token_widths) / left if left else float("inf")


def initial_width(token_width: int, sigma_0: float) -> int:
    """N_i = max(1, M_i // sigma_0)."""
    return max(1, int(Fraction(token_width) // exact(sigma_0)))


def scaled(widths: Widths, budget: int, costs: Widths, most: Widths) -> dict[str, int]:
    """Widths in the same proportions for another budget, by largest remainder; the earlier site wins a tie.

    Args:
        widths: site -> neurons; sites with none stay without.
        budget: what all neurons together may cost.
        costs: site -> what one neuron costs there: 1 where neurons are counted, 2 M where parameters are.
        most: site -> the most neurons there.

    Returns:
        site -> neurons; they cost `budget`, or less by no more than a neuron where sites have different costs.
    """
    total = sum(costs[site] * neurons for site, neurons in widths.items())
    shares = {site: Fraction(neurons * budget, total) if total else Fraction(0) for site, neurons in widths.items()}
    new = {site: min(int(share), most[site]) for site, share in shares.items()}
    left = budget - sum(costs[site] * neurons for site, neurons in new.items())
    by_remainder = sorted((site for site in widths if widths[site]), key=lambda site: new[site] - shares[site])
    while fitting := [site for site in by_remainder if costs[site] <= left and new[site] < most[site]]:
        for site in fitting:
            if costs[site] <= left:
                new[site] += 1
                left -= costs[site]
    return new


@dataclass(frozen=True)
class Plan:
    """A run from its start to its end: train, cut, train, cut, train .."""

    keep: tuple[Fraction, ...]
    """What each of the K cuts keeps, as a share of the initial neurons."""
    epochs: tuple[int, ...]
    """Of training: before any cut, and after every one; K + 1 numbers."""
    one_training: bool = False
    """Whether the learning rate runs its course once over all epochs, instead of anew after every cut."""
    course: int | None = None
    """Epochs after which the learning rate starts anew within a training; None: it does not."""

    @property
    def total_epochs(self) -> int:
        return sum(self.epochs)


def plan(config: RunConfig, neurons: int | None = None) -> Plan:
    """What a run will do. Without cuts it trains once, in `train.cycles` courses of the learning rate, so that it can
    have those of a run with cuts. A branch begins with its parent's cuts.

    Args:
        neurons: of all adapters at the start, where that is known: then no cut comes behind a single neuron.
    """
    prune, epochs, keep = config.prune, config.train.epochs, config.shares_kept(neurons)
    annealed = prune.schedule == "anneal" and METHODS[config.method].cuts
    if annealed and keep:
        when = annealing_epochs(epochs, prune.warm, prune.settle, prune.every)[: len(keep)]
        return Plan(keep, tuple(after - before for before, after in pairwise((0, *when, epochs))), one_training=True)
    if not keep and config.train.cycles > 1:
        return Plan(keep, (epochs * config.train.cycles,), course=epochs)
    after_cuts = (epochs * (prune.retrain_last or k < len(keep)) for k, _ in enumerate(keep, 1))
    return Plan(keep, (epochs, *after_cuts), one_training=annealed)


def planned_away(config: RunConfig, neurons: int, token_widths: Iterable[int]) -> str | None:
    """Says which cuts of those that were asked for will not be made, since a single neuron is left; None if all will.

    Args:
        neurons: of all adapters at the start.
        token_widths: M of every site.
    """
    cuts, asked = plan(config, neurons).keep, config.kept_shares
    if cuts == asked:
        return None
    behind, target = len(asked) - len(cuts), config.prune.sigma_target
    left_out = f": {behind} later cut{'s' * (behind > 1)} would cut nothing and will not be made" if behind else ""
    beyond = f"; prune.sigma_target={target:g} is beyond that" if asked[-1] * neurons < 1 else ""
    compression = sigma(token_widths, [1])
    return f"cut {len(cuts)} leaves a single neuron of {neurons:,} (compression {compression:,.0f}){left_out}{beyond}"
