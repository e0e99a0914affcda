"""Beside the primaries, as docs/study-plan.md names it: a mixed model, and what resampling says.

Arrays are (tasks, seeds); both arms of a contrast share seeds and images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import nan

import numpy as np

from mimi_core.analysis.common.statistics import CONFIDENCE, DIFFERENCES, RESAMPLES, SHARES, Interval, Range
from mimi_core.errors import ConfigError


@dataclass(frozen=True)
class Mixed:
    """The mean difference of tasks like these, tasks being drawn at random.

    Attributes:
        p: by t with one degree of freedom fewer than there are tasks; NaN where it cannot be told.
    """

    mean: float
    error: float
    p: float


def mixed_model(differences: np.ndarray) -> Mixed:
    """A random intercept for every task, by restricted maximum likelihood.

    Raises:
        ConfigError: statsmodels is not installed.
    """
    if find_spec("statsmodels") is None:
        raise ConfigError('the mixed model of the planned study needs statsmodels: pip install "mimi-studio[study]"')
    import warnings

    from scipy.special import stdtr
    from statsmodels.regression.mixed_linear_model import MixedLM

    tasks, seeds = differences.shape
    if tasks < 2 or not differences.std():
        return Mixed(float(differences.mean()), nan, nan)
    unit = float(differences.std())  # the optimiser's steps suit numbers near 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that tasks do not differ at all is the edge of what is possible, and no fault
        model = MixedLM(differences.ravel() / unit, np.ones((tasks * seeds, 1)), groups=np.repeat(range(tasks), seeds))
        fitted = model.fit(reml=True)
    mean, error = float(fitted.fe_params[0]) * unit, float(fitted.bse_fe[0]) * unit
    return Mixed(mean, error, float(2 * stdtr(tasks - 1, -abs(mean / error))) if error > 0 else nan)


def interquartile_difference(first: np.ndarray, second: np.ndarray) -> Interval:
    """Of the interquartile means of all runs of both arms (Agarwal et al. 2021, arXiv 2108.13264)."""
    from scipy.stats import trim_mean

    def statistic(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return np.asarray(trim_mean(_flat(one), 0.25, axis=-1) - trim_mean(_flat(two), 0.25, axis=-1))

    return _over_seeds(statistic, first, second, DIFFERENCES)


def improvement(first: np.ndarray, second: np.ndarray) -> Interval:
    """How often the first is better on the same seed and task, ties counting half; the mean over tasks."""

    def statistic(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return np.asarray((_flat(one > two) + _flat(one == two) / 2).mean(axis=-1))

    return _over_seeds(statistic, first, second, SHARES)


def _flat(values: np.ndarray) -> np.ndarray:
    """(..., tasks, seeds) -> (..., runs)"""
    return values.reshape(*values.shape[:-2], -1)


def _over_seeds(
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray], first: np.ndarray, second: np.ndarray, within: Range
) -> Interval:
    """Seeds are drawn anew within every task, both arms together. Percentiles: many values tie at few seeds."""
    from scipy.stats import bootstrap

    tasks, seeds = first.shape

    def drawn(*indices: np.ndarray, axis: int = -1) -> np.ndarray:
        one, two = (
            np.stack([values[task][chosen.astype(int)] for task, chosen in enumerate(indices)], axis=-2)
            for values in (first, second)
        )
        return statistic(one, two)

    value = float(statistic(first, second))
    with np.errstate(invalid="ignore"):
        limits = bootstrap(
            [np.arange(seeds)] * tasks, drawn, vectorized=True, method="percentile", confidence_level=CONFIDENCE,
            n_resamples=RESAMPLES, rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
    return Interval(seeds, value, nan, max(within[0], float(limits.low)), min(within[1], float(limits.high)))


def images_at_random(first: Sequence[Sequence[np.ndarray]], second: Sequence[Sequence[np.ndarray]]) -> Interval:
    """The mean difference in accuracy over tasks, each weighing the same; test images are drawn anew within seeds, and
    seeds within tasks.

    Args:
        first, second: by task and seed, (images,) bool, whether the class of each test image was told.
    """
    random, per_task, value = np.random.default_rng(0), [], []
    for one, two in zip(first, second, strict=True):
        pairs = [one_seed.astype(int) - two_seed for one_seed, two_seed in zip(one, two, strict=True)]
        shares = np.array([[np.mean(pair == sign) for sign in (1, 0, -1)] for pair in pairs])
        images = np.array([len(pair) for pair in pairs])
        chosen = random.integers(len(pairs), size=(RESAMPLES, len(pairs)))
        counts = random.multinomial(images[chosen], shares[chosen])
        per_task.append(((counts[..., 0] - counts[..., 2]) / images[chosen]).mean(axis=-1))
        value.append(float(np.mean([pair.mean() for pair in pairs])))
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.mean(per_task, axis=0), [outside, 1 - outside])
    return Interval(len(first[0]), float(np.mean(value)), nan, float(low), float(high))
