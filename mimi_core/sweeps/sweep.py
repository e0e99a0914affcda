"""A sweep: settings that vary times seeds, as runs of one group. Everything is validated before anything starts."""

from collections import Counter
from functools import reduce
from itertools import product
from math import prod
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, field_validator, model_validator

from mimi_core.budget import plan
from mimi_core.config import PRESETS, SHORT_METHODS, RunConfig, Section, Seed, known_one, laid_over, parse, validate
from mimi_core.config.identity import run_key
from mimi_core.config.typed import parse_set
from mimi_core.errors import ConfigError
from mimi_core.sweeps.questions import QUESTIONS

MOST_RUNS = 10_000
LONGEST_NAME = 80
"""Characters that RunConfig allows."""
_OF_THE_SWEEP = {"name": "the sweep names its runs", "group": "it is the sweep's name", "seed": "put it into seeds"}


class Case(Section):
    """One setting with a name, for what a grid cannot say."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    settings: dict[str, Any] = Field({}, description="laid over the base: paths such as prune.rho, or sections")
    final_size: bool = Field(False, description="its adapters begin at the base's prune.sigma_target")
    equal_epochs: bool = Field(False, description="as for the whole sweep")


class Sweep(Section):
    """Every combination of the grid, and every case, once for each seed."""

    name: Annotated[str, Field(max_length=LONGEST_NAME)] = Field("", description="the group of its runs")
    question: str = Field("", description="what it is to answer, for people")
    preset: str | None = Field(None, description=f"where the base starts from: {', '.join(PRESETS)}")
    base: dict[str, Any] = Field({}, description="what all runs share, laid over the preset")
    grid: dict[str, list[Any]] = Field({}, description="path of a setting -> its values")
    cases: list[Case] = Field([], description="named settings, beside the grid")
    seeds: list[Seed] = Field([], description="a list, or a number n for 0 .. n - 1")
    equal_epochs: bool = Field(
        False, description="every run trains as many epochs in all its cycles as the base does, to the nearest cycle"
    )
    own_images: bool = Field(False, description="every seed draws its own images (data.seed), not only its own start")

    @field_validator("grid", mode="before")
    @classmethod
    def _paths(cls, grid: Any) -> Any:
        return _flat(grid, "") if isinstance(grid, dict) else grid

    @field_validator("seeds", mode="before")
    @classmethod
    def _from_zero(cls, seeds: Any) -> Any:
        if not isinstance(seeds, int) or isinstance(seeds, bool):
            return seeds
        if seeds > MOST_RUNS:
            raise ValueError(f"so many are too many (at most {MOST_RUNS:,})")
        return list(range(seeds))

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.name.strip():
            raise ValueError("name is missing: the group under which the runs are found, such as name: my-sweep")
        if not self.grid and not self.cases:
            raise ValueError("nothing varies: fill grid, such as prune.rho: [0.25, 0.5], or cases")
        if not self.seeds:
            raise ValueError("seeds are missing: give a list such as [0, 1, 2], or how many")
        for seed in _twice(self.seeds):
            raise ValueError(f"seeds: {seed} is there twice")
        for path, values in self.grid.items():
            _check_path(path)
            if not values:
                raise ValueError(f"grid: {path} has no values; give some, or leave it out")
        for name in _twice([case.name for case in self.cases]):
            raise ValueError(f"cases: two are named {name!r}")
        for path, reason in _OF_THE_SWEEP.items():
            if any(path in settings for settings in (self.base, *(case.settings for case in self.cases))):
                raise ValueError(f"{path} cannot be set here: {reason}")
        for flag, path in (("equal_epochs", "train.epochs"), ("own_images", "data.seed")):
            if getattr(self, flag) and path in self.grid:
                raise ValueError(f"{flag} decides {path}: leave one of them out")
        if self.runs > MOST_RUNS:
            raise ValueError(f"{self.runs:,} runs are too many (at most {MOST_RUNS:,}): shorten a list")
        return self

    @property
    def runs(self) -> int:
        """How many; without making them."""
        combinations = prod(len(values) for values in self.grid.values()) if self.grid else 0
        return (combinations + len(self.cases)) * len(self.seeds)


def make_sweep(
    values: dict[str, Any] | None = None, question: str | None = None, sets: list[str] | None = None
) -> Sweep:
    """Lay a sweep file's content over a question, and `base.train.epochs=2` or `seeds=5` over both.

    Raises:
        ConfigError: unknown question or key (with the nearest known one), or a description that is not complete.
    """
    merged = laid_over(
        {}, {"name": question, **QUESTIONS[known_one(question, QUESTIONS, "question")]} if question else {}
    )
    for settings in (values or {}, *(parse_set(assignment, lists=True) for assignment in sets or [])):
        for key in settings:
            if str(key).split(".")[0] not in Sweep.model_fields and str(key).split(".")[0] in RunConfig.model_fields:
                raise ConfigError(f"'{key}' is a setting of the runs: write it as base.{key}, or vary it in grid")
        merged = laid_over(merged, settings)
    return parse(Sweep, merged)


def expand(sweep: Sweep) -> list[RunConfig]:
    """All runs, every one validated whole: `name` says what varies, `group` is the sweep's name.

    In the order of the seeds, so that a sweep that is stopped half-way has compared everything on the first of them.

    Raises:
        ConfigError: combinations that are invalid, or are there twice. It says which.
    """
    base = _merged(sweep)
    made: list[RunConfig] = []
    wrong: dict[str, list[str]] = {}
    grid = _combinations(sweep)
    for number, case in enumerate([*grid, *sweep.cases], start=1):
        try:
            config = _config(base, case, case.equal_epochs or sweep.equal_epochs)
            name = _label(sweep, case, config, number) if number <= len(grid) else case.name
            made.append(config.model_copy(update={"name": name, "group": sweep.name}))
        except ConfigError as error:
            wrong.setdefault(str(error), []).append(case.name)
    if wrong:
        everywhere = len(wrong) == 1 and not made
        told = [what if everywhere else f"{_some(where)}: {what}" for what, where in wrong.items()]
        raise ConfigError("; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else ""))
    _refuse_repeats(made)
    return [_seeded(config, seed, sweep.own_images) for seed in sweep.seeds for config in made]


def to_yaml(sweep: Sweep) -> str:
    """The sweep as a file that makes the same runs; what is left at its default is left out."""
    return yaml.safe_dump(sweep.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True)


def assignment(key: str, text: str) -> str:
    """`key=text` as `--set` reads it, quoted where YAML would take the text for something else."""
    return f"{key}={yaml.safe_dump(text, width=10**6, allow_unicode=True).splitlines()[0]}"


def _merged(sweep: Sweep) -> dict[str, Any]:
    preset = PRESETS[known_one(sweep.preset, PRESETS, "preset")] if sweep.preset else {}
    return laid_over(laid_over({}, preset), sweep.base)


def _combinations(sweep: Sweep) -> list[Case]:
    """The grid as cases, under the names by which errors tell them."""
    values_of_each = product(*sweep.grid.values()) if sweep.grid else ()
    settings = [dict(zip(sweep.grid, values, strict=True)) for values in values_of_each]
    return [
        Case.model_construct(name=", ".join(f"{path}={value}" for path, value in s.items()), settings=s)
        for s in settings
    ]


def _config(base: dict[str, Any], case: Case, equal_epochs: bool) -> RunConfig:
    size = {"adapter.sigma_0": validate(base).prune.sigma_target} if case.final_size else {}
    config = validate(laid_over(laid_over(base, size), case.settings))
    if not equal_epochs:
        return config
    longer = plan(validate(base)).total_epochs / plan(config).total_epochs
    epochs = max(1, round(longer * config.train.epochs))
    return validate(laid_over(config.model_dump(mode="json"), {"train.epochs": epochs}))


def _seeded(config: RunConfig, seed: int, own_images: bool) -> RunConfig:
    update: dict[str, Any] = {"seed": seed}
    if own_images:
        update["data"] = config.data.model_copy(update={"seed": seed})
    return config.model_copy(update=update)


def _label(sweep: Sweep, case: Case, config: RunConfig, number: int) -> str:
    """`scope=local`: the settings that vary, shortly. Numbered where it would be too long for a name."""
    varying = [path for path, values in sweep.grid.items() if len(values) > 1] or list(sweep.grid)
    values = {path: reduce(getattr, path.split("."), config) for path in varying}
    if case.settings.get("method") in SHORT_METHODS:
        values["method"] = case.settings["method"]
    label = ", ".join(f"{_short(path, varying)}={_shown(value)}" for path, value in values.items())
    return label if len(label) <= LONGEST_NAME else f"{label[: LONGEST_NAME - 8]}… #{number}"


def _short(path: str, among: list[str]) -> str:
    """The last word of a path where that is clear."""
    section, _, last = path.rpartition(".")
    if last == "name":
        return section
    return path if last == "seed" or [other.rpartition(".")[2] for other in among].count(last) > 1 else last


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refuse_repeats(made: list[RunConfig]) -> None:
    names: dict[str, str] = {}
    for config in made:
        key = run_key(config)
        if key in names:
            first, second = names[key], config.name
            what = f"{first!r} is there twice" if first == second else f"{first!r} and {second!r} are the same run"
            raise ConfigError(f"{what}: leave one out")
        names[key] = config.name
    for name in _twice([config.name for config in made]):
        raise ConfigError(f"two different cases are named {name!r}: rename one")


def _flat(grid: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Nested sections as paths; `data` and `backbone` stand for their names, as everywhere."""
    flat: dict[str, Any] = {}
    for key, value in grid.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}.")
        elif not isinstance(value, list):
            raise ValueError(f"{path} needs a list of values, such as [{value}]")
        else:
            flat[f"{path}.name" if path in ("data", "backbone") else path] = value
    return flat


def _paths(model: type[Section] = RunConfig, prefix: str = "") -> list[str]:
    paths: list[str] = []
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            paths += _paths(section, f"{prefix}{name}.")
        else:
            paths.append(f"{prefix}{name}")
    return paths


def _check_path(path: str) -> None:
    if path in _OF_THE_SWEEP:
        raise ValueError(f"grid: {path} cannot vary there: {_OF_THE_SWEEP[path]}")
    known = [known for known in _paths() if known not in (*_OF_THE_SWEEP, "versions", "branch")]
    ends = [whole for whole in known if whole.endswith(f".{path}")]
    if path not in known and ends:
        raise ValueError(f"grid: unknown setting {path!r}: did you mean {ends[0]!r}?")
    known_one(path, known, "setting in the grid")


def _twice(values: list[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
