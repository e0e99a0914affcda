"""No request leaves while a backbone is loaded for somebody who did not ask for one."""

import contextlib
from collections.abc import Iterator
from typing import Any, NoReturn

import torch.hub
from huggingface_hub import constants


@contextlib.contextmanager
def without_requests() -> Iterator[None]:
    """What the hub's library and torch have fetched before is there; the rest cannot be had, as on a machine without
    a network. Holds for the whole process until the end of the block."""
    hub: Any = torch.hub
    before = constants.HF_HUB_OFFLINE, hub.urlopen
    constants.HF_HUB_OFFLINE, hub.urlopen = True, _refuse
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, hub.urlopen = before


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError("nothing may be fetched")
