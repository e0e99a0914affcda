"""A new run that starts from the end of another run's cycle, with other settings for the cuts that come after.

Its folder is made to look as if its worker had been killed at the end of that cycle's training, so that resuming does
the rest: the adapters and scores of that moment are its safe state, and the events so far are its own. The moments of
the optimiser are not part of what a run keeps about a cycle; they start fresh.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mimi_core.budget import plan
from mimi_core.config import Branch, RunConfig, differences, laid_over, validate
from mimi_core.config.methods import makes_cuts
from mimi_core.config.typed import parse_set
from mimi_core.errors import RunError
from mimi_core.runs import files, writing
from mimi_core.runs.events import EpochEnded, Event, RunEnded, RunStarted, RunState, parse_line, to_line
from mimi_core.runs.formats import answers, cycle_weights, damage, fingerprint, safe_state, scores
from mimi_core.runs.formats.gallery import PREDICTIONS
from mimi_core.runs.store import Store
from mimi_core.scores.catalogue import AT_START, SCORES

_MAY_CHANGE = ("prune.", "train.", "name=", "group=", "seed=")


def cycles(state: RunState) -> list[int]:
    """Those that were trained to their end, so that a branch can go on from there."""
    return [k for k in range(len(state.widths)) if state.accuracy(k) is not None]


def branch(source: Store, run_id: str, cycle: int, sets: Sequence[str], target: Store, *, owner: str = "") -> str:
    """Make the run that goes on from the end of `cycle` under changed settings; returns its id. It waits in the queue.

    Args:
        sets: `section.key=value`; only `prune.*`, `train.*`, `name`, `group` and `seed` may change.
        target: where the new run goes.
        owner: who asks for it, where people sign in.

    Raises:
        ConfigError: a setting is wrong.
        RunError: the run has no such cycle, did not keep what is needed, or something else would have to change.
    """
    folder, state = source.folder(run_id), source.state(run_id)
    writing.refuse_links(folder)
    config = changed(source.config(run_id), state, run_id, cycle, sets)
    fingerprint.check_backbone(folder, config)
    stored = known_scores(folder, state, cycle, config)
    widths = _alive(state, cycle)
    tensors = _adapters(folder, cycle) | _as_tensors(stored)
    events, neurons = _events_until(folder, cycle), sum(state.widths[0].values())

    def fill(draft: Path, new_id: str, complete: RunConfig) -> None:
        lines = [to_line(_own(event, new_id, complete, neurons)) for event in events]
        writing.write_bytes(draft, files.EVENTS, b"".join(lines))
        for done in range(cycle + 1):
            writing.make_folder(draft, files.in_cycle(done))
            arrays = (scores.AT_A_CUT, scores.AT_THE_END, damage.NAME, *answers.NAMES, PREDICTIONS)
            for file in (cycle_weights.FILE, *(f"{name}.npz" for name in arrays)):
                writing.copy(folder, draft, files.in_cycle(done, file))
        for name in (files.GALLERY, fingerprint.NAME, answers.IMAGES):
            writing.copy(folder, draft, name)
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        writing.write_text(draft, files.LOG, f"{when}  goes on from the end of cycle {cycle} of {run_id}\n")
        cursor = {"cycle": cycle, "epoch": plan(complete, neurons).epochs[cycle], "seconds": 0.0}
        safe_state.write(draft, tensors, {**cursor, "widths": widths})

    return target.create(config, fill=fill, owner=owner)


def changed(parent: RunConfig, state: RunState, run_id: str, cycle: int, sets: Sequence[str]) -> RunConfig:
    """The config of a branch, checked against what its parent has done.

    Raises:
        ConfigError, RunError: as `branch`.
    """
    if not makes_cuts(parent.method):
        raise RunError(f"{run_id} has method {parent.method}, which makes no cuts: there is nothing to branch from")
    done = cycles(state)
    if cycle not in done:
        known = f"cycles {done[0]} to {done[-1]} can be branched from" if done else "none has been trained to its end"
        raise RunError(f"{run_id} has no cycle {cycle} that was trained to its end; {known}")
    neurons = sum(state.widths[0].values())
    made = plan(parent, neurons).keep[:cycle]
    values = {**parent.model_dump(mode="json"), "name": title(parent, cycle), "group": "", "branch": None}
    if parent.prune.schedule == "anneal":
        values = laid_over(values, {"prune.schedule": "cycles"})
    for setting in sets:
        values = laid_over(values, parse_set(setting))
    origin = Branch(run=run_id, cycle=cycle, keep=tuple(map(str, made)))
    config = validate(values).model_copy(update={"branch": origin})
    if config.prune.schedule == "anneal":
        raise RunError("a branch goes on in cycles: prune.schedule=anneal is for a run from its start; leave it out")
    fixed = [d for d in differences(config, parent) if not d.startswith(_MAY_CHANGE)]
    if fixed:
        raise RunError(
            f"a branch cannot change {', '.join(d.partition('=')[0] for d in fixed)}: only prune.*, train.*, name, "
            "group and seed; start a new run for the rest"
        )
    backbone = parent.backbone
    if config.seed != parent.seed and not backbone.pretrained and not backbone.checkpoint:
        raise RunError("a branch of this run must keep its seed: the weights of its backbone are random and made of it")
    if len(plan(config, neurons).keep) == cycle:
        sigma = parent.adapter.sigma_0 / float(made[-1]) if made else parent.adapter.sigma_0
        raise RunError(
            f"nothing would be left to cut after cycle {cycle}, where the compression is {sigma:g}: set "
            "prune.sigma_target to more than that"
        )
    return config


def title(parent: RunConfig, cycle: int) -> str:
    """What a branch is called unless somebody says otherwise."""
    return f"{parent.name[:60] or parent.method} from cycle {cycle}"


def _events_until(folder: Path, cycle: int) -> list[Event]:
    """What happened until the last epoch of the cycle; its evaluation will happen again."""
    lines = (folder / files.EVENTS).read_bytes().splitlines()
    events = [event for line in lines if (event := parse_line(line))]
    last = max(i for i, event in enumerate(events) if isinstance(event, EpochEnded) and event.cycle == cycle)
    return [event for event in events[: last + 1] if not isinstance(event, RunEnded)]


def _own(event: Event, run_id: str, config: RunConfig, neurons: int) -> Event:
    """The start is told as the new run's own: its id, its config, its plan of cuts."""
    if not isinstance(event, RunStarted):
        return event
    keep = [float(share) for share in plan(config, neurons).keep]
    return event.model_copy(update={"run_id": run_id, "config": config.model_dump(mode="json"), "keep_fractions": keep})


def _adapters(folder: Path, cycle: int) -> dict[str, np.ndarray]:
    """All that was trained, as it was at the end of the cycle, by the names of a safe state."""
    renamed = {}
    for key, array in cycle_weights.read(folder, cycle).items():
        part = cycle_weights.adapter_part(key)
        name = safe_state.adapter_key(*part) if part else safe_state.model_key(cycle_weights.model_name(key))
        renamed[name] = array
    return renamed


def known_scores(folder: Path, state: RunState, cycle: int, config: RunConfig) -> dict[str, dict[str, np.ndarray]]:
    """What the parent kept of scores at the end of the cycle, see `formats.scores.read_end`.

    Raises:
        RunError: that is not enough for the score that the branch wants, or cannot be read.
    """
    stored = scores.read_end(folder, cycle, _alive(state, cycle))
    possible = [name for name, score in SCORES.items() if score.always_known or name in stored]
    if config.prune.score not in possible:
        raise RunError(
            f"{folder.name} kept no {config.prune.score} scores at the end of cycle {cycle}: choose "
            f"prune.score from {', '.join(possible)}"
        )
    return stored


def _alive(state: RunState, cycle: int) -> dict[str, int]:
    return {site: neurons for site, neurons in state.widths[cycle].items() if neurons}


def _as_tensors(stored: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """As the scores of the next cut; the initial ones are also what every later cut needs to have seen."""
    named = [(score, site, values) for score, sites in stored.items() for site, values in sites.items()]
    seen = {safe_state.seen_key(site, score): values for score, site, values in named if score in AT_START}
    return {safe_state.score_key(score, site): values for score, site, values in named} | seen
