"""What a family of backbones says of itself in the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """What something in timm gives, such as `timm.models.mvitv2.MultiScaleVitCfg`, called with options."""

    path: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Tiny:
    """A small model of the family with random weights, on which its life is tested.

    Attributes:
        made_by: a timm model, or the path of a class or function, such as `timm.models.nest.Nest`.
        image_size: edge of its images in pixels.
        attentions, mlps: how many of each get an adapter.
        options: what `made_by` is called with; a text that begins with `timm.` stands for what lies there.
        arguments: likewise, by their place.
    """

    made_by: str
    image_size: int
    attentions: int
    mlps: int
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Family:
    """Backbones of one architecture.

    Attributes:
        models: names for `backbone.name`.
        tiny: its stand-in in tests.
        in_papers: papers on fine-tuning use it, so the form suggests it. The others are found by what they can do.
        exact: with adapters that are zero the forward is the same to the bit; else to rounding, because adding zero
            changes how a later tensor lies in memory, and so, on some processors, the order of a sum.
        order: where it stands in lists, before those that have the same order and a later name.
    """

    name: str
    models: tuple[str, ...]
    tiny: Tiny
    in_papers: bool = False
    exact: bool = True
    order: int = 100


def sized(pattern: str, *sizes: str) -> tuple[str, ...]:
    """Names that differ in a size: `{}` in `pattern`."""
    return tuple(pattern.format(size) for size in sizes)
