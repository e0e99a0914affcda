"""Whether an event can be true, given those before it. Event files may be damaged, or a stranger's; what cannot be
true is left out when they are read, so that whoever adds up or draws the rest needs no care."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import isfinite

from mimi_core.config.cuts import MOST_CUTS

MOST_SITES, MOST_CLASSES = 20_000, 100_000
LARGEST_COUNT = 2**53
"""Of parameters, images, bytes: beyond it floats do not count any more."""
LATEST = 1e11
"""Seconds since 1970: in the year 5138."""
_WIDEST, _LARGEST_NUMBER = 10**7, 1e15


def counts(**numbers: int) -> str:
    """What is wrong with numbers of things, in words; nothing if nothing is."""
    return next((f"{name} is {_short(n)}" for name, n in numbers.items() if not 0 <= n <= LARGEST_COUNT), "")


def amounts(**numbers: float) -> str:
    """The same of seconds, losses and rates: of a size that can be added up and squared."""
    return next(
        (f"{name} is {n:g}" for name, n in numbers.items() if not (isfinite(n) and abs(n) <= _LARGEST_NUMBER)), ""
    )


def share(name: str, number: float) -> str:
    return "" if 0 <= number <= 1 else f"{name} is {number:g}, which is no share"


def moment(time: float) -> str:
    return "" if 0 <= time <= LATEST else "it has no possible time"


def cycle(number: int, cuts: int, first: int = 0) -> str:
    return "" if first <= number <= cuts else f"cycle {_short(number)} of a run with {cuts:,} cuts"


def start(
    sites: Sequence[tuple[str, int, int, int]], widths: Mapping[str, int], keep: Sequence[float], classes: int
) -> str:
    """Of a run.

    Args:
        sites: name, block, token width, parameters of a neuron.
        widths: site -> neurons at the start.
        keep: share of these that is left after each cut.
        classes: how many.
    """
    names = [name for name, *_ in sites]
    if len(sites) > MOST_SITES or classes > MOST_CLASSES or len(keep) > MOST_CUTS:
        return f"it tells of {len(sites):,} layers, {classes:,} classes and {len(keep):,} cuts"
    if len(set(names)) != len(names):
        return "two layers have one name"
    if set(names) != widths.keys():
        return "its widths at the start are not those of its layers"
    numbers = chain((width for _, _, width, _ in sites), widths.values())
    if not all(0 <= n <= _WIDEST for n in numbers) or not all(
        0 <= block <= _WIDEST and 0 <= cost <= LARGEST_COUNT for _, block, _, cost in sites
    ):
        return "a layer has an impossible size"
    return "" if all(0 <= one <= 1 for one in keep) else "a share that is kept is none"


def step(before: Mapping[str, int], after: Mapping[str, int], removed: Iterable[str], told: tuple[int, int]) -> str:
    """From the widths before a cut to those after it; `told`: how many neurons the event says there were and are."""
    if before.keys() != after.keys():
        return "its layers are not those of the run"
    if any(not 0 <= neurons <= before[site] for site, neurons in after.items()):
        return "a layer has more neurons than before, or fewer than none"
    if any(site not in after or after[site] or not before[site] for site in removed):
        return "a layer is removed that is still there, or was not"
    return "" if told == (sum(before.values()), sum(after.values())) else "its neurons do not add up"


def _short(number: int) -> str:
    return f"{number:,}" if abs(number) < 10**9 else "far too large"
