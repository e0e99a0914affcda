"""Ways to fine-tune, one file each. All go through the same loop, data, evaluation and recorder."""

from collections.abc import Mapping

from mimi_core.config import Method as MethodName
from mimi_core.methods import adapter, full, linear, mimi
from mimi_core.methods.method import Method

METHODS: Mapping[MethodName, Method] = {
    "mimi": mimi.METHOD,
    "adapter": adapter.METHOD,
    "linear": linear.METHOD,
    "full": full.METHOD,
}

__all__ = ["METHODS", "Method"]
