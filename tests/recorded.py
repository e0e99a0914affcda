"""Run folders to look at, written through the real Store and Recorder: the widths come from the real selection."""

import math
import time
from typing import Any

import numpy as np

from mimi_core.budget import initial_width, sigma
from mimi_core.config import RunConfig, make_config
from mimi_core.config.cuts import keep_fractions, last_share
from mimi_core.runs.events import EpochEnded, Evaluated, Pruned, RunEnded, RunStarted, Scored, SiteInfo, Warned
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store, versions
from mimi_core.select import select


def swin_sites(scale: int = 1) -> list[SiteInfo]:
    """24 sites of a small Swin; `scale` multiplies the depth of every stage."""
    found = []
    for stage, depth in enumerate((2, 2, 6, 2)):
        for block in range(depth * scale):
            for position in ("attn", "mlp"):
                name = f"layers.{stage}.blocks.{block}.{position}"
                found.append(SiteInfo(name=name, block=len(found) // 2, position=position, width=32 * 2**stage))
    return found


def vit_sites(depth: int = 12, width: int = 192) -> list[SiteInfo]:
    return [
        SiteInfo(name=f"blocks.{block}.{position}", block=block, position=position, width=width)
        for block in range(depth)
        for position in ("attn", "mlp")
    ]


def _scores(sites: list[SiteInfo], widths: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    level = {site.name: rng.lognormal(0, 0.3) for site in sites}
    return {name: level[name] * rng.lognormal(0, 0.45, size=n) for name, n in widths.items()}


def record(
    store: Store,
    config: RunConfig | None = None,
    *,
    sites: list[SiteInfo] | None = None,
    cuts: int | None = None,
    outcome: str | None = "finished",
    class_names: list[str] | None = None,
    warnings: tuple[str, ...] = (),
    log: str = "",
    seed: int = 0,
) -> str:
    """A run that got as far as `cuts` cuts. `outcome` None: its worker is gone without a word, so it shows as died."""
    config = config or make_config(preset="demo")
    sites = sites or swin_sites()
    run_id = store.create(config)
    folder = store.folder(run_id)
    fractions = keep_fractions(last_share(config.adapter.sigma_0, config.prune.sigma_target), config.prune.rho)
    start = {site.name: initial_width(site.width, config.adapter.sigma_0) for site in sites}
    tokens = [site.width for site in sites]
    clock = time.time() - 60
    if log:
        (folder / "log.txt").write_text(log, encoding="utf-8")
    with Recorder(folder) as recorder:

        def parameters(widths: dict[str, int]) -> int:
            return sum(2 * site.width * widths[site.name] for site in sites)

        def train(cycle: int, level: float) -> None:
            for epoch in range(1, config.train.epochs + 1):
                done = 1 - math.exp(-epoch / config.train.epochs * 4)
                recorder.emit(
                    EpochEnded(
                        time=clock,
                        cycle=cycle,
                        epoch=epoch,
                        loss=2.2 - 1.5 * done * level - 0.1 * cycle / 4,
                        accuracy=level * (0.5 + 0.55 * done),
                        lr=0.01,
                        images_per_second=640.0,
                        seconds=0.5,
                    )
                )
            evaluate(cycle, "trained", level)

        def evaluate(cycle: int, stage: str, level: float) -> None:
            for split in ("val", "test"):
                recorder.emit(
                    Evaluated(
                        time=clock,
                        cycle=cycle,
                        stage=stage,
                        split=split,
                        accuracy=round(level - 0.01 * (split == "test"), 4),
                        loss=1.0,
                        images=300,
                    )
                )

        recorder.emit(
            RunStarted(
                time=clock,
                run_id=run_id,
                config=config.model_dump(mode="json"),
                versions=versions(),
                device="cpu",
                sites=sites,
                initial_widths=start,
                keep_fractions=[float(f) for f in fractions],
                class_names=class_names or [str(i) for i in range(10)],
                split_sizes={"train": 300, "val": 300, "test": 897},
                backbone_parameters=3_000_000,
                head_parameters=2570,
                trained_parameters=2570 + parameters(start),
            )
        )
        for message in warnings:
            recorder.emit(Warned(time=clock, code="test", message=message))
        train(0, 0.89)
        widths = dict(start)
        for cycle, keep in enumerate(fractions[: len(fractions) if cuts is None else cuts], start=1):
            alive = {name: n for name, n in widths.items() if n}
            kept = select(_scores(sites, alive, seed), start, keep)
            recorder.emit(
                Scored(
                    time=clock,
                    cycle=cycle,
                    score="mimi",
                    normalise="per_parameter",
                    scope="global",
                    keep_fraction=float(keep),
                    threshold=0.01,
                )
            )
            before, widths = widths, {name: len(kept.get(name, ())) for name in start}
            recorder.emit(
                Pruned(
                    time=clock,
                    cycle=cycle,
                    widths=widths,
                    removed=[name for name in start if before[name] and not widths[name]],
                    neurons_before=sum(before.values()),
                    neurons_after=sum(widths.values()),
                    adapter_parameters=parameters(widths),
                    trained_parameters=2570 + parameters(widths),
                    seconds=0.02,
                )
            )
            evaluate(cycle, "cut", 0.89 - 0.06 * cycle)
            train(cycle, 0.9 + 0.01 * (2 - cycle))
        assert sigma(tokens, widths.values()) >= 1
        progress = 1.0 if outcome == "finished" else (1 + (cuts or 0)) / (len(fractions) + 1)
        recorder.update(
            phase=outcome or "training",
            progress=progress,
            cycle=cuts or len(fractions),
            cycles=len(fractions),
            epoch=config.train.epochs,
            epochs=config.train.epochs,
            eta_seconds=None if outcome else 12.0,
            images_per_second=640.0,
            device="cpu",
        )
        if outcome:
            recorder.emit(RunEnded(time=clock, status=outcome, seconds=41.0))
    if outcome is None:
        change_status(store, run_id, pid=2**22 - 3, pid_started=1.0)
    return run_id


def change_status(store: Store, run_id: str, **fields: Any) -> None:
    """Overwrite parts of a run's status: what a worker, or its death, would have left there."""
    from mimi_core.runs.status import write_status

    status = store.status(run_id)
    assert status is not None
    write_status(store.folder(run_id), status.model_copy(update=fields))
