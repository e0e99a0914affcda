"""Families of backbones whose whole life with adapters is tested; the tests, the form and docs/backbones.md read these.

No torch, so that the app can. Any other timm model works as well if a place for adapters is found in it.
"""

from mimi_core.backbones.families.catalogue import FAMILIES
from mimi_core.backbones.families.entry import Family, Tiny

__all__ = ["FAMILIES", "Family", "Tiny"]
