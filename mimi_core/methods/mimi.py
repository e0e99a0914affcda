"""MiMi: adapters that start wide and lose their least important neurons in cycles (arXiv 2311.03873)."""

from fractions import Fraction

from mimi_core.budget import keep_fractions
from mimi_core.config import RunConfig
from mimi_core.methods.adapter import prepare
from mimi_core.methods.method import Method


def cuts(config: RunConfig) -> list[Fraction]:
    return keep_fractions(config.adapter.sigma_0, config.prune.sigma_target, config.prune.rho)


METHOD = Method(prepare, cuts)
