"""Check before launch: what a run would take, found by building it and training a few batches. Keeps nothing."""

import time
from itertools import pairwise

import numpy as np
import torch
from pydantic import BaseModel

from mimi_core.adapters.scores import Watcher
from mimi_core.config import RunConfig
from mimi_core.data.pixels import Pixels, resident_bytes
from mimi_core.errors import MimiError
from mimi_core.runs.recorder import NoRecorder
from mimi_core.train.evaluate import predict
from mimi_core.train.loop import train_epoch
from mimi_core.train.optim import make_optimizer
from mimi_core.train.progress import Progress
from mimi_core.train.setup import Setup, device_name, parameter_counts, set_up, training_bytes

TIMED_BATCHES = 4


class CycleEstimate(BaseModel):
    cycle: int
    neurons: int
    adapter_parameters: int
    """Expected where the cut is global: neurons are taken to vanish in proportion."""
    trained_parameters: int


class Report(BaseModel):
    ok: bool
    error: str | None = None
    device: str = ""
    sites: int = 0
    initial_neurons: int = 0
    cycles: list[CycleEstimate] = []
    split_sizes: dict[str, int] = {}
    memory_bytes: int = 0
    images_per_second: float = 0.0
    seconds: float = 0.0
    warnings: list[str] = []


def check(config: RunConfig) -> Report:
    """Build everything and time it; bad input is reported in `error`, nothing is raised for it."""
    try:
        return _report(set_up(config, NoRecorder()))
    except MimiError as error:
        return Report(ok=False, error=str(error))


def _report(setup: Setup) -> Report:
    config, counts = setup.config, parameter_counts(setup.model)
    widths = {site.name: 0 for site in setup.sites}
    watcher = Watcher(setup.model)
    widths |= {site: len(seen.gradient) for site, seen in watcher.seen.items()}
    neurons = sum(widths.values())
    shares = [1.0, *(float(keep) for keep in setup.keep_fractions)]
    cycles = [
        CycleEstimate(
            cycle=k,
            neurons=int(share * neurons),
            adapter_parameters=round(share * counts["adapters"]),
            trained_parameters=counts["trained"] - counts["adapters"] + round(share * counts["adapters"]),
        )
        for k, share in enumerate(shares)
    ]
    trained_per_second, evaluated_per_second = _speed(setup, watcher)
    splits = {name: len(getattr(setup, name)) for name in ("train", "val", "test")}
    phases = len(shares) if config.prune.retrain_last or len(shares) == 1 else len(shares) - 1
    evaluations = (2 * len(shares) - 1) * (splits["val"] + splits["test"])
    seconds = phases * config.train.epochs * splits["train"] / trained_per_second + evaluations / evaluated_per_second
    images = sum(resident_bytes(getattr(setup.dataset, name), setup.image_size) for name in splits)
    return Report(
        ok=True,
        device=device_name(setup.device),
        sites=len(setup.sites),
        initial_neurons=neurons,
        cycles=cycles,
        split_sizes=splits,
        memory_bytes=images + training_bytes(setup.model, config, setup.image_size),
        images_per_second=trained_per_second,
        seconds=seconds,
        warnings=setup.warnings + _remarks(setup, cycles),
    )


def _speed(setup: Setup, watcher: Watcher) -> tuple[float, float]:
    """Images per second, training and evaluating; the first batch of each warms up."""
    config, progress = setup.config.train, Progress(NoRecorder(), 1.0)
    optimizer = make_optimizer(setup.model, config)
    trained = 0.0
    for batches in (1, TIMED_BATCHES):
        order = _some(setup.train, batches * config.batch_size)
        setup.model.train(setup.method.trains_backbone)
        trained = train_epoch(
            setup.model, setup.train, order, optimizer, watcher, setup.vision, config, 0, progress
        ).images_per_second
    order, started = _some(setup.test, 256), time.monotonic()
    for _ in predict(setup.model, setup.test, setup.vision, order):
        pass
    return trained, len(order) / (time.monotonic() - started)


def _some(pixels: Pixels, count: int) -> torch.Tensor:
    return torch.from_numpy(np.arange(min(count, len(pixels))))


def _remarks(setup: Setup, cycles: list[CycleEstimate]) -> list[str]:
    remarks = [
        f"cut {after.cycle} would remove no neuron: raise prune.rho or lower adapter.sigma_0"
        for before, after in pairwise(cycles)
        if after.neurons == before.neurons
    ]
    if cycles[-1].neurons < len(setup.sites):
        remarks.append(
            f"{cycles[-1].neurons} neurons for {len(setup.sites)} sites at the end: most adapters will be gone"
        )
    steps = -(-len(setup.train) // setup.config.train.batch_size) * setup.config.train.epochs
    if steps < 30:
        remarks.append(f"only {steps} training steps per cycle: adapters will hardly move; raise train.epochs")
    return remarks
