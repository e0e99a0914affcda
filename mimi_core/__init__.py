"""MiMi: fine-tune Vision Transformers with small adapters and prune them neuron by neuron (arXiv 2311.03873).

What can be counted on from outside, each imported when it is first used, so that `import mimi_core` costs nothing:

    RunConfig, make_config           what a run does; from a preset, a mapping, `section.key=value`
    run                              does it, as an iterator of events
    Store                            the runs in a folder
    load_pack                        the model that an exported adapter pack makes
    attach_adapters, cut, widths     adapters in a training loop of one's own
    select                           the module whose `select.select` says which neurons survive a cut
    MimiError                        whatever a user can do something about
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = [
    "MimiError",
    "RunConfig",
    "Store",
    "__version__",
    "attach_adapters",
    "cut",
    "load_pack",
    "make_config",
    "run",
    "select",
    "widths",
]

if TYPE_CHECKING:
    from mimi_core import select
    from mimi_core.adapters.by_hand import attach_adapters, cut, widths
    from mimi_core.config import RunConfig, make_config
    from mimi_core.errors import MimiError
    from mimi_core.export.pack import load_pack
    from mimi_core.runs.store import Store
    from mimi_core.train.cycle import run
else:
    _HOMES = {
        "MimiError": "errors",
        "RunConfig": "config",
        "Store": "runs.store",
        "attach_adapters": "adapters.by_hand",
        "cut": "adapters.by_hand",
        "load_pack": "export.pack",
        "make_config": "config",
        "run": "train.cycle",
        "widths": "adapters.by_hand",
    }

    def __getattr__(name):
        if name == "select":
            return import_module("mimi_core.select")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
