"""What a run would take: the answer of `python -m mimi_core check`, as one process finds it and another shows it."""

from typing import Literal

from pydantic import BaseModel

from mimi_core.runs.events import SiteInfo

STAGE = "stage: "
"""How a line on stderr begins that says what the check is doing."""


class CycleEstimate(BaseModel):
    """One cycle: a cut (but in cycle 0), training, evaluation."""

    cycle: int
    neurons: int
    adapter_parameters: int
    trained_parameters: int
    """Adapters, head, and whatever else the method trains."""
    seconds: float = 0.0


class KeptImages(BaseModel):
    """How the images of a split are kept once they are decoded; "nowhere": they are decoded anew in every epoch."""

    split: str
    images: int
    place: Literal["memory", "disk", "nowhere"]
    memory_bytes: int
    """The most that they take at once, of the GPU's memory where they are kept there."""
    disk_bytes: int = 0


class CheckReport(BaseModel):
    """`error` says in one line why the run would fail; everything else then has no meaning."""

    ok: bool
    error: str | None = None
    device: str = ""
    sites: int = 0
    layers: list[SiteInfo] = []
    """Where adapters sit, from the input on."""
    initial_widths: dict[str, int] = {}
    initial_neurons: int = 0
    cycles: list[CycleEstimate] = []
    exact: bool = True
    """Whether the parameters after cuts are; a global cut decides only in the run which neurons go, and so how many."""
    head_parameters: int = 0
    backbone_parameters: int = 0
    split_sizes: dict[str, int] = {}
    kept_images: list[KeptImages] = []
    memory_bytes: int | None = None
    """The most that the check took, of the GPU's memory where it trains on one."""
    images_per_second: float | None = None
    start_seconds: float = 0.0
    """From the start of the process to the first training step."""
    seconds: float | None = None
    """The whole run."""
    warnings: list[str] = []
