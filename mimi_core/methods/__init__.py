"""Ways to fine-tune, one file each, named as `mimi_core.config.methods` names the method; its `METHOD` is what is done.

All go through the same loop, data, evaluation and recorder.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mimi_core.methods.method import Method


@cache
def implementation(name: str) -> "Method":
    """What a method of the catalogue does, from the module of its name."""
    method: Method = import_module(f"{__name__}.{name}").METHOD
    return method
