"""What makes two runs the same, or the same but for their seeds: one answer for every page, sweep and finding."""

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache, partial
from typing import Any
from weakref import ref

from mimi_core.config.methods import METHODS, makes_cuts
from mimi_core.config.schema import RunConfig
from mimi_core.config.settings import Setting, settings, value_at
from mimi_core.config.site_widths import TakenWidths

Value = str | int | float | bool | None
Values = Mapping[str, Value]
"""Path of a setting -> its value in a run, or `UNUSED`."""
Seeds = tuple[int, int]
"""Of the run and of its data."""
Key = tuple[tuple[str, Value], ...]
UNUSED = "–"
"""Stands for a setting that plays no part in a run, such as the score of a run without cuts."""
NEVER_MATTER: Mapping[str, str] = {
    "name": "a title is for people",
    "group": "so is the list that a run stands in",
    "data.path": "a dataset is the same wherever it lies",
    "train.workers": "threads decode the same images in the same order, however many they are",
    "prune.measure_damage": "it is measured beside the run, which goes on as without it",
    "probe": "it is fitted beside the run, which goes on as without it",
}
"""Settings that change no number of a run, with why. The versions of the program are no setting at all: a run made anew
with a later one is meant to be the same."""
SEEDS: Mapping[str, str] = {
    "seed": "initial weights, and the order of images",
    "data.seed": "which images the shots, and a folder's splits, are",
}
"""Settings by which repetitions differ, with what each draws. Both make a run's seed: of two runs with the same pair,
the second says nothing new."""
_WITHOUT_CUTS = "prune.sigma_target"
"""Says that there were to be no cuts, and so plays a part in a run that makes none."""
_COURSES = "train.cycles"
"""Plays none in a run with cuts: they say when the learning rate starts anew."""
_known: dict[int, "tuple[ref[RunConfig], Key]"] = {}
"""`id` of a config -> itself, while it lives, and its `setting_key`."""


@cache
def compared_settings() -> Mapping[str, Setting]:
    """By path, all settings by which runs may differ: without those that never matter, and without seeds."""
    return {path: one for path, one in settings().items() if path not in NEVER_MATTER and path not in SEEDS}


def used_values(config: RunConfig) -> dict[str, Value]:
    """The `compared_settings` of a run and where it branched from, and `UNUSED` for what plays no part; its title, too.

    What no method claims counts as used, so that runs are never taken for repetitions silently.
    """
    uncut = makes_cuts(config.method) and not config.kept_shares
    values: dict[str, Value] = {
        path: plain_value(config, path) if possible and _plays_a_part(config, path, uncut) else UNUSED
        for path, possible in _possible(config.method).items()
    }
    return values | {"branch": _branch(config), "name": " ".join(config.name.split())}


def deciding_settings() -> list[str]:
    """Choices by which others come to play a part, or cease to."""
    others = {
        f"{path.rpartition('.')[0]}.{condition.other}"
        for path, setting in compared_settings().items()
        for condition in setting.only_if
    }
    return ["method", *sorted(others)]


@cache
def _possible(method: str) -> Mapping[str, bool]:
    return {path: METHODS[method].may_use(path) for path in compared_settings()}


def _plays_a_part(config: RunConfig, path: str, uncut: bool) -> bool:
    """Whether the other settings are such that it does, in a method that may use it."""
    section, _, _ = path.rpartition(".")
    if section == "prune" and uncut:
        return path == _WITHOUT_CUTS
    if path == _COURSES and config.kept_shares:
        return False
    conditions = compared_settings()[path].only_if
    return all(condition.holds(value_at(config, f"{section}.{condition.other}")) for condition in conditions)


def setting_key(config: RunConfig) -> Key:
    """The same for all runs of one setting, whatever their seeds. Worked out once for each object, which never changes:
    a page asks it of a thousand runs."""
    held = _known.get(id(config))
    if held is not None and held[0]() is config:
        return held[1]
    key = _one_object(tuple(sorted((path, value) for path, value in used_values(config).items() if path != "name")))
    _known[id(config)] = ref(config, partial(_forget, id(config))), key
    return key


def _forget(known: int, _: object) -> None:
    _known.pop(known, None)


@lru_cache(maxsize=4096)
def _one_object(key: Key) -> Key:
    return key


def setting_digest(config: RunConfig) -> str:
    """A short name of a setting, the same for all its runs, and for all versions of the program: defaults are left out,
    so that a setting which a later version adds changes no name."""
    plain = used_values(RunConfig(method=config.method))
    said = sorted((p, v) for p, v in used_values(config).items() if p != "name" and v not in (UNUSED, plain.get(p)))
    return hashlib.sha256(json.dumps([config.method, said]).encode()).hexdigest()[:12]


def seed_key(config: RunConfig) -> Seeds:
    """What tells repetitions apart. Runs of a setting are as many as there are different ones of these."""
    return config.seed, config.data.seed


def same_but_seed(one: RunConfig, other: RunConfig) -> bool:
    """Whether one repeats the other: with another seed, or once more with the same."""
    return setting_key(one) == setting_key(other)


def run_key(config: RunConfig) -> str:
    """The same for runs that were asked for in the same words, but for what never matters.

    Stricter than setting and seed together: who asks for a linear probe with two ranks of LoRA gets two runs.
    """
    values = config.model_dump(mode="json", exclude={"versions": True} | _excluded())
    if isinstance(config.adapter.widths, TakenWidths):  # whether or not they have been read already
        values["adapter"]["widths"] = str(config.adapter.widths)
    return json.dumps(values, sort_keys=True)


def task_key(config: RunConfig) -> Key:
    """The same for all runs on the same images with the same backbone, whatever their method and seeds."""
    return tuple(item for item in setting_key(config) if item[0].startswith(("data.", "backbone.")))


def plain_value(config: RunConfig, path: str) -> Value:
    """The value of a setting as tables hold it."""
    value = value_at(config, path)
    if isinstance(value, TakenWidths):
        return _taken(value, config)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _taken(widths: TakenWidths, config: RunConfig) -> str:
    """From runs of which setting, not from which run: repetitions take theirs from runs with their own seeds.

    Other seeds than those count as another setting, since `seed_key` does not see them.
    """
    read = widths.current
    if read is None:
        return str(widths)
    own = seed_key(config)
    whose = "" if (read.seed, read.data_seed) == own else f" with seeds {read.seed} and {read.data_seed}"
    shuffled = {None: "", config.seed: ", shuffled"}.get(widths.shuffle, f", shuffled by {widths.shuffle}")
    scaled = f", {widths.budget} neurons" if widths.budget else ""
    scaled += f", {widths.parameters} parameters" if widths.parameters else ""
    return f"of the setting {read.setting}{whose}{shuffled}{scaled}, {widths.weights} weights"


def _branch(config: RunConfig) -> str:
    """Where a run branched off; with what its parent's cuts kept, where those are not the ones it would make itself."""
    if config.branch is None:
        return "not branched"
    told, kept = f"branched after cycle {config.branch.cycle}", config.branch.keep
    own = config.model_copy(update={"branch": None}).kept_shares[: len(kept)]
    return told if own == tuple(map(Fraction, kept)) else f"{told} that kept {', '.join(kept) or 'all'}"


def _excluded() -> dict[str, Any]:
    """`NEVER_MATTER` as pydantic leaves it out of a dump."""
    left_out: dict[str, Any] = {}
    for path in NEVER_MATTER:
        section, _, name = path.rpartition(".")
        if section:
            left_out.setdefault(section, set()).add(name)
        else:
            left_out[name] = True
    return left_out
