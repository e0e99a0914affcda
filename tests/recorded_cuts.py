"""Run folders with the scores of every cut, cut as a worker cuts but without training."""

import numpy as np

from mimi_core.budget import initial_width
from mimi_core.config import make_config
from mimi_core.config.cuts import keep_fractions, last_share
from mimi_core.runs.events import Evaluated, Pruned, RunEnded, RunStarted, Scored, SiteInfo
from mimi_core.runs.formats import damage, npz
from mimi_core.runs.recorder import Recorder
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import SCORES
from mimi_core.select import normalise, normaliser_of, select
from tests.recorded import swin_sites


def run_with_scores(
    store: Store, *, sites: list[SiteInfo] | None = None, seed: int = 0, cuts: int | None = None, **prune: object
) -> str:
    """A run cut as a worker cuts: random weights, but the real scores file, selection and events."""
    config = make_config({"prune": prune, "method": "mimi", "seed": seed}, preset="demo")
    sites = sites or swin_sites()
    rng = np.random.default_rng(seed)
    tokens = {site.name: site.width for site in sites}
    start = {site.name: initial_width(site.width, config.adapter.sigma_0) for site in sites}
    keeps = keep_fractions(last_share(config.adapter.sigma_0, config.prune.sigma_target), config.prune.rho)
    run_id, widths = store.create(config), dict(start)
    with Recorder(store.folder(run_id)) as recorder:
        recorder.emit(
            RunStarted(
                time=0, run_id=run_id, config=config.model_dump(mode="json"), versions={}, device="cpu", sites=sites,
                initial_widths=start, keep_fractions=[float(keep) for keep in keeps], class_names=["a"],
                split_sizes={}, backbone_parameters=1, head_parameters=1, trained_parameters=1,
            )
        )  # fmt: skip
        for cycle, keep in enumerate(keeps[:cuts], start=1):
            raw = {
                score: {
                    site: (rng.lognormal(0, 0.4) * tokens[site] * rng.lognormal(0, 0.5, n)).astype(np.float32)
                    for site, n in widths.items()
                    if n
                }
                for score in SCORES
            }
            chosen, how = config.prune.score, normaliser_of(config.prune.score, config.prune.normalise)
            scores = normalise(raw[chosen], tokens, how)
            kept = select(scores, start, keep, config.prune.scope)
            flat = {f"{score}/{site}": values for score, found in raw.items() for site, values in found.items()}
            recorder.save_arrays(cycle, "scores", flat | {f"survivors/{site}": ix for site, ix in kept.items()})
            before, widths = widths, {site: len(kept.get(site, ())) for site in start}
            recorder.emit(
                Scored(
                    time=0, cycle=cycle, score=chosen, normalise=how, scope=config.prune.scope,
                    keep_fraction=float(keep), threshold=None,
                )
            )  # fmt: skip
            recorder.emit(
                Pruned(
                    time=0, cycle=cycle, widths=widths, removed=[s for s in widths if before[s] and not widths[s]],
                    neurons_before=sum(before.values()), neurons_after=sum(widths.values()),
                    adapter_parameters=1, trained_parameters=1, seconds=0,
                )
            )  # fmt: skip
            for stage, accuracy in (("cut", 0.8), ("trained", 0.9)):
                recorder.emit(
                    Evaluated(time=0, cycle=cycle, stage=stage, split="test", accuracy=accuracy, loss=1, images=9)
                )
        recorder.emit(RunEnded(time=0, status="finished", seconds=1))
        recorder.update(phase="finished")
    return run_id


def measured(
    store: Store, run_id: str, cut: int, worth: dict[str, float] | None = None, error: float = 0.01, split: str = "val"
) -> damage.Damage:
    """Keep what each adapter was worth before a cut. `worth`: site -> damage; without it, drawn by lot."""
    alive = [site for site, neurons in store.state(run_id).widths[cut - 1].items() if neurons]
    worth = worth or dict(zip(alive, np.random.default_rng(cut).normal(0.05, 0.05, len(alive)).tolist(), strict=True))
    found = damage.Damage(
        loss=0.5,
        accuracy=0.9,
        loss_without={site: 0.5 + lifted for site, lifted in worth.items()},
        accuracy_without=dict.fromkeys(worth, 0.9),
        images=100,
        split=split,
        error=dict.fromkeys(worth, error),
    )
    npz.write(store.folder(run_id), f"cycles/{cut}/damage.npz", damage.arrays(found))
    return found
