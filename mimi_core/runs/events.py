"""What happens in a run: frozen, JSON-safe events, one a line in `events.jsonl`; and the state that they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mimi_core.reading import read_regular
from mimi_core.runs import plausible

Split = Literal["val", "test"]
Stage = Literal["trained", "cut"]
Outcome = Literal["finished", "stopped", "failed"]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    time: float
    """Seconds since 1970, UTC."""


class SiteInfo(BaseModel):
    """Where an adapter sits, or a matrix whose rank is decided. `width` is the token width M."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    block: int
    position: Literal["attn", "mlp"]
    width: int
    cost: int | None = None
    """Parameters of one rank of a matrix; None for an adapter, of which a neuron has 2 M."""


class RunStarted(_Event):
    event: Literal["run_started"] = "run_started"
    run_id: str
    config: dict[str, Any]
    versions: dict[str, str]
    device: str
    sites: list[SiteInfo]
    initial_widths: dict[str, int]
    keep_fractions: list[float]
    """One for each cut; their number is K."""
    class_names: list[str]
    split_sizes: dict[str, int]
    backbone_parameters: int
    head_parameters: int
    trained_parameters: int
    """At the start, head included."""

    @property
    def decides_ranks(self) -> bool:
        """Whether the sites are matrices and their widths ranks, which the method decides while it trains."""
        return any(site.cost is not None for site in self.sites)


class EpochEnded(_Event):
    event: Literal["epoch_ended"] = "epoch_ended"
    cycle: int
    epoch: int
    """1 .. E within the cycle."""
    loss: float
    """Mean training loss."""
    accuracy: float
    """On the training images, as seen during the epoch; 0..1."""
    lr: float
    """Learning rate of the last step."""
    images_per_second: float
    seconds: float


class Scored(_Event):
    """The neurons were ranked. The scores themselves are in `cycles/<cycle>/scores.npz`."""

    event: Literal["scored"] = "scored"
    cycle: int
    """The cut that these scores decide, 1 .. K."""
    score: str
    normalise: str
    scope: str
    keep_fraction: float
    threshold: float | None
    """Lowest score that was kept (global scope); null when nothing was, or for local scope."""


class Pruned(_Event):
    event: Literal["pruned"] = "pruned"
    cycle: int
    widths: dict[str, int]
    """Every site of the run -> neurons left; 0 where the adapter is gone."""
    removed: list[str]
    """Sites that lost their adapter in this cut."""
    neurons_before: int
    neurons_after: int
    adapter_parameters: int
    trained_parameters: int
    seconds: float
    """Score + select + shrink + carry the optimiser's state."""


class Ranked(_Event):
    """A method that decides ranks while it trains has ended with these. Nothing is cut: the model stays as it is."""

    event: Literal["ranked"] = "ranked"
    ranks: dict[str, int]
    """Every matrix of the run -> ranks left; 0 where it has no change any more."""
    ranks_before: int
    """Of all matrices together, at the start."""
    ranks_after: int
    adapter_parameters: int
    """Of the ranks that are left."""
    trained_parameters: int
    """The same, head included."""


class Evaluated(_Event):
    event: Literal["evaluated"] = "evaluated"
    cycle: int
    stage: Stage
    """"trained": at the end of the cycle's training; "cut": right after the cut, before any training.

    "cut" of cycle 1 is also the model that a method which decides ranks has ended with.
    """
    split: Split
    accuracy: float
    """0..1"""
    loss: float
    images: int


class Warned(_Event):
    event: Literal["warned"] = "warned"
    code: str
    message: str


class RunEnded(_Event):
    event: Literal["run_ended"] = "run_ended"
    status: Outcome
    message: str = ""
    seconds: float
    """Time of the whole run, resumed parts included; where it broke off, of the last attempt."""


Event = RunStarted | EpochEnded | Scored | Pruned | Ranked | Evaluated | Warned | RunEnded
LARGEST = 200_000_000
"""Bytes of an event file; a thousand cuts with ten thousand epochs have about 5,000,000."""
_EPOCH, _WARNED = b'"event":"epoch_ended"', b'"event":"warned"'
"""Stand near the front of the lines of epochs and warnings."""
MOST_WARNINGS = 1000
"""So many of a run are kept; the rest is counted."""
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


@dataclass
class RunState:
    """The fold of a run's events: everything that a page needs to know about it."""

    started: RunStarted | None = None
    epochs: list[EpochEnded] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    cuts: list[Pruned] = field(default_factory=list)
    """All that changed widths. Where they are ranks (`decides_ranks`), the one step from the first to the last."""
    evaluations: list[Evaluated] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)
    further_warnings: int = 0
    """Those after `MOST_WARNINGS`."""
    ended: RunEnded | None = None
    unreadable_lines: int = 0
    """Left out: they are no events, or such as cannot be true."""
    fault: str = ""
    """What is wrong with the first that cannot be true, in words."""

    @property
    def sites(self) -> list[SiteInfo]:
        return self.started.sites if self.started else []

    @property
    def decides_ranks(self) -> bool:
        """Whether the sites are matrices, the widths ranks, and the one step between them no cut."""
        return self.started is not None and self.started.decides_ranks

    @property
    def widths(self) -> list[dict[str, int]]:
        """Site -> neurons, or ranks, after every step of `cuts`; the first entry is the start. Removed ones count 0."""
        return [self.started.initial_widths, *(cut.widths for cut in self.cuts)] if self.started else []

    @property
    def total_cuts(self) -> int:
        """K; 1 where ranks are decided."""
        return len(self.started.keep_fractions) if self.started else 0

    @property
    def removed_at(self) -> dict[str, int]:
        """Site -> the cut that took its adapter away."""
        return {site: cut.cycle for cut in self.cuts for site in cut.removed}

    def accuracy(self, cycle: int, stage: Stage = "trained", split: Split = "test") -> float | None:
        """Accuracy 0..1 at that point, or None while it is not known."""
        for e in reversed(self.evaluations):
            if (e.cycle, e.stage, e.split) == (cycle, stage, split):
                return e.accuracy
        return None

    @property
    def last_accuracy(self) -> float | None:
        """Test accuracy of the last evaluation that followed training; of a finished run, of the model it ended with.

        These differ where a run does not train after its last cut.
        """
        finished = self.ended is not None and self.ended.status == "finished"
        tests = [e.accuracy for e in self.evaluations if e.split == "test" and (finished or e.stage == "trained")]
        return tests[-1] if tests else None


def fold(events: Iterable[Event], unreadable_lines: int = 0) -> RunState:
    """Add the events up. Order matters only within one kind."""
    state = RunState(unreadable_lines=unreadable_lines)
    for event in events:
        _add(state, event)
    return state


def _add(state: RunState, event: Event) -> None:
    match event:
        case RunStarted():
            state.started = event
        case EpochEnded():
            state.epochs.append(event)
        case Scored():
            state.scored.append(event)
        case Pruned():
            state.cuts.append(event)
        case Ranked():
            state.cuts.append(_one_step(event))
        case Evaluated():
            state.evaluations.append(event)
        case Warned():
            state.warnings.append(event)
        case RunEnded():
            state.ended = event


def fault(event: Event, state: RunState) -> str:
    """Why an event cannot be true after those before it, in words; nothing where it can."""
    if told := plausible.moment(event.time):
        return told
    match event:
        case RunStarted():
            sites = [(site.name, site.block, site.width, site.cost or 0) for site in event.sites]
            numbers = plausible.counts(
                backbone_parameters=event.backbone_parameters,
                head_parameters=event.head_parameters,
                trained_parameters=event.trained_parameters,
                **{f"images_{number}": images for number, images in enumerate(event.split_sizes.values())},
            )
            return (
                ("it started twice" if state.started else "")
                or numbers
                or plausible.start(sites, event.initial_widths, event.keep_fractions, len(event.class_names))
            )
        case Warned():
            return ""
        case RunEnded():
            return plausible.amounts(seconds=event.seconds)
    if state.started is None:
        return "the run had not started"
    cuts = state.total_cuts
    match event:
        case EpochEnded():
            numbers = plausible.amounts(loss=event.loss, lr=event.lr, seconds=event.seconds)
            rates = plausible.amounts(images_per_second=event.images_per_second) or plausible.counts(epoch=event.epoch)
            return plausible.cycle(event.cycle, cuts) or plausible.share("accuracy", event.accuracy) or numbers or rates
        case Scored():
            return plausible.cycle(event.cycle, cuts, first=1)
        case Evaluated():
            numbers = plausible.amounts(loss=event.loss) or plausible.counts(images=event.images)
            return plausible.cycle(event.cycle, cuts) or plausible.share("accuracy", event.accuracy) or numbers
        case Pruned() | Ranked():
            cut = event if isinstance(event, Pruned) else _one_step(event)
            order = "" if cut.cycle == len(state.cuts) + 1 <= cuts else f"cut {cut.cycle} is not the next"
            neurons = (cut.neurons_before, cut.neurons_after)
            parameters = plausible.counts(adapter=cut.adapter_parameters, trained=cut.trained_parameters)
            return order or plausible.step(state.widths[-1], cut.widths, cut.removed, neurons) or parameters


def _one_step(event: Ranked) -> Pruned:
    """Ranks as they were told before they had an event of their own, so that all accounts add up to one state."""
    return Pruned(
        time=event.time, cycle=1, widths=event.ranks,
        removed=[matrix for matrix, left in event.ranks.items() if not left],
        neurons_before=event.ranks_before, neurons_after=event.ranks_after,
        adapter_parameters=event.adapter_parameters, trained_parameters=event.trained_parameters, seconds=0.0,
    )  # fmt: skip


def to_line(event: Event) -> bytes:
    """One line of `events.jsonl`, newline included."""
    return event.model_dump_json().encode() + b"\n"


def parse_line(line: bytes) -> Event | None:
    """The event in a line, or None for a line that is broken or of a later version."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None


def whole_until(path: Path, size: int) -> bool:
    """Whether the first `size` bytes of an event file are whole events. They are not where the power failed before the
    disk had them: bytes are missing, or zero."""
    try:
        head = read_regular(path, LARGEST)[:size] if size else b""
    except OSError:
        return False
    return len(head) == size and head[-1:] in (b"", b"\n") and all(parse_line(line) for line in head.splitlines())


def read_events(path: Path, with_epochs: bool = True) -> RunState:
    """Fold a file. A missing file is an empty run, a half-written last line is ignored, broken lines are counted.

    Without its epochs a long run is read many times faster: most of its lines are epochs, and a summary needs none.
    """
    try:
        content = read_regular(path, LARGEST)
    except FileNotFoundError:
        return RunState()
    except OSError:
        return RunState(unreadable_lines=1)
    complete = content[: content.rfind(b"\n") + 1]
    lines = [line for line in complete.splitlines() if line.strip() and (with_epochs or _EPOCH not in line[:80])]
    state = RunState()
    for line in lines:
        if len(state.warnings) == MOST_WARNINGS and _WARNED in line[:80]:
            state.further_warnings += 1
            continue
        event = parse_line(line)
        if event is not None and not (told := fault(event, state)):
            _add(state, event)
            continue
        state.unreadable_lines += 1
        if event is not None and not state.fault:
            state.fault = f"{event.event.replace('_', ' ')}: {told}"
    return state
