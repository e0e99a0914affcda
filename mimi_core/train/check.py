"""Check before launch: what a run would take, found by building it and training on a few batches. Keeps nothing."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mimi_core.adapters.attach import adapters_of
from mimi_core.budget import Widths
from mimi_core.config import RunConfig
from mimi_core.data.pixels import Pixels
from mimi_core.errors import MimiError
from mimi_core.runs.events import SiteInfo
from mimi_core.runs.inherited import with_widths
from mimi_core.runs.jobs.check_report import CheckReport, CycleEstimate, KeptImages
from mimi_core.runs.recorder import NoRecorder
from mimi_core.scores.watching import Watcher
from mimi_core.select import select
from mimi_core.train.artefacts import measured_images
from mimi_core.train.augment import augment_of_epoch
from mimi_core.train.evaluate import EVAL_BATCH, predict_batches
from mimi_core.train.loop import train_epoch
from mimi_core.train.optim import make_optimizer
from mimi_core.train.progress import Progress, Work
from mimi_core.train.setup import Setup, device_name, parameter_counts, set_up

TIMED_SECONDS = 1.0
"""How long training is timed, and how long evaluation."""
FEW_STEPS = 30
BUSY = 0.75
"""Of the cores; from there on a time is not that of an idle machine."""
Tell = Callable[[str], None]


def check(
    config: RunConfig, start_seconds: float = 0.0, tell: Tell | None = None, runs: Path = Path("runs")
) -> CheckReport:
    """Build everything and time it; bad input is reported in `error`, nothing is raised for it.

    Args:
        start_seconds: what this process took before it came here, as a worker's will.
        tell: called with what is being done, in a few words.
        runs: where the run would be, and so the disk on which it may keep images.
    """
    tell = tell or (lambda what: None)
    started, load = time.monotonic(), os.getloadavg()[0]
    try:
        setup = set_up(with_widths(config, runs), _Teller(tell, runs))
        setup.warnings += _busy(load, os.cpu_count() or 1)
        return _report(setup, start_seconds + time.monotonic() - started, tell)
    except MimiError as error:
        return CheckReport(ok=False, error=str(error))


class _Teller(NoRecorder):
    """Passes on what setting up says."""

    def __init__(self, tell: Tell, runs: Path) -> None:
        self._tell, self.run = tell, runs

    def update(self, **fields: Any) -> None:
        if fields.get("message"):
            self._tell(fields["message"])


def _report(setup: Setup, start_seconds: float, tell: Tell) -> CheckReport:
    config, counts = setup.config, parameter_counts(setup.model)
    adapters = adapters_of(setup.model)
    widths = {s.name: adapters[s.name].hidden_width if s.name in adapters else 0 for s in setup.sites}
    exact = config.prune.scope == "local" or not setup.plan.keep
    neurons, parameters = _per_cycle(widths, setup.token_widths, setup.plan.keep, exact)
    splits = {name: len(getattr(setup, name)) for name in ("train", "val", "test")}
    kept = [_kept(setup, name) for name in splits]
    decoding = sum(_seconds_to_decode(getattr(setup, some.split)) for some in kept if some.place == "disk")
    trained_per_second, evaluated_per_second = _speeds(setup, tell)
    once = (splits["val"] + splits["test"]) / evaluated_per_second
    epoch = splits["train"] / trained_per_second
    measured = measured_images(setup) / evaluated_per_second
    cycles = [
        CycleEstimate(
            cycle=k,
            neurons=neurons[k],
            adapter_parameters=parameters[k],
            trained_parameters=counts["trained"] - counts["adapters"] + parameters[k],
            seconds=(once + measured) * bool(k and not setup.plan.one_training)
            + epochs * epoch
            + once * bool(epochs)
            + (0 if k else decoding),
        )
        for k, epochs in enumerate(setup.plan.epochs)
    ]
    return CheckReport(
        ok=True,
        device=device_name(setup.device),
        sites=len(setup.sites),
        layers=[SiteInfo(name=s.name, block=s.block, position=s.position, width=s.width) for s in setup.sites],
        initial_widths=widths,
        initial_neurons=neurons[0],
        cycles=cycles,
        exact=exact,
        head_parameters=counts["head"],
        backbone_parameters=setup.backbone_parameters,
        split_sizes=splits,
        kept_images=kept,
        memory_bytes=_peak_bytes(setup.device),
        images_per_second=trained_per_second,
        start_seconds=start_seconds,
        seconds=start_seconds + sum(cycle.seconds for cycle in cycles),
        warnings=setup.warnings + _remarks(setup, cycles) + _no_room(kept),
    )


def _kept(setup: Setup, name: str) -> KeptImages:
    pixels: Pixels = getattr(setup, name)
    batch = setup.config.train.batch_size if name == "train" else EVAL_BATCH
    memory, disk = pixels.memory_bytes(batch), pixels.disk_bytes
    return KeptImages(split=name, images=len(pixels), place=pixels.place, memory_bytes=memory, disk_bytes=disk)


def _seconds_to_decode(pixels: Pixels) -> float:
    """What it takes to decode all of them once, told from some; at the most, since a run trains meanwhile."""
    started, some = time.monotonic(), _some(pixels, min(EVAL_BATCH, len(pixels)))
    for _ in pixels.batches(some, EVAL_BATCH):
        pass
    return (time.monotonic() - started) * len(pixels) / len(some)


def _per_cycle(
    widths: Widths, token_widths: Widths, keep: Sequence[Fraction], exact: bool
) -> tuple[list[int], list[int]]:
    """Neurons, and the adapters' parameters, from the start and after every cut.

    A local cut leaves every site its share, whatever the scores. Of a global one only the sum is known beforehand;
    neurons are then taken to vanish everywhere in proportion.
    """
    start = sum(2 * token_widths[site] * width for site, width in widths.items())
    neurons, parameters = [sum(widths.values())], [start]
    for share in keep:
        if exact:
            kept = select({site: np.zeros(width) for site, width in widths.items()}, widths, share, "local")
            parameters.append(sum(2 * token_widths[site] * len(indices) for site, indices in kept.items()))
        else:
            parameters.append(round(share * start))
        neurons.append(int(share * neurons[0]))
    return neurons, parameters


def _speeds(setup: Setup, tell: Tell) -> tuple[float, float]:
    """Images per second, training and evaluating."""
    config, progress = setup.config.train, Progress(NoRecorder(), Work())
    optimizer, watcher = make_optimizer(setup.model, config), Watcher(adapters_of(setup.model))
    augment = augment_of_epoch(setup, 0)

    def train(images: int) -> None:
        order = _some(setup.train, images, config.batch_size)
        setup.model.train(setup.method.trains_backbone)
        train_epoch(
            setup.model, setup.train, order, optimizer, watcher, setup.vision, config, augment, (0, 1), progress
        )

    def evaluate(images: int) -> None:
        for logits, _ in predict_batches(setup.model, setup.test, setup.vision, _some(setup.test, images, EVAL_BATCH)):
            last = logits
        float(last.sum())  # waits until a GPU is done

    tell("timing some training steps")
    trained = _images_per_second(train, config.batch_size)
    watcher.close()
    tell("timing an evaluation")
    return trained, _images_per_second(evaluate, EVAL_BATCH)


def _images_per_second(work: Callable[[int], None], batch: int) -> float:
    """Of `work(images)`: done once to warm up, once to guess how many images will do, and then timed."""
    work(batch)
    started = time.monotonic()
    work(batch)
    batches = max(2, round(TIMED_SECONDS / max(time.monotonic() - started, 1e-4)))
    started = time.monotonic()
    work(batches * batch)
    return batches * batch / (time.monotonic() - started)


def _some(pixels: Pixels, count: int, different: int = sys.maxsize) -> torch.Tensor:
    """Indices of `count` images; round and round where there are fewer, or not so many different ones are wanted."""
    return torch.arange(count) % min(len(pixels), different)


def _peak_bytes(device: torch.device) -> int:
    """The most memory that this process took so far: of the GPU if there is one, otherwise main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _busy(load: float, cores: int) -> list[str]:
    """Whether others keep the machine from showing what it can do. `load`: of the last minute, before the check."""
    if load < BUSY * cores:
        return []
    return [f"this machine was busy with other work (load {load:.1f} on {cores} cores): an idle one takes less time"]


def _no_room(kept: Iterable[KeptImages]) -> list[str]:
    """Streams that must be decoded anew, again and again: on few cores they are slower than training."""
    return [
        f"neither memory nor the disk of the runs has room for the {some.images:,} decoded {some.split} images: every "
        "epoch decodes them anew; free some space, or lower backbone.image_size"
        for some in kept
        if some.place == "nowhere"
    ]


def _remarks(setup: Setup, cycles: list[CycleEstimate]) -> list[str]:
    remarks = [
        f"cut {after.cycle} would remove no neuron: raise prune.rho or lower adapter.sigma_0"
        for before, after in pairwise(cycles)
        if after.neurons == before.neurons and not setup.plan.one_training
    ]
    if cycles[-1].neurons < len(setup.sites):
        remarks.append(
            f"{cycles[-1].neurons} neurons for {len(setup.sites)} sites at the end: most adapters will be gone"
        )
    steps = -(-len(setup.train) // setup.config.train.batch_size) * setup.config.train.epochs
    training = "in all" if setup.plan.one_training else "per cycle"
    if steps < FEW_STEPS:
        remarks.append(f"only {steps} training steps {training}: adapters will hardly move; raise train.epochs")
    return remarks
