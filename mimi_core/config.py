"""Everything a run depends on, validated whole before anything is touched. The one place of defaults and presets."""

import difflib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mimi_core.config_text import parse_set
from mimi_core.errors import ConfigError

Placement = Literal["series", "parallel"]
Positions = Literal["both", "attn", "mlp"]
Init = Literal["near_identity", "paper"]
Scope = Literal["global", "local"]
Schedule = Literal["cycles", "one_shot", "anneal"]
Normalise = Literal["per_parameter", "fan", "layer_max", "none"]
ScoreName = Literal[
    "mimi", "l2", "down_only", "activation", "gradient", "taylor", "sensitivity", "fisher", "snip", "grasp", "random"
]
Method = Literal[
    "mimi", "adapter", "adaptformer", "linear", "bitfit", "attn_only", "mlp_only", "full", "ssf", "vpt_shallow",
    "vpt_deep", "lora", "dora", "adalora", "ia3", "vera", "oft",
]  # fmt: skip

SHORT_METHODS: dict[str, dict[str, Any]] = {
    "anneal": {"method": "mimi", "prune": {"schedule": "anneal"}},
    "vpt": {"method": "vpt_deep"},
}
"""Other names of methods, and the settings that they stand for."""

Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
MOST_CUTS = 1_000
DEMO_BACKBONE = "demo"
Parsed = TypeVar("Parsed", bound="Section")
FOLDER_PREFIX = "folder:"
"""A dataset name that begins so goes on with the path of a folder of images."""
HF_PREFIX = "hf:"
"""Likewise with a name of the Hugging Face Hub, or with a path that begins with / ~ or a dot."""
KEPT_SETS = (
    "vtab:", "domainnet:", "cifar10", "cifar100", "mnist", "kmnist", "svhn", "flowers102", "oxford-pets", "dtd",
    "eurosat", "food101", HF_PREFIX,
)  # fmt: skip
"""Datasets, or how their names begin, that lie in the folder of all datasets unless `data.path` says where."""


class Section(BaseModel):
    """Base of all parts: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BackboneConfig(Section):
    name: str = Field(
        "swin_tiny_patch4_window7_224",
        min_length=1,
        description="a timm model, a CvT as hf:microsoft/cvt-13, or `demo`, the bundled one",
    )
    pretrained: bool = Field(True, description="fetch timm's weights from the hub (the bundled one needs no hub)")
    checkpoint: Path | None = Field(None, description="local .safetensors, .pth or .pt file to take the weights from")
    image_size: Annotated[int, Field(ge=8, le=2048)] | None = Field(None, description="pixels; null: the model's own")


class DataConfig(Section):
    name: str = Field(
        "digits", min_length=1, description="digits | fashion-mnist | cifar10 | vtab:TASK | folder:PATH | .."
    )
    path: Path | None = Field(None, description="where the dataset's files lie; null: in the folder of all datasets")
    shots: Positive | None = Field(None, description="training images per class; null: all of them")
    seed: Seed = Field(0, description="which images the shots, and a folder's splits, are")
    train_on_val: bool = Field(
        False, description="train on the validation images too and have none: the protocol of published VTAB-1k results"
    )
    max_eval: Positive | None = Field(None, description="evaluate on at most so many images per split (a seeded draw)")
    skip_bad: bool = Field(False, description="leave unreadable images out, with a warning, instead of stopping")


class AdapterConfig(Section):
    sigma_0: Annotated[float, Field(ge=1, le=1e6)] = Field(
        8, description="compression at the start: widths are M // sigma_0"
    )
    placement: Placement = Field("series", description="series: on the output; parallel: beside the module")
    positions: Positions = Field("both", description="at the attention, at the MLP, or at both")
    init: Init = Field("near_identity", description="near_identity: up starts at zero; paper: both std 0.02")
    scale: Annotated[float, Field(gt=0)] = Field(1.0, description="factor s of a parallel adapter")


class PruneConfig(Section):
    rho: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="share of the neurons removed by every cut")
    sigma_target: Annotated[float, Field(ge=1, le=1e9)] = Field(64, description="compression at the end")
    score: ScoreName = Field("mimi", description="importance of a neuron")
    normalise: Normalise = Field("per_parameter", description="what a score is divided by, per site")
    scope: Scope = Field("global", description="global: rank all sites together; local: every site keeps its share")
    retrain_last: bool = Field(True, description="train after the last cut (the authors' code does not)")
    schedule: Schedule = Field(
        "cycles",
        description="cycles: cut, train, cut, train; one_shot: a single cut; anneal: many small cuts in one training",
    )
    every: Positive = Field(1, description="anneal: epochs from one cut to the next")
    warm: Annotated[float, Field(ge=0, lt=1)] = Field(0.2, description="anneal: share of the epochs before any cut")
    settle: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="anneal: share of the epochs after them")


class PeftConfig(Section):
    rank: Positive = Field(8, description="of lora, dora, vera; of adalora at the end, on average; blocks of oft")
    alpha: Annotated[float, Field(gt=0)] = Field(16, description="lora, dora, adalora: factor, over the rank")
    prompts: Positive = Field(10, description="learned tokens of vpt_shallow, and of every block of vpt_deep")


class TrainConfig(Section):
    epochs: Positive = Field(100, description="epochs of every cycle; with prune.schedule=anneal, of the whole run")
    batch_size: Positive = Field(64, description="images per step")
    lr: Annotated[float, Field(gt=0, le=10)] = Field(5e-4, description="peak learning rate of every cycle")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(0.05, description="decoupled, on matrices only")
    optimizer: Literal["adamw", "sgd"] = "adamw"
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="share of a cycle with rising learning rate")
    clip: Annotated[float, Field(gt=0)] = Field(5.0, description="largest gradient norm")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    reset_optimizer: bool = Field(False, description="start every cycle with fresh moments instead of cut ones")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 autocast on CUDA, fp32 on CPU")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    workers: Annotated[int, Field(ge=0, le=64)] = Field(2, description="threads that decode images")


class Branch(BaseModel):
    """Where a run comes from that goes on from the end of another run's cycle."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: str
    cycle: Annotated[int, Field(ge=0)]
    keep: tuple[Annotated[str, Field(pattern=r"^[1-9]\d{0,300}/[1-9]\d{0,300}$")], ...]
    """Share of the initial neurons that each cut before kept, exactly."""


class RunConfig(Section):
    """One run, complete. Defaults are the paper's."""

    name: Annotated[str, Field(max_length=80)] = Field("", description="a title for people; may be empty")
    group: Annotated[str, Field(max_length=80)] = Field(
        "", description="runs of one group are listed and compared together, such as those of a sweep"
    )
    method: Method = "mimi"
    backbone: BackboneConfig = BackboneConfig()
    data: DataConfig = DataConfig()
    adapter: AdapterConfig = AdapterConfig()
    prune: PruneConfig = PruneConfig()
    peft: PeftConfig = PeftConfig()
    train: TrainConfig = TrainConfig()
    seed: Seed = 0
    versions: dict[str, str] = Field(
        {}, description="written by the program into a run's config.yaml; ignored when read"
    )

    branch: Branch | None = Field(None, description="written by the program; ignored when read")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        """`data: digits` and `backbone: demo` are short for `{name: ...}`, and so are `SHORT_METHODS`."""
        return _expand(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _target_is_reachable(self) -> Self:
        if self.method == "mimi" and self.prune.sigma_target < self.adapter.sigma_0:
            raise ValueError(
                f"prune.sigma_target ({self.prune.sigma_target:g}) is below adapter.sigma_0 "
                f"({self.adapter.sigma_0:g}): pruning only raises sigma; raise sigma_target or lower sigma_0"
            )
        return self

    @model_validator(mode="after")
    def _annealing_fits(self) -> Self:
        prune = self.prune
        if self.method != "mimi" or prune.schedule != "anneal":
            return self
        if self.train.epochs < 2:
            raise ValueError("prune.schedule=anneal trains before and after its cuts: train.epochs must be 2 or more")
        if prune.warm + prune.settle >= 1:
            raise ValueError(
                f"prune.warm ({prune.warm:g}) and prune.settle ({prune.settle:g}) leave no epochs to cut in: "
                "they must add up to less than 1"
            )
        if not prune.retrain_last:
            raise ValueError("prune.schedule=anneal ends with training: prune.retrain_last=false has no meaning there")
        return self

    @model_validator(mode="after")
    def _cuts_can_be_counted(self) -> Self:
        prune, sigmas = self.prune, self.prune.sigma_target / self.adapter.sigma_0
        made = {
            "cycles": math.log(max(sigmas, 1)) / -math.log1p(-prune.rho),
            "one_shot": 1,
            "anneal": self.train.epochs / prune.every,
        }[prune.schedule]
        if self.method == "mimi" and made > MOST_CUTS:
            remedy = "raise prune.every" if prune.schedule == "anneal" else "raise prune.rho"
            raise ValueError(f"these settings make {made:,.0f} cuts, more than {MOST_CUTS:,}: {remedy}")
        return self

    @model_validator(mode="after")
    def _initial_score_can_tell(self) -> Self:
        if self.method == "mimi" and self.prune.score == "snip" and self.adapter.init == "near_identity":
            raise ValueError(
                "prune.score=snip is zero for every neuron before training, because adapter.init=near_identity starts "
                "with up at zero; set adapter.init=paper, or prune.score=grasp"
            )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "name": "demo",
        "backbone": {"name": DEMO_BACKBONE},
        "data": {"name": "digits", "shots": 30},
        "adapter": {"sigma_0": 2},
        "prune": {"sigma_target": 32},
        "train": {"epochs": 12, "batch_size": 32, "lr": 0.005, "warmup": 0.3},
    },
    "quick": {
        "name": "quick look",
        "backbone": {"name": DEMO_BACKBONE},
        "data": {"name": "digits", "shots": 10, "max_eval": 200},
        "adapter": {"sigma_0": 4},
        "prune": {"sigma_target": 16},
        "train": {"epochs": 5, "batch_size": 20, "lr": 0.01},
    },
    "paper": {"name": "paper"},
}


def make_config(
    values: dict[str, Any] | None = None, preset: str | None = None, sets: list[str] | None = None
) -> RunConfig:
    """Merge preset, then `values` (a config file's content), then `a.b=value` overrides, and validate the whole.

    Raises:
        ConfigError: unknown preset or key (with the nearest known one), or a value out of range.
    """
    merged = _expand(PRESETS[known_one(preset, PRESETS, "preset")]) if preset else {}
    merged = _merge(merged, _expand(values or {}))
    for assignment in sets or []:
        merged = laid_over(merged, parse_set(assignment))
    return validate(merged)


def laid_over(values: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with settings on top, which may be whole sections or paths such as `prune.rho`."""
    merged = _expand(values)
    for path, value in settings.items():
        merged = _merge(merged, _at_path(str(path), value))
    return merged


def validate(values: dict[str, Any]) -> RunConfig:
    """A RunConfig, or a ConfigError that names every wrong field in one line each."""
    return parse(RunConfig, values)


def parse(model: type[Parsed], values: dict[str, Any]) -> Parsed:
    """`values` as that model. Raises a ConfigError as `validate` does."""
    _refuse_unknown_keys(values, model, "")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_explain(e) for e in error.errors()]
        raise ConfigError("; ".join(problems), problems) from error


def to_yaml(config: RunConfig) -> str:
    """The complete config as YAML, every default written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """The same config, good in any working directory: a run may be resumed from another one, or by a worker."""
    data, backbone = config.data, config.backbone
    prefix, _, place = data.name.partition(":")
    if data.name.startswith(FOLDER_PREFIX) or (data.name.startswith(HF_PREFIX) and place.startswith(("/", "~", "."))):
        data = data.model_copy(update={"name": f"{prefix}:{_absolute(Path(place))}"})
    elif data.path is None and data.name.startswith(KEPT_SETS):
        data = data.model_copy(update={"path": datasets_folder()})
    if data.path is not None:
        data = data.model_copy(update={"path": _absolute(data.path)})
    if backbone.checkpoint is not None:
        backbone = backbone.model_copy(update={"checkpoint": _absolute(backbone.checkpoint)})
    return config.model_copy(update={"data": data, "backbone": backbone})


def datasets_folder() -> Path:
    """Where datasets lie that are known by name: what MIMI_DATA says, or beside the runs."""
    runs = Path(os.environ.get("MIMI_RUNS") or "runs")
    return _absolute(Path(os.environ.get("MIMI_DATA") or runs.absolute().parent / "datasets"))


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def differences(config: RunConfig, base: RunConfig) -> list[str]:
    """The `a.b=value` settings that turn `base` into `config`."""
    return _differences(config.model_dump(mode="json"), base.model_dump(mode="json"), "")


def _differences(new: dict[str, Any], old: dict[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for key, value in new.items():
        if key in ("versions", "branch"):
            continue
        if isinstance(value, dict):
            found += _differences(value, old[key], f"{prefix}{key}.")
        elif value != old[key]:
            text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").rstrip("\n")
            found.append(f"{prefix}{key}={text if chr(10) not in text else json.dumps(value, ensure_ascii=False)}")
    return found


def _expand(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn short forms such as `data: digits` into sections, so that they can be merged."""
    whole = {k: {"name": v} if k in ("data", "backbone") and isinstance(v, str) else v for k, v in values.items()}
    method = whole.get("method")
    return _merge(whole, SHORT_METHODS[method]) if isinstance(method, str) and method in SHORT_METHODS else whole


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`; sections are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _at_path(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return _expand(value)


def known_one(name: str, known: Any, what: str) -> str:
    """`name`, or a ConfigError with the nearest known one."""
    if name in known:
        return name
    raise ConfigError(f"unknown {what} {name!r}{_nearest(name, known)}")


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _refuse_unknown_keys(values: dict[str, Any], model: type[BaseModel], prefix: str) -> None:
    for key, value in values.items():
        if key not in model.model_fields:
            raise ConfigError(f"unknown key '{prefix}{key}'{_nearest(key, model.model_fields)}")
        section = _section(model.model_fields[key].annotation)
        if section is None:
            continue
        if value is None:
            raise ConfigError(f"'{prefix}{key}' is empty: remove the line or give it keys")
        items = {f"{key}.{n}": item for n, item in enumerate(value)} if isinstance(value, list) else {key: value}
        for place, item in items.items():
            if isinstance(item, dict):
                _refuse_unknown_keys(item, section, f"{prefix}{place}.")


def _section(annotation: Any) -> type[Section] | None:
    """The section that a field holds, or a list of."""
    parts = (annotation, *get_args(annotation))
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)


def _explain(error: Any) -> str:
    """One validation error of pydantic as `where: what (got ...)`."""
    message = str(error["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("constrained-", "function-")))
    if not where:
        return message
    got = repr(error["input"])
    return f"{where}: {message[0].lower()}{message[1:]} (got {got if len(got) <= 200 else got[:200] + '…'})"
