"""Every random choice of a run is a function of its seed and of what it is for, and so survives a resume."""

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    HEAD = 1
    ADAPTERS = 2
    ORDER = 3
    DROPOUT = 4
    RANDOM_SCORE = 5
    # The numbers are part of every seed: they stay, and 6 stays free.
    INITIAL_SCORE = 7
    AUGMENT = 8
    MIX = 9


def derive(seed: int, purpose: Purpose, *indices: int) -> int:
    """A 32-bit seed for one use, such as the order of images in an epoch."""
    return int(np.random.SeedSequence([seed, purpose, *indices]).generate_state(1)[0])


def torch_generator(seed: int, purpose: Purpose, *indices: int) -> torch.Generator:
    """On the CPU, whatever the device, so that all devices see the same order and the same initial weights."""
    return torch.Generator().manual_seed(derive(seed, purpose, *indices))


def numpy_generator(seed: int, purpose: Purpose, *indices: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, *indices])
