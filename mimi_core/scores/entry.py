"""What a score says of itself. No torch: the app reads it, too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from mimi_core.adapters.adapter import Adapter
    from mimi_core.scores.watching import AtStart, Batch, Seen

Known = Literal["from weights", "watched", "at the start", "by lot"]
"""When a score can be told: from an adapter alone; after its training was watched; before any training, and then kept
by every neuron through all cuts; or at any time, since it is drawn."""
Per = Literal["neuron", "parameter"]
DECAY = 0.85
"""Of moving averages: beta_1 and beta_2 of AdaLoRA (arXiv 2303.10512)."""
LAST = 1_000


@dataclass(frozen=True)
class Watch:
    """What is added up for a score while an adapter trains, from zero in every cycle.

    Each function adds to what it finds in `seen`, in place. All scores may read all that is kept.
    """

    keeps: Mapping[str, Per]
    """Names, as in safe states, of one number for each neuron (N,) or for each of its parameters (N, 2 M)."""
    after_backward: "Callable[[Seen, Batch], None] | None" = None
    """Called once for every batch, before gradients are clipped."""
    on_activation: "Callable[[Seen, Tensor], None] | None" = None
    """Called with act(down h), (.., N), for every batch of the cycle's last epoch."""


@dataclass(frozen=True)
class Score:
    """One entry of the catalogue."""

    name: str
    """As in `prune.score`, in events and in scores.npz."""
    label: str
    """As in a sentence: "the Taylor score"."""
    words: str
    """What it is, for people: plain text that goes on a sentence, without a full stop."""
    formula: str
    """The raw number of neuron j, in plain text."""
    source: str
    """Where it comes from."""
    known: Known
    score: "Callable[[Adapter, Seen], Tensor]"
    """(N,) raw numbers of an adapter, higher is better. Sums over a neuron's own parameters, which
    `mimi_core.select.normalise` then makes comparable between sites."""
    order: int = LAST
    """Place in lists; equal ones stand by name."""
    divided: bool = True
    """Whether sites differ in scale. False: numbers are of one distribution everywhere, and no normaliser applies."""
    needs_up: bool = False
    """Zero for all neurons, and so unknown, as long as `up` is: before any training with adapter.init=near_identity."""
    watch: Watch = field(default_factory=lambda: Watch({}))
    at_start: "Callable[[AtStart], Tensor] | None" = None
    """(N,) what a neuron keeps; it is in `seen` by the score's name from then on, NaN where it is not known."""

    def __post_init__(self) -> None:
        if (self.known == "at the start") != (self.at_start is not None):
            raise ValueError(f"score {self.name!r}: known at the start and `at_start` go together")

    @property
    def by_lot(self) -> bool:
        return self.known == "by lot"

    @property
    def always_known(self) -> bool:
        """Whether an adapter without a past can be scored."""
        return self.known in ("from weights", "by lot")
