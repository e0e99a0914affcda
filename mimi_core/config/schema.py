"""Everything a run depends on, validated whole. The one place of defaults."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from mimi_core.config import cuts
from mimi_core.config.choices import OneOf
from mimi_core.config.conditions import OnlyIf
from mimi_core.config.fields import takes_numbers
from mimi_core.config.grey_range import GreyRange
from mimi_core.config.methods import METHODS, makes_cuts
from mimi_core.config.short_forms import expand_short_forms
from mimi_core.config.site_widths import Widths
from mimi_core.scores.catalogue import SCORES
from mimi_core.scores.normalisers import NORMALISERS

Placement = Literal["series", "parallel"]
Positions = Literal["both", "attn", "mlp"]
Init = Literal["near_identity", "paper"]
Scope = Literal["global", "local"]
Schedule = Literal["cycles", "one_shot", "anneal"]
ScoreName = Annotated[str, OneOf("score", SCORES)]
NormaliserName = Annotated[str, OneOf("normaliser", NORMALISERS)]
MethodName = Annotated[str, OneOf("method", METHODS)]


Positive = Annotated[int, Field(ge=1, lt=2**53)]
"""As far as JSON and tables hold whole numbers exactly."""
Seed = Annotated[int, Field(ge=0, lt=2**31)]
DEMO_BACKBONE = "demo"


class Checked(BaseModel):
    """Frozen; unknown keys are refused, and as a number whatever is none: infinity, NaN, `true` and `on`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        switched = any(isinstance(one, bool) for one in (value if isinstance(value, list) else [value]))
        if switched and takes_numbers(cls.model_fields[str(info.field_name)]):
            raise ValueError("a number is needed")
        return value


class Section(Checked):
    """Base of all parts."""


class BackboneConfig(Section):
    name: str = Field(
        "swin_tiny_patch4_window7_224",
        min_length=1,
        description="`demo`, the bundled small Swin; any timm model; or a CvT, as hf:microsoft/cvt-13",
    )
    pretrained: bool = Field(True, description="fetch timm's weights from the hub (the bundled one needs no hub)")
    checkpoint: Path | None = Field(None, description="local .safetensors, .pth or .pt file to take the weights from")
    image_size: Annotated[int, Field(ge=8, le=2048)] | None = Field(None, description="pixels; null: the model's own")


class DataConfig(Section):
    name: str = Field(
        "digits",
        min_length=1,
        description="one that `mimi data ls` lists; folder:PATH, with a folder for each class; or hf:OWNER/NAME, a "
        "dataset of the Hugging Face Hub",
    )
    path: Path | None = Field(None, description="where the dataset's files lie; null: in the folder of all datasets")
    classes: Annotated[str, Field(min_length=1, max_length=10_000)] | None = Field(
        None, description="names of the classes to use, with a | between them; null: all of them"
    )
    shots: Positive | None = Field(
        None, description="training images of every class, drawn by data.seed; null: all of them"
    )
    seed: Seed = Field(0, description="which images the shots, and a folder's splits, are")
    train_on_val: bool = Field(
        False, description="train on the validation images too and have none: the protocol of published VTAB-1k results"
    )
    max_eval: Positive | None = Field(None, description="evaluate on at most so many images per split (a seeded draw)")
    skip_bad: bool = Field(False, description="leave unreadable images out, with a warning, instead of stopping")
    range: GreyRange = Field(
        "auto",
        description="of 16-bit images: auto: stretched by as many bits as the training images use; full: the upper 8 "
        "bits; or [LOW, HIGH], the values that become black and white",
    )
    max_pixels: Annotated[int, Field(ge=4, le=4_000_000_000)] | None = Field(
        None, description="of the largest image that is read; null: 80 million"
    )


class AdapterConfig(Section):
    sigma_0: Annotated[float, Field(ge=1, le=1e6)] = Field(
        8,
        description="compression at the start, token width M over neurons: 8 gives 12 of them to a layer of width 96",
    )
    placement: Placement = Field("series", description="series: on the output; parallel: beside the module")
    positions: Positions = Field("both", description="at the attention, at the MLP, or at both")
    init: Init = Field("near_identity", description="near_identity: up starts at zero; paper: both std 0.02")
    scale: Annotated[float, Field(gt=0), OnlyIf("placement", lambda it: it == "parallel")] = Field(
        1.0, description="factor s of a parallel adapter"
    )
    widths: Widths | None = Field(
        None, description="{site: neurons}, or from:RUN for the final widths of a run; null: M // sigma_0 everywhere"
    )


_IN_CYCLES = OnlyIf("schedule", lambda it: it == "cycles")
_ANNEALED = OnlyIf("schedule", lambda it: it == "anneal")


class PruneConfig(Section):
    rho: Annotated[float, Field(gt=0, lt=1), _IN_CYCLES] = Field(
        0.5, description="share of the neurons that every cut removes; smaller: more cuts, more training"
    )
    sigma_target: Annotated[float, Field(ge=1, le=1e9)] = Field(
        64, description="compression at the end; twice as high: half the neurons"
    )
    score: ScoreName = Field("mimi", description="what a neuron is worth; the lowest go")
    normalise: Annotated[NormaliserName, OnlyIf("score", lambda it: SCORES[it].divided)] = Field(
        "per_parameter", description="what a score is divided by, per site"
    )
    scope: Scope = Field(
        "global",
        description="global: all layers compete, and some may lose their adapter; local: every layer keeps its share",
    )
    measure_damage: bool = Field(
        True, description="before every cut, measure what switching off each adapter costs (anneal does not)"
    )
    retrain_last: bool = Field(True, description="train after the last cut (the authors' code does not)")
    schedule: Schedule = Field(
        "cycles",
        description="cycles: cut, train, cut, train; one_shot: a single cut; anneal: many small cuts in one training",
    )
    every: Annotated[Positive, _ANNEALED] = Field(1, description="anneal: epochs from one cut to the next")
    warm: Annotated[float, Field(ge=0, lt=1), _ANNEALED] = Field(
        0.2, description="anneal: share of the epochs before any cut"
    )
    settle: Annotated[float, Field(ge=0, lt=1), _ANNEALED] = Field(
        0.3, description="anneal: share of the epochs after them"
    )


def _of(path: str, words: str) -> str:
    """What a setting of some methods is, with those that the catalogue says use it."""
    return f"of {', '.join(name for name, method in METHODS.items() if method.claims(path))}: {words}"


class PeftConfig(Section):
    rank: Positive = Field(
        8,
        description=_of(
            "peft.rank", "the rank; with adalora that at the end, on average, and with oft the number of blocks"
        ),
    )
    parameters: Positive | None = Field(
        None, description=_of("peft.parameters", "of all directions together at the end; null: peft.rank a matrix")
    )
    alpha: Annotated[float, Field(gt=0)] = Field(16, description=_of("peft.alpha", "factor, over the rank"))
    prompts: Positive = Field(10, description=_of("peft.prompts", "learned tokens, of the input or of every block"))


class TrainConfig(Section):
    epochs: Positive = Field(
        100, description="passes over the training images in every cycle; with prune.schedule=anneal, in the whole run"
    )
    cycles: Positive = Field(
        1, description="of a run without cuts: courses of the learning rate, each of so many epochs"
    )
    batch_size: Positive = Field(64, description="images per step")
    lr: Annotated[float, Field(gt=0, le=10)] = Field(5e-4, description="peak learning rate of every cycle")
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(0.05, description="decoupled, on matrices only")
    optimizer: Literal["adamw", "sgd"] = "adamw"
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="share of a cycle with rising learning rate")
    clip: Annotated[float, Field(gt=0)] = Field(5.0, description="largest gradient norm")
    lr_floor: Annotated[float, Field(ge=0, le=1)] = Field(0.0, description="share of lr at which a cycle ends")
    head: Literal["random", "zeros", "probe"] = Field(
        "random", description="where the classifier head starts; probe: at a converged linear probe"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    augment: Literal["none", "flip", "crop", "randaugment"] = Field(
        "none", description="random changes to training images; each has those before it, too"
    )
    mixup: Annotated[float, Field(ge=0, le=10)] = Field(0.0, description="alpha of blended pairs of images; 0: none")
    cutmix: Annotated[float, Field(ge=0, le=10)] = Field(
        0.0, description="alpha of pasted parts of images; 0: none; with mixup, either in turn"
    )
    drop_path: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="chance that the last block is skipped for an image; rises along the blocks"
    )
    order_seed: Seed | None = Field(
        None, description="decides the order of images alone, which the run's seed decides otherwise"
    )
    reset_optimizer: bool = Field(False, description="start every cycle with fresh moments instead of cut ones")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 autocast on CUDA, fp32 on CPU")
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    workers: Annotated[int, Field(ge=0, le=64)] = Field(2, description="threads that decode images")


class Branch(Checked):
    """Where a run comes from that goes on from the end of another run's cycle."""

    run: str
    cycle: Annotated[int, Field(ge=0)]
    keep: tuple[Annotated[str, Field(pattern=r"^[1-9]\d{0,300}/[1-9]\d{0,300}$")], ...]
    """Share of the initial neurons that each cut before kept, exactly."""


class RunConfig(Section):
    """One run, complete. Defaults are the paper's."""

    name: Annotated[str, Field(max_length=80)] = Field(
        "", description="a title for people, as lists show it; may be empty"
    )
    group: Annotated[str, Field(max_length=80)] = Field(
        "", description="runs of one group are listed and compared together, such as those of a sweep"
    )
    method: MethodName = Field(
        "mimi", description="MiMi prunes adapters in cycles; the others train once, and are what it is compared with"
    )
    backbone: BackboneConfig = BackboneConfig()
    data: DataConfig = DataConfig()
    adapter: AdapterConfig = AdapterConfig()
    prune: PruneConfig = PruneConfig()
    peft: PeftConfig = PeftConfig()
    train: TrainConfig = TrainConfig()
    probe: bool = Field(
        True, description="fit a linear classifier to the frozen features first, to tell what training adds to it"
    )
    seed: Seed = Field(0, description="decides initial weights and the order of images: same seed, same numbers")
    versions: dict[str, str] = Field(
        {}, description="written by the program into a run's config.yaml; ignored when read"
    )

    branch: Branch | None = Field(None, description="written by the program; ignored when read")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        """`data: digits` and `backbone: demo` are short for `{name: ...}`, and so are `SHORT_METHODS`."""
        return expand_short_forms(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _target_is_reachable(self) -> Self:
        if makes_cuts(self.method) and self.prune.sigma_target < self.adapter.sigma_0:
            raise ValueError(
                f"prune.sigma_target ({self.prune.sigma_target:g}) is below adapter.sigma_0 "
                f"({self.adapter.sigma_0:g}): pruning only raises sigma; raise sigma_target or lower sigma_0"
            )
        return self

    @model_validator(mode="after")
    def _annealing_fits(self) -> Self:
        prune = self.prune
        if not makes_cuts(self.method) or prune.schedule != "anneal":
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
        """An absurd number is refused before anything is worked out."""
        if len(shares := self.kept_shares) > cuts.MOST_CUTS:
            raise ValueError(cuts.too_many(len(shares), "raise prune.rho"))
        return self

    @model_validator(mode="after")
    def _score_can_tell(self) -> Self:
        score = SCORES[self.prune.score]
        if makes_cuts(self.method) and score.needs_up and self.adapter.init == "near_identity":
            others = [name for name, other in SCORES.items() if other.known == score.known and not other.needs_up]
            raise ValueError(
                f"prune.score={score.name} is zero for every neuron before training, because "
                "adapter.init=near_identity starts with up at zero; set adapter.init=paper"
                + "".join(f", or prune.score={name}" for name in others)
            )
        return self

    @property
    def kept_shares(self) -> tuple[Fraction, ...]:
        """What each of the run's cuts keeps, where nobody knows how many neurons there are: see `shares_kept`."""
        return self.shares_kept()

    def shares_kept(self, neurons: int | None = None) -> tuple[Fraction, ...]:
        """What each of the run's cuts keeps, as a share of the initial neurons. A branch begins with its parent's.

        Args:
            neurons: at the start. No cut comes behind the one that leaves a single neuron.
        """
        prune, sigma_0 = self.prune, self.adapter.sigma_0
        if not makes_cuts(self.method):
            return ()
        made = [Fraction(share) for share in self.branch.keep] if self.branch else []
        last = cuts.last_share(sigma_0, prune.sigma_target, neurons)
        if prune.schedule == "anneal":
            when = cuts.annealing_epochs(self.train.epochs, prune.warm, prune.settle, prune.every)
            shares = cuts.annealed(last, when)
        elif prune.schedule == "one_shot":
            shares = cuts.one_shot(last, made)
        else:
            shares = cuts.keep_fractions(last, prune.rho, made)
        return tuple(cuts.until_one_is_left(shares, neurons, len(made)) if neurons else shares)
